"""The real networks: LPIPS against torchmetrics', and judgements that anybody would agree with.

Weights are downloaded once per run, or taken from $NST_CACHE where that is set.
"""

import os
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import pytest
import skimage
import torch
from scipy.ndimage import gaussian_filter
from skimage.transform import resize
from torch import Tensor

import backbones
from backbones.hooks import FeatureExtractor
from nstcli.engine.precision import adapted
from nstcli.engine.stylize import Scale, stylize
from nstcli.engine.targets import read_content, read_style
from nstcli.measures import Metrics
from nstcli.metrics.judge import Judge
from nstcli.metrics.lpips import Lpips
from nstcli.recipe import DEFAULT, resolve

pytestmark = pytest.mark.network


@pytest.fixture(scope="module", autouse=True)
def real_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if not os.environ.get("NST_CACHE"):
            patch.setenv("NST_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def lpips(real_cache: None) -> Lpips:
    return Lpips.load()


@pytest.fixture(scope="module", params=["vgg16", "vgg19"])
def judge(request: pytest.FixtureRequest, real_cache: None) -> Judge:
    return Judge.load(request.param)


def tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float().clamp(0, 1).contiguous()


def photo(name: str, height: int = 96, width: int = 128) -> Tensor:
    """(1, 3, H, W), RGB in [0, 1]."""
    pixels = getattr(skimage.data, name)()[..., :3]
    return tensor(resize(pixels, (height, width), anti_aliasing=True))


def strokes(image: Tensor) -> Tensor:
    """Blur a picture along diagonals, as if it had been painted."""
    pixels = image[0].permute(1, 2, 0).numpy()
    noise = np.random.default_rng(0).normal(0, 1, pixels.shape[:2])
    along = sum(np.roll(noise, (k, k), (0, 1)) for k in range(-6, 7)) / 13
    return tensor(gaussian_filter(pixels, (1.5, 1.5, 0)) + 0.5 * along[..., None])


def distance(lpips: Lpips, a: Tensor, b: Tensor) -> float:
    """Let the network see both and compare."""
    return lpips.distance(*(lpips.scaled(lpips.extractor(x, lpips.heads)) for x in (a, b)))


@pytest.fixture(scope="module")
def theirs(lpips: Lpips) -> torch.nn.Module:
    """torchmetrics' LPIPS with its own heads, and our VGG-16 in place of a hub's."""
    from torchmetrics.functional.image.lpips import _LPIPS

    made = _LPIPS(net="vgg", pnet_rand=True)
    features = lpips.extractor.network.features
    for part in (made.net.slice1, made.net.slice2, made.net.slice3, made.net.slice4):
        for name, module in part.named_children():
            module.load_state_dict(features[int(name)].state_dict())
    for name, module in made.net.slice5.named_children():
        module.load_state_dict(features[int(name)].state_dict())
    return made.eval()


@pytest.mark.parametrize("shape", [(64, 64), (96, 128), (33, 47), (200, 151)])
@pytest.mark.parametrize("other", ["coffee", "noise", "gray"])
def test_lpips_is_torchmetrics(
    lpips: Lpips, theirs: torch.nn.Module, shape: tuple[int, int], other: str
) -> None:
    a = photo("chelsea", *shape)
    b = {
        "coffee": photo("coffee", *shape),
        "noise": (a + 0.2 * torch.randn(a.shape, generator=torch.Generator().manual_seed(0))),
        "gray": torch.full_like(a, 0.5),
    }[other].clamp(0, 1)
    with torch.inference_mode():
        expected = theirs(a, b, normalize=True).item()
    assert expected > 0.05
    assert distance(lpips, a, b) == pytest.approx(expected, abs=1e-4)


def test_lpips_sees_what_people_see(lpips: Lpips) -> None:
    """The same squared difference as light, as blur and as noise: only the first looks fine."""
    image = photo("chelsea", 192, 256)
    blurred = tensor(gaussian_filter(image[0].permute(1, 2, 0).numpy(), (1.0, 1.0, 0)))
    strength = (blurred - image).square().mean().sqrt()
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    spoiled = (image, image + strength, blurred, image + strength * noise)
    same, lighter, *worse = (distance(lpips, image, x.clamp(0, 1)) for x in spoiled)
    assert same == 0
    assert 0 < lighter < 0.01
    assert all(0.1 < found < 0.2 for found in worse)


def test_a_picture_on_its_way_lies_between_the_baselines(judge: Judge) -> None:
    content, style = photo("astronaut"), strokes(photo("coffee"))
    comparison = judge.pair(content, style).compare(0.5 * strokes(content) + 0.5 * content)
    for name in ("content_error", "lpips"):
        kept, found, lost = (getattr(x, name) for x in three(comparison))
        assert kept == 0 < found < lost
    assert comparison.content.ssim > comparison.picture.ssim > comparison.style.ssim
    for name in ("style_error", "frechet"):
        untouched, found, taken = (getattr(x, name) for x in three(comparison))
        assert untouched > found > taken


def three(comparison: object) -> list[Metrics]:
    return [getattr(comparison, name) for name in ("content", "picture", "style")]


def test_optimizing_for_the_style_brings_every_style_figure_nearer(judge: Judge) -> None:
    """SqueezeNet makes the picture, and networks that had no part in it agree that it is nearer."""
    backbone = backbones.get("squeezenet")
    extractor = FeatureExtractor.load(backbone, backbone.weight_set())
    recipe = resolve(backbone, "0" * 64, {**DEFAULT, "steps": 40, "size": 128, "scales": 1})
    adapted(extractor, recipe)
    content, style = photo("astronaut"), photo("coffee")
    scale = Scale(read_content(extractor, content, recipe), read_style(extractor, [style], recipe))
    comparison = judge.pair(content, style).compare(stylize(extractor, [scale], recipe).image)
    made, before = asdict(comparison.picture), asdict(comparison.content)
    for name in ("style_error", "frechet", "color"):
        assert made[name] < before[name], name
    assert comparison.picture.content_error < comparison.style.content_error
    assert comparison.picture.lpips < comparison.style.lpips
    assert comparison.picture.ssim > comparison.style.ssim


def test_the_smallest_pictures_are_judged(judge: Judge) -> None:
    edge = 32
    comparison = judge.pair(photo("astronaut", edge, edge), photo("coffee", edge, 40)).compare(
        photo("chelsea", edge, edge)
    )
    assert all(np.isfinite(list(asdict(x).values())).all() for x in three(comparison))
