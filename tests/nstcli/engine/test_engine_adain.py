"""AdaIN: what is coded has the artworks' statistics, and tiles of a picture show no border."""

from __future__ import annotations

from dataclasses import replace

import pytest
import skimage
import torch
from torch import Tensor, nn

import backbones
from backbones import weights
from backbones.adain import Decoder
from backbones.hooks import FeatureExtractor
from backbones.spec import CAFFE
from backbones.weights.builtin import ADAIN
from nstcli.engine.guidance import EVERYWHERE, Guidance, Region
from nstcli.engine.losses.statistics import FEATURES
from nstcli.engine.methods import adain
from nstcli.engine.methods.adain import MOMENTS, AdaIN, mixed_in, moments
from nstcli.engine.precision import FLOAT32
from nstcli.engine.pyramid import resized
from nstcli.engine.stylize import Scale, psnr
from nstcli.engine.targets import Style, mixed
from nstcli.recipe import DEFAULT, Recipe
from tests.nstcli.engine.scene import picture

LAYER = "relu4_1"
RECIPE = Recipe(**{**DEFAULT, "method": "adain"})
CONTENT, STYLE, OTHER = picture(48, 72), picture(56, 40, seed=1), picture(48, 48, seed=2)


def random_weights(network: nn.Module, seed: int) -> nn.Module:
    """Draw weights that keep the size of activations (He et al. 2015)."""
    generator = torch.Generator().manual_seed(seed)
    state = {
        name: torch.randn(tensor.shape, generator=generator)
        * (2 / (tensor[0].numel() if tensor.ndim > 1 else 100)) ** 0.5
        for name, tensor in network.state_dict().items()
    }
    network.load_state_dict(state)
    return network.eval().requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def method() -> AdaIN:
    """The method with random weights."""
    vgg = backbones.get("vgg19")
    extractor = FeatureExtractor(vgg, random_weights(vgg.build(), 0), CAFFE).pad_by("reflect")
    return AdaIN(extractor, random_weights(Decoder(), 1), FLOAT32)


def scale(method: AdaIN, style: Style, guidance: Guidance = EVERYWHERE) -> Scale:
    return Scale(method.read_content(CONTENT, RECIPE), style, guidance)


def read(method: AdaIN, image: Tensor, mask: Tensor | None = None) -> Style:
    return method.read_style(image, mask, RECIPE)


def statistics(style: Style) -> Tensor:
    return style.statistics[MOMENTS, LAYER]


def assert_alike(coded: Tensor, photo: Tensor, style: Style) -> None:
    """Channels in which nothing happens in the photo have the style's mean, and no deviation."""
    found, wanted = moments(coded)[0], statistics(style)[0]
    alive = moments(photo)[0, 1] > 0.1
    assert alive.float().mean() > 0.5
    torch.testing.assert_close(found[0], wanted[0], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found[1][alive], wanted[1][alive], rtol=1e-2, atol=1e-2)


def paint(method: AdaIN, asked: Scale, **choices: float) -> Tensor:
    (painted,) = method.paint([[asked]], replace(RECIPE, **choices), lambda _: None, lambda: None)
    return painted.image


def test_what_is_coded_has_the_statistics_of_the_style(method: AdaIN) -> None:
    style = read(method, STYLE)
    asked = scale(method, style)
    photo = asked.content.statistics[FEATURES, LAYER]
    assert not torch.allclose(moments(photo), statistics(style), rtol=0.1)
    assert_alike(mixed_in(asked, 1.0), photo, style)


def test_alpha_goes_from_the_coded_photo_to_the_style(method: AdaIN) -> None:
    asked = scale(method, read(method, STYLE))
    photo = asked.content.statistics[FEATURES, LAYER]
    assert torch.equal(mixed_in(asked, 0.0), photo)
    half = (photo + mixed_in(asked, 1.0)) / 2
    torch.testing.assert_close(mixed_in(asked, 0.5), half, rtol=1e-5, atol=1e-5)
    plain = method.decoded(photo, *CONTENT.shape[-2:])
    assert torch.equal(paint(method, asked, alpha=0.0), plain)
    assert plain.shape == CONTENT.shape


def test_styles_mix_as_their_pictures_activations_would(method: AdaIN) -> None:
    one, other = read(method, STYLE), read(method, OTHER)
    assert mixed([one, other], [1.0, 0.0]) is one
    both = mixed_in(scale(method, mixed([one, other], [0.3, 0.7])), 1.0)
    apart = [mixed_in(scale(method, each), 1.0) for each in (one, other)]
    torch.testing.assert_close(both, 0.3 * apart[0] + 0.7 * apart[1], rtol=1e-3, atol=1e-3)


def test_a_mask_leaves_what_is_under_it(method: AdaIN) -> None:
    """Of an artwork: the statistics are those of the positions that count."""
    mask = torch.zeros_like(STYLE[:, :1])
    mask[..., :32, :] = 1
    seen = method.encoded(STYLE)
    torch.testing.assert_close(statistics(read(method, STYLE, mask)), moments(seen[:, :, :4]))
    assert read(method, STYLE, mask * 0.5).unseen == frozenset()
    dot = torch.zeros_like(mask)
    dot[..., :8, :8] = 1
    assert read(method, STYLE, dot).unseen == {LAYER}


def test_every_region_takes_its_own_style(method: AdaIN) -> None:
    one, other = read(method, STYLE), read(method, OTHER)
    left = torch.zeros_like(CONTENT[:, :1])
    left[..., :40] = 1  # five positions
    held = Guidance(regions=(Region(left, one), Region(1 - left, other)))
    asked = scale(method, one, held)
    photo, coded = asked.content.statistics[FEATURES, LAYER], mixed_in(asked, 1.0)
    assert_alike(coded[..., :5], photo[..., :5], one)
    assert_alike(coded[..., 5:], photo[..., 5:], other)


def test_what_is_in_no_region_or_in_too_small_a_one_stays_as_it_is(method: AdaIN) -> None:
    style = read(method, STYLE)
    left = torch.zeros_like(CONTENT[:, :1])
    left[..., :40] = 1
    asked = scale(method, style, Guidance(regions=(Region(left, style),)))
    photo = asked.content.statistics[FEATURES, LAYER]
    coded = mixed_in(asked, 1.0)
    assert torch.equal(coded[..., 5:], photo[..., 5:])
    assert not torch.allclose(coded[..., :5], photo[..., :5])
    dot = torch.zeros_like(left)
    dot[..., :8, :8] = 1
    small = scale(method, style, Guidance(regions=(Region(dot, style),)))
    assert torch.equal(mixed_in(small, 1.0), photo)


@pytest.mark.parametrize(
    ("style", "content", "alpha", "expected"),
    [
        (0.0, 1.0, 1.0, 0.0),
        (0.25, 1.0, 1.0, 0.25),
        (0.5, 1.0, 0.5, 0.25),
        (1.0, 0.0, 0.5, 1.0),
        (1.0, 5.0, 1.0, 1.0),
        (0.25, 3.0, 1.0, 0.1),
    ],
)
def test_maps_say_how_much_style_a_place_takes(
    method: AdaIN, style: float, content: float, alpha: float, expected: float
) -> None:
    ones, known = torch.ones_like(CONTENT[:, :1]), read(method, STYLE)
    plain = scale(method, known)
    told = replace(plain, guidance=Guidance(content * ones, style * ones))
    wanted = mixed_in(plain, expected)
    torch.testing.assert_close(mixed_in(told, alpha), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(150, 131), (64, 200), (100, 40)])
def test_tiles_show_no_border(method: AdaIN, shape: tuple[int, int]) -> None:
    image = picture(*shape)
    tiled = replace(method, tile=64)
    whole = method.encoded(image)
    torch.testing.assert_close(tiled.encoded(image), whole, rtol=1e-4, atol=1e-4)
    together = method.decoded(whole, *shape)
    assert together.shape == image.shape
    torch.testing.assert_close(tiled.decoded(whole, *shape), together, rtol=1e-4, atol=1e-4)


def test_margins_are_no_larger_than_they_must_be(
    method: AdaIN, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, tiled = picture(40, 200), replace(method, tile=64)
    whole = method.encoded(image)
    monkeypatch.setattr(adain, "_ENCODED", 24)
    monkeypatch.setattr(adain, "_DECODED", 2)
    assert (tiled.encoded(image) - whole).abs().max() > 1e-3
    assert (tiled.decoded(whole, 40, 200) - method.decoded(whole, 40, 200)).abs().max() > 1e-3


def test_memory_of_large_pictures_grows_by_what_is_kept_of_them(method: AdaIN) -> None:
    needed = method.needs(RECIPE, 0)
    small, large, larger = (needed.of_content(edge**2) for edge in (512, 4000, 8000))
    assert small > 500 * 512**2
    assert larger - large == pytest.approx(needed.kept * (8000**2 - 4000**2))
    assert needed.kept < 300
    assert method.needs(RECIPE, 2).kept > needed.kept


def photo(name: str) -> Tensor:
    pixels = torch.from_numpy(getattr(skimage.data, name)()).permute(2, 0, 1)[None].float() / 255
    return resized(pixels, 192, 256)


@pytest.mark.network
def test_with_real_weights_a_photo_comes_back_and_the_style_comes_over() -> None:
    vgg = backbones.get("vgg19")
    decoder = Decoder()
    decoder.load_state_dict(weights.load(ADAIN, ADAIN.weight_sets[0]).tensors)
    extractor = FeatureExtractor.load(vgg, vgg.weight_set("gatys")).pad_by("reflect")
    method = AdaIN(extractor, decoder.eval().requires_grad_(requires_grad=False), FLOAT32)
    content, style = photo("coffee"), photo("rocket")
    asked = Scale(method.read_content(content, RECIPE), read(method, style))
    back, painted = paint(method, asked, alpha=0.0), paint(method, asked)
    assert psnr(back, content) > 16
    assert psnr(painted, content) < 14
    wanted = statistics(asked.style)
    apart = [(moments(method.encoded(x)) - wanted).norm() / wanted.norm() for x in (back, painted)]
    assert apart[1] < 0.5 * apart[0]
