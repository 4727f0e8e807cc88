"""The real networks: LPIPS and DISTS against torchmetrics', and judgements all would agree with.

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
from nstcli.measures import MEASURES, Metrics
from nstcli.metrics.dists import Dists
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


@pytest.fixture(scope="module", params=["vgg16 mobilenet", "vgg19 alexnet"])
def judge(request: pytest.FixtureRequest, real_cache: None) -> Judge:
    return Judge.load(*request.param.split())


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
def alex(real_cache: None) -> Lpips:
    return Lpips.load_alex()


@pytest.fixture(scope="module")
def dists(real_cache: None) -> Dists:
    return Dists.load()


def theirs(ours: Lpips, net: str) -> torch.nn.Module:
    """Make torchmetrics' LPIPS with its own heads, and our network in place of a hub's."""
    from torchmetrics.functional.image.lpips import _LPIPS

    made = _LPIPS(net=net, pnet_rand=True)
    features = ours.extractor.network.features
    for number in range(1, 6):
        for name, module in getattr(made.net, f"slice{number}").named_children():
            module.load_state_dict(features[int(name)].state_dict())
    return made.eval()


def spoiled(image: Tensor, other: str) -> Tensor:
    """Return another picture of the same shape."""
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    return {
        "coffee": photo("coffee", *image.shape[2:]),
        "noise": image + 0.2 * noise,
        "gray": torch.full_like(image, 0.5),
    }[other].clamp(0, 1)


SHAPES = [(64, 64), (96, 128), (33, 47), (200, 151)]
OTHERS = ["coffee", "noise", "gray"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("net", ["vgg", "alex"])
def test_lpips_is_torchmetrics(
    lpips: Lpips, alex: Lpips, net: str, shape: tuple[int, int], other: str
) -> None:
    ours = {"vgg": lpips, "alex": alex}[net]
    a = photo("chelsea", *shape)
    b = spoiled(a, other)
    with torch.inference_mode():
        expected = theirs(ours, net)(a, b, normalize=True).item()
    assert expected > 0.05
    assert distance(ours, a, b) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("other", OTHERS)
def test_dists_is_torchmetrics(
    lpips: Lpips,
    dists: Dists,
    shape: tuple[int, int],
    other: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Theirs has its own factors, and our VGG-16 in place of a hub's."""
    from torchmetrics.functional.image import dists as module

    monkeypatch.setattr(module, "vgg16", lambda **_: lpips.extractor.network)
    a = photo("chelsea", *shape)
    b = spoiled(a, other)
    expected = module.DISTSNetwork()(a, b).item()
    assert expected > 0.05
    with torch.no_grad():
        assert dists.distance(dists.read(a), dists.read(b)) == pytest.approx(expected, abs=1e-4)


def test_dists_takes_a_texture_for_the_same_elsewhere_and_lpips_does_not(
    lpips: Lpips, dists: Dists
) -> None:
    """Two cuttings of one texture, and one of it with a blur, as in the paper's first figure."""
    grass = skimage.data.grass()[:, :, None].repeat(3, 2) / 255
    here, elsewhere = (tensor(grass[y : y + 192, y : y + 192]) for y in (0, 256))
    blurred = tensor(gaussian_filter(here[0].permute(1, 2, 0).numpy(), (1.0, 1.0, 0)))
    with torch.no_grad():
        first, second, third = (dists.read(x) for x in (here, elsewhere, blurred))
    assert dists.distance(first, second) < dists.distance(first, third)
    assert distance(lpips, here, elsewhere) > distance(lpips, here, blurred)


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


# A face is there or not, and in the smallest of these pictures it is not.
GRADUAL = {name: measure for name, measure in MEASURES.items() if name != "faces"}


def test_a_face_is_kept_or_lost(judge: Judge) -> None:
    pair = judge.pair(photo("astronaut", 256, 256), photo("coffee", 256, 256))
    assert (pair.content.faces, pair.style.faces) == (1, 0)
    washed = 0.4 * photo("astronaut", 256, 256) + 0.3
    assert pair.measure(washed).faces == 1
    assert np.isnan(judge.pair(photo("coffee"), photo("astronaut")).content.faces)


def test_a_picture_on_its_way_lies_between_the_baselines(judge: Judge) -> None:
    content, style = photo("astronaut"), strokes(photo("coffee"))
    comparison = judge.pair(content, style).compare(0.5 * strokes(content) + 0.5 * content)
    for name, measure in GRADUAL.items():
        values = [getattr(each, name) for each in three(comparison)]
        worse = -1 if measure.best is max else 1
        untouched, found, taken = (worse * value for value in values)
        if measure.near == "content":
            assert untouched < found < taken, name
        elif name != "color":  # noise along diagonals has none
            assert untouched > found > taken, name


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
    taken = asdict(comparison.style)
    for name, measure in GRADUAL.items():
        if measure.near == "style":
            assert made[name] < before[name], name
        else:
            assert measure.best((made[name], taken[name])) == made[name], name


def test_the_smallest_pictures_are_judged(judge: Judge) -> None:
    edge = 32
    comparison = judge.pair(photo("astronaut", edge, edge), photo("coffee", edge, 40)).compare(
        photo("chelsea", edge, edge)
    )
    assert all(np.isfinite([asdict(x)[name] for name in GRADUAL]).all() for x in three(comparison))
