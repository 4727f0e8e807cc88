import re
from dataclasses import dataclass
from enum import Enum

import pytest
import torch
import torchvision
from safetensors.torch import save

from backbones import Backbone, BackboneError, Layer, weights
from backbones.weights import builtin
from backbones.weights.sources import TimmWeights, TorchvisionWeights
from tests.backbones.weights import weights_tiny as tiny
from tests.backbones.weights.weights_loopback import Answer, Site, kept, sha256

STATE = tiny.state()
WEIGHTS = tiny.saved(STATE)


@dataclass
class Entry:
    url: str


class FakeWeights(Enum):
    """As torchvision's enums: a member whose value has the address."""

    V1 = Entry("")

    @property
    def url(self) -> str:
        return self.value.url


SOURCE = TorchvisionWeights(f"{__name__}:FakeWeights.V1")
SET = tiny.weight_set(SOURCE, name="torchvision")
TINY = tiny.backbone(SET)


@pytest.fixture
def hub(site: Site, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of the file on the hub, with the first digits of its hash in the name."""
    path = f"/models/tiny-{sha256(WEIGHTS)[:8]}.pth"
    monkeypatch.setattr(FakeWeights.V1.value, "url", site.url + path)
    site.answers[path] = Answer(WEIGHTS)
    return path


@pytest.mark.usefixtures("hub")
def test_torchvision_s_hub() -> None:
    assert weights.identity(TINY, SET) is None
    loaded = weights.load(TINY, SET)
    assert tiny.same(loaded.tensors, STATE)
    assert loaded.sha256 == weights.identity(TINY, SET) == sha256(WEIGHTS)


def test_a_file_that_belies_its_name_is_refused(site: Site, hub: str, nst_cache) -> None:
    site.answers[hub] = Answer(tiny.saved(tiny.state(1)))
    with pytest.raises(BackboneError, match=f"expected {sha256(WEIGHTS)[:8]}\n"):
        weights.pull(TINY, SET)
    assert kept(nst_cache) == []


@pytest.mark.usefixtures("hub")
def test_a_pin_counts_for_more_than_the_name() -> None:
    pinned = tiny.weight_set(TorchvisionWeights(SOURCE.enum, sha256="0" * 64))
    with pytest.raises(BackboneError, match=f"expected {'0' * 64}"):
        weights.pull(tiny.backbone(pinned), pinned)


def test_a_download_that_ends_early_is_refused_and_run_again(
    site: Site, hub: str, nst_cache
) -> None:
    site.answers[hub].cut = 100
    with pytest.raises(BackboneError, match=f"{hub} (could not be downloaded|has sha256)"):
        weights.pull(TINY, SET)
    assert kept(nst_cache) == []
    site.answers[hub].cut = None
    assert weights.pull(TINY, SET).exists()


@pytest.mark.parametrize("size", [None, 1000])
def test_a_download_that_goes_on_is_given_up(
    site: Site, hub: str, nst_cache, monkeypatch: pytest.MonkeyPatch, size: int | None
) -> None:
    """At the size that is known, or where none comes near, if the server does not say."""
    monkeypatch.setattr("backbones.weights.download.LIMIT", 5_000_000)
    chosen = tiny.weight_set(TorchvisionWeights(SOURCE.enum, size=size), name="torchvision")
    site.answers[hub] = Answer(WEIGHTS + bytes(20_000_000), headers={"Content-Length": ""})
    with pytest.raises(BackboneError, match=f"sends more than the {1010 if size else 5000000} "):
        weights.pull(tiny.backbone(chosen), chosen)
    assert kept(nst_cache) == []


def test_a_hub_without_the_file(site: Site, hub: str) -> None:
    site.answers[hub].status = 403
    with pytest.raises(BackboneError, match=f"{hub} could not be downloaded: 403"):
        weights.pull(TINY, SET)


def test_a_hub_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeWeights.V1.value, "url", "http://127.0.0.1:9/x-00000000.pth")
    with pytest.raises(BackboneError, match=r"tiny:torchvision: .*: Failed to establish"):
        weights.pull(TINY, SET)


@pytest.mark.parametrize("enum", ["torchvision.models:VGG11_Weights.V9", "nowhere_at_all:A.B"])
def test_weights_that_torchvision_does_not_have(enum: str) -> None:
    chosen = tiny.weight_set(TorchvisionWeights(enum))
    with pytest.raises(BackboneError, match=f"no weights {enum}"):
        weights.pull(tiny.backbone(chosen), chosen)


OURS = [
    each.source
    for sets in (builtin.VGG19, builtin.VGG16, builtin.SQUEEZENET, builtin.MOBILENET)
    for each in sets
    if isinstance(each.source, TorchvisionWeights)
]


@pytest.mark.parametrize("source", OURS, ids=lambda source: source.enum)
def test_torchvision_s_sets_are_pinned_in_full_and_as_torchvision_says(
    source: TorchvisionWeights,
) -> None:
    """The digits in its file names and the sizes that it states are those of our pins."""
    weights = torch.hub.HASH_REGEX.search(source._url())
    assert weights is not None
    assert source.sha256 is not None
    assert re.fullmatch(f"{weights[1]}[0-9a-f]{{56}}", source.sha256)
    enum = torchvision.models.get_weight(source.enum.partition(":")[2])
    assert source.size == pytest.approx(enum.meta["_file_size"] * 2**20, rel=2e-3)


MODEL = "test_efficientnet"  # timm's own, made for tests: 0.4 million parameters


def build() -> torch.nn.Module:
    import timm

    return timm.create_model(MODEL)


TIMM = tiny.weight_set(TimmWeights(MODEL), name="timm")
SMALL = Backbone(
    name="small",
    description="timm's test model",
    build=build,
    layers=(Layer("stem", "conv_stem", "conv", 16, 2, 3),),
    content_layers={"stem": 1.0},
    style_layers={"stem": 1.0},
    weight_sets=(TIMM,),
)
HUB_FILE = "/timm/test_efficientnet.r160_in1k/resolve/main/model.safetensors"


@pytest.fixture
def timm_hub(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The hub client reads its address once, from the environment; a test has to be ruder."""
    from huggingface_hub import constants

    template = site.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", site.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    return site


def test_timm_s_hub(timm_hub: Site, nst_cache, capfd: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(7)
    state = dict(build().state_dict())
    data = save(state)
    timm_hub.answers[HUB_FILE] = Answer(
        data, headers={"ETag": f'"{sha256(data)}"', "X-Repo-Commit": "c" * 40}
    )
    loaded = weights.load(SMALL, TIMM)
    assert tiny.same(loaded.tensors, state)
    assert loaded.sha256 == weights.identity(SMALL, TIMM)
    assert kept(nst_cache) == [weights.cached_path(SMALL, TIMM).name]
    assert capfd.readouterr() == ("", "")


def test_timm_s_hub_without_the_model(
    timm_hub: Site, nst_cache, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BackboneError, match=f"timm could not load {MODEL}"):
        weights.load(SMALL, TIMM)
    assert timm_hub.requests
    assert kept(nst_cache) == []
    assert capfd.readouterr() == ("", "")


def test_a_model_that_timm_does_not_have() -> None:
    chosen = tiny.weight_set(TimmWeights("no_such_network"))
    with pytest.raises(BackboneError, match="no_such_network"):
        weights.pull(tiny.backbone(chosen), chosen)
