import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from backbones import BackboneError, weights
from backbones.spec import CAFFE, IMAGENET, Fetched, Progress
from backbones.weights import State
from tests.backbones.weights import weights_tiny as tiny
from tests.backbones.weights.weights_loopback import kept, sha256

STATE = tiny.state()


@dataclass(frozen=True)
class Given:
    """A source that has its tensors at hand, and no pin, as the hubs."""

    content: Mapping[str, object]
    sha256: str | None = None
    size: int | None = None

    def describe(self) -> str:
        return "this test"

    def fetch(self, folder: Path, progress: Progress | None) -> Fetched:
        if not self.content:
            raise BackboneError("nothing here")
        return Fetched(self.content, "5" * 64)


SET = tiny.weight_set(Given(STATE))
TINY = tiny.backbone(SET)


@pytest.fixture
def path() -> Path:
    """Where the set has just been pulled to."""
    return weights.pull(TINY, SET)


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def strip_notes(path: Path) -> None:
    save_file(load_file(path), path)


def break_notes(path: Path) -> None:
    save_file(load_file(path), path, {"nst": json.dumps({"backbone": "tiny"})})


DAMAGES = {
    "a bit in the tensors": lambda path: flip(path, -3),
    "a bit in the header": lambda path: flip(path, 9),
    "cut short": cut,
    "empty": lambda path: path.write_bytes(b""),
    "no notes": strip_notes,
    "broken notes": break_notes,
}


def test_the_folder_is_the_users_to_choose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert weights.cached_path(TINY, SET).parent == tmp_path / "cache" / "weights"
    monkeypatch.setenv("NST_CACHE", "~/elsewhere")
    assert weights.cache_folder() == Path.home() / "elsewhere"
    monkeypatch.setenv("NST_CACHE", "")
    assert weights.cache_folder().name == "nst"


def test_names_in_the_cache_tell_sources_apart() -> None:
    names = {
        weights.cached_path(TINY, each).name
        for each in (
            SET,
            replace(SET, source=Given(STATE, sha256="1" * 64)),
            replace(SET, preprocessing=CAFFE),
            replace(SET, convert=lambda content, template: dict(content)),
            replace(SET, name="other"),
        )
    }
    assert len(names) == 5
    assert weights.cached_path(TINY, replace(SET, licence="x")) == weights.cached_path(TINY, SET)


def test_an_unpinned_set_has_an_identity_once_it_is_there() -> None:
    assert weights.identity(TINY, SET) is None
    weights.pull(TINY, SET)
    assert weights.identity(TINY, SET) == weights.load(TINY, SET).sha256 == "5" * 64


def test_a_pinned_set_has_an_identity_at_once() -> None:
    pinned = replace(SET, source=Given(STATE, sha256="1" * 64))
    assert weights.identity(TINY, pinned) == "1" * 64


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_found_and_replaced(path: Path, damage) -> None:
    whole = path.read_bytes()
    damage(path)
    assert weights.verify(TINY, SET) is State.DAMAGED
    with pytest.raises(BackboneError, match=f"{path} is damaged, and --offline"):
        weights.load(TINY, SET, offline=True)
    assert tiny.same(weights.load(TINY, SET).tensors, STATE)
    assert path.read_bytes() == whole
    assert weights.verify(TINY, SET) is State.GOOD


def test_a_damaged_file_is_kept_where_no_other_can_be_had(path: Path) -> None:
    """Nothing better takes its place, so it stays for whoever wants to look at it."""
    gone = replace(SET, source=Given({}))
    cut(path)
    with pytest.raises(BackboneError, match="nothing here"):
        weights.load(TINY, gone)
    assert path.exists()


def test_offline_without_a_cached_file(nst_cache: Path) -> None:
    with pytest.raises(BackboneError, match=r"tiny:first: they are not in the cache \(.*first-"):
        weights.load(TINY, SET, offline=True)
    assert not nst_cache.exists()


def test_offline_with_a_cached_file(path: Path) -> None:
    assert weights.pull(TINY, SET, offline=True) == path


def test_tensors_that_do_not_fit_are_not_kept(nst_cache: Path) -> None:
    wrong = replace(SET, source=Given(STATE | {"features.0.bias": torch.zeros(5)}))
    with pytest.raises(BackboneError, match=r"tiny:first: tensors of the wrong shape"):
        weights.pull(TINY, wrong)
    assert kept(nst_cache) == []


def test_a_file_s_own_preprocessing_counts() -> None:
    class Knowing(Given):
        def fetch(self, folder: Path, progress: Progress | None) -> Fetched:
            return replace(super().fetch(folder, progress), preprocessing=CAFFE)

    chosen = replace(SET, source=Knowing(STATE))
    assert weights.load(TINY, chosen).preprocessing == CAFFE
    assert weights.load(TINY, chosen, offline=True).preprocessing == CAFFE


def test_a_cached_file_is_plain_safetensors(path: Path) -> None:
    assert tiny.same(load_file(path), STATE)


@pytest.mark.parametrize("wanted", [None, "first", "tiny:first"])
def test_a_set_by_name(wanted: str | None) -> None:
    assert weights.select(TINY, wanted) is SET


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("frist", "did you mean 'first'"),
        ("tiny:frist", "did you mean 'first'"),
        ("vgg19:gatys", "are for vgg19, not for tiny; sets for tiny: first"),
        ("", "unknown weight set"),
        ("gone.pth", r"gone\.pth does not exist"),
        ("~/gone.safetensors", "does not exist"),
        ("some/where", "does not exist"),
    ],
)
def test_a_set_that_is_not_there(wanted: str, told: str) -> None:
    with pytest.raises(BackboneError, match=told):
        weights.select(TINY, wanted)


def test_a_folder_or_foreign_file_is_no_weights_file(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match="is a folder"):
        weights.select(TINY, str(tmp_path))
    (tmp_path / "w.h5").touch()
    with pytest.raises(BackboneError, match=r"must end in \.pth"):
        weights.select(TINY, str(tmp_path / "w.h5"))


@pytest.mark.parametrize("name", ["my.pth", "my.pt", "MY.PTH", "my.safetensors"])
def test_a_local_file_is_read_in_place(
    tmp_path: Path, nst_cache: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    file = tmp_path / name
    if file.suffix == ".safetensors":
        save_file(STATE, file)
    else:
        file.write_bytes(tiny.saved(STATE | {"classifier.0.weight": torch.zeros(2)}))
    monkeypatch.chdir(tmp_path)
    chosen = weights.select(TINY, name)
    assert weights.cached_path(TINY, chosen) == weights.pull(TINY, chosen, offline=True) == file
    loaded = weights.load(TINY, chosen, offline=True)
    assert tiny.same(loaded.tensors, STATE)
    assert loaded.preprocessing == IMAGENET
    assert loaded.sha256 == weights.identity(TINY, chosen) == sha256(file.read_bytes())
    assert weights.verify(TINY, chosen) is State.GOOD
    assert not nst_cache.exists()


def test_a_file_of_the_cache_knows_its_preprocessing(tmp_path: Path) -> None:
    copy = tmp_path / "copy.safetensors"
    made = replace(SET, preprocessing=CAFFE)
    copy.write_bytes(weights.pull(TINY, made).read_bytes())
    assert weights.load(TINY, weights.select(TINY, str(copy))).preprocessing == CAFFE


@pytest.mark.parametrize(("name", "wanted"), [("imagenet", IMAGENET), ("caffe", CAFFE)])
def test_what_the_user_says_of_a_file_holds(tmp_path: Path, name: str, wanted: object) -> None:
    plain, knowing = tmp_path / "plain.safetensors", tmp_path / "knowing.safetensors"
    save_file(STATE, plain)
    knowing.write_bytes(weights.pull(TINY, replace(SET, preprocessing=CAFFE)).read_bytes())
    for file in (plain, knowing):
        chosen = weights.select(TINY, str(file), name)
        assert weights.load(TINY, chosen).preprocessing == wanted


@pytest.mark.parametrize("wanted", [None, "first", "tiny:first"])
def test_a_set_has_its_own_preprocessing(wanted: str | None) -> None:
    with pytest.raises(BackboneError, match="--preprocessing caffe is for a weights file of your"):
        weights.select(TINY, wanted, "caffe")


def test_a_known_file_got_by_hand_is_read_as_its_set(tmp_path: Path) -> None:
    def convert(content, template):
        return {name.removeprefix("x."): tensor for name, tensor in content.items()}

    data = tiny.saved({f"x.{name}": tensor for name, tensor in STATE.items()})
    source = Given({}, sha256=sha256(data))
    known = replace(tiny.weight_set(source, convert=convert), preprocessing=CAFFE)
    backbone = tiny.backbone(known)
    file = tmp_path / "downloaded.pth"
    file.write_bytes(data)
    chosen = weights.select(backbone, str(file))
    loaded = weights.load(backbone, chosen)
    assert tiny.same(loaded.tensors, STATE)
    assert (chosen.name, loaded.preprocessing) == ("first", CAFFE)
    assert loaded.sha256 == weights.identity(backbone, known)


def test_a_local_file_of_another_network(tmp_path: Path) -> None:
    file = tmp_path / "my.pth"
    file.write_bytes(tiny.saved({"layer.weight": torch.zeros(1)}))
    with pytest.raises(
        BackboneError, match=r"my\.pth does not fit tiny: missing .* features\.0\.weight, "
    ):
        weights.load(TINY, weights.select(TINY, str(file)))


def test_a_local_file_that_goes_away(tmp_path: Path) -> None:
    file = tmp_path / "my.pth"
    file.write_bytes(tiny.saved(STATE))
    chosen = weights.select(TINY, str(file))
    file.unlink()
    assert weights.verify(TINY, chosen) is State.ABSENT
    for act in (weights.pull, weights.load, weights.identity):
        with pytest.raises(BackboneError, match=r"my\.pth (does not exist|cannot be read)"):
            act(TINY, chosen)


def test_listing_and_checking_need_no_torch(path: Path) -> None:
    code = (
        "import sys, backbones; from backbones import weights\n"
        "for name in backbones.names():\n"
        "    backbone = backbones.get(name)\n"
        "    for each in backbone.weight_sets:\n"
        "        weights.select(backbone, each.name)\n"
        "        weights.identity(backbone, each), weights.verify(backbone, each)\n"
        f"from pathlib import Path; from backbones.weights import cachefile\n"
        f"cachefile.check(Path({str(path)!r}))\n"
        "assert 'torch' not in sys.modules and 'requests' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
