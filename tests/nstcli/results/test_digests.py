"""`Digests`: the true sha256 each time, and unchanged files are not read."""

import hashlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from nstcli.errors import InputError
from nstcli.results import digests
from nstcli.results.digests import Digests

REST = 0.02  # seconds, more than a tick of a kernel's clock (at most 10 ms)

posix = pytest.mark.skipif(os.name == "nt", reason="every file is read on Windows")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Shorten the minute of rest, and list what is read."""
    names: list[str] = []
    real = hashlib.file_digest

    def noted(stream: Any, kind: str) -> Any:
        names.append(Path(stream.name).name)
        return real(stream, kind)

    monkeypatch.setattr(hashlib, "file_digest", noted)
    monkeypatch.setattr(digests, "_REST_SECONDS", REST)
    return names


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"old")
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "digests.json"


def rest() -> None:
    time.sleep(2 * REST)


@posix
def test_a_file_at_rest_is_read_once(photo: Path, cache: Path, reads: list[str]) -> None:
    rest()
    known = Digests(cache)
    assert [known.digest(photo) for _ in range(3)] == [sha256(b"old")] * 3
    known.save()
    assert Digests(cache).digest(photo) == sha256(b"old")
    assert reads == ["photo.jpg"]


def test_a_new_file_is_read_each_time(
    photo: Path, cache: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could change once more within the tick of the clock, and look the same."""
    monkeypatch.setattr(digests, "_REST_SECONDS", 60)
    known = Digests(cache)
    for data in (b"old", b"new"):
        photo.write_bytes(data)
        assert known.digest(photo) == sha256(data)
        assert known.digest(photo) == sha256(data)
    assert len(reads) == 4


def test_the_margin_covers_clocks_that_differ() -> None:
    assert digests._REST_SECONDS >= 60


@posix
def test_a_file_from_the_future_is_read_each_time(
    photo: Path, cache: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rest()
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 3600 * 10**9)
    known = Digests(cache)
    known.digest(photo)
    known.digest(photo)
    assert len(reads) == 2


@posix
def test_a_camera_whose_clock_is_fast_costs_nothing(
    photo: Path, cache: Path, reads: list[str]
) -> None:
    """The time of modification travels with a copy; that of the change is ours."""
    os.utime(photo, (2**32, 2**32))
    rest()
    known = Digests(cache)
    known.digest(photo)
    known.digest(photo)
    assert len(reads) == 1


@posix
def test_a_file_that_changes_while_it_is_read_is_not_remembered(
    photo: Path, cache: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = hashlib.file_digest

    def late(stream: Any, kind: str) -> Any:
        found = real(stream, kind)
        photo.write_bytes(b"new")
        return found

    rest()
    known = Digests(cache)
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", late)
        known.digest(photo)
    known.save()
    assert not cache.exists()
    rest()
    assert known.digest(photo) == sha256(b"new")
    known.save()
    assert Digests(cache).digest(photo) == sha256(b"new")


@posix
@pytest.mark.parametrize("field", range(5))
def test_every_part_of_the_look_counts(
    photo: Path, cache: Path, reads: list[str], field: int
) -> None:
    rest()
    known = Digests(cache)
    known.digest(photo)
    known.save()
    text = json.loads(cache.read_bytes())
    text["files"][str(photo)][field] += 1
    cache.write_text(json.dumps(text), "utf-8")
    Digests(cache).digest(photo)
    assert len(reads) == 2


@posix
@pytest.mark.parametrize("step", [10_000_000, 1_000_000_000, 2_000_000_000])
def test_coarse_times_are_not_trusted(
    photo: Path, cache: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """FAT and exFAT have no time of change."""
    real = digests._stat_of

    def coarse(stream: Any) -> Any:
        size, mtime, _, inode, device = real(stream)
        return size, mtime, mtime // step * step, inode, device

    monkeypatch.setattr(digests, "_stat_of", coarse)
    known = Digests(cache)
    rest()
    known.digest(photo)
    known.digest(photo)
    assert len(reads) == 2


def test_without_a_time_of_change_every_file_is_read(
    photo: Path, cache: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rest()
    first = Digests(cache)
    first.digest(photo)
    first.save()
    monkeypatch.setattr(digests, "_HAS_CHANGE_TIME", False)
    known = Digests(cache)
    known.digest(photo)
    known.digest(photo)
    assert len(reads) == 3


@posix
def test_relative_paths_are_those_of_the_moment(
    photo: Path, cache: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / photo.name).write_bytes(b"other")
    rest()
    known = Digests(cache)
    monkeypatch.chdir(tmp_path)
    assert known.digest(Path(photo.name)) == known.digest(photo) == sha256(b"old")
    assert len(reads) == 1
    monkeypatch.chdir(tmp_path / "other")
    assert known.digest(Path(photo.name)) == sha256(b"other")


@posix
def test_a_link_that_is_turned_elsewhere(photo: Path, cache: Path, reads: list[str]) -> None:
    other, link = photo.with_name("other.jpg"), photo.with_name("link.jpg")
    other.write_bytes(b"new")
    os.utime(other, ns=(photo.stat().st_atime_ns, photo.stat().st_mtime_ns))
    link.symlink_to(photo)
    rest()
    known = Digests(cache)
    assert known.digest(link) == sha256(b"old")
    link.unlink()
    link.symlink_to(other)
    assert known.digest(link) == sha256(b"new")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "cannot be read: No such file"),
        ("broken link", "cannot be read: No such file"),
        ("loop", "cannot be read: .*symbolic links"),
        ("folder", "is not a regular file"),
        ("pipe", "is not a regular file"),
    ],
)
@posix
def test_what_cannot_be_read_has_no_digest(
    tmp_path: Path, cache: Path, kind: str, message: str
) -> None:
    path = tmp_path / "x.png"
    match kind:
        case "broken link":
            path.symlink_to("gone.png")
        case "loop":
            path.symlink_to(path)
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
    with pytest.raises(InputError, match=message):
        Digests(cache).digest(path)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_known_file_that_was_locked_away(photo: Path, cache: Path, reads: list[str]) -> None:
    rest()
    known = Digests(cache)
    known.digest(photo)
    photo.chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        known.digest(photo)


@posix
def test_files_that_are_gone_are_forgotten(photo: Path, cache: Path, reads: list[str]) -> None:
    other = photo.with_name("other.jpg")
    other.write_bytes(b"other")
    rest()
    known = Digests(cache)
    known.of([photo, other])
    photo.unlink()
    known.save()
    assert list(json.loads(cache.read_bytes())["files"]) == [str(other)]


@posix
def test_nothing_new_writes_nothing(photo: Path, cache: Path, reads: list[str]) -> None:
    Digests(cache).save()
    assert not cache.exists()
    rest()
    known = Digests(cache)
    known.digest(photo)
    known.save()
    cache.chmod(0o444)
    before = cache.stat().st_ino
    known.save()
    again = Digests(cache)
    again.digest(photo)
    again.save()
    assert cache.stat().st_ino == before


@posix
def test_names_that_are_not_utf8(tmp_path: Path, cache: Path, reads: list[str]) -> None:
    paths = [tmp_path / os.fsdecode(name) for name in (b"caf\xe9.jpg", "é\n\"'🎨.jpg".encode())]
    for path in paths:
        path.write_bytes(os.fsencode(path))
    rest()
    known = Digests(cache)
    known.of(paths)
    known.save()
    cache.read_bytes().decode("ascii")
    found = Digests(cache).of(paths)
    assert found == {path: sha256(os.fsencode(path)) for path in paths}
    assert len(reads) == 2


WRONG = "0" * 64
# What may become of a cache file; PATH and LOOK stand for the photo's.
DAMAGED = {
    "empty": "",
    "half": '{"version":1,"files":{"PATH":[LOOK,',
    "no JSON": "\x00",
    "deep": "[" * 100_000,
    "list": "[]",
    "null": "null",
    "no version": f'{{"files":{{"PATH":[LOOK,"{WRONG}"]}}}}',
    "other version": f'{{"version":2,"files":{{"PATH":[LOOK,"{WRONG}"]}}}}',
    "no files": '{"version":1}',
    "files a list": f'{{"version":1,"files":["PATH",[LOOK,"{WRONG}"]]}}',
    "entry a number": '{"version":1,"files":{"PATH":1}}',
    "short entry": '{"version":1,"files":{"PATH":[LOOK]}}',
    "long entry": f'{{"version":1,"files":{{"PATH":[LOOK,"{WRONG}",1]}}}}',
    "number for a digest": '{"version":1,"files":{"PATH":[LOOK,7]}}',
    "no digest": '{"version":1,"files":{"PATH":[LOOK,"sha"]}}',
    "half a digest": f'{{"version":1,"files":{{"PATH":[LOOK,"{WRONG[:63]}"]}}}}',
}


@posix
@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_cache_file_counts_as_empty(
    photo: Path, cache: Path, reads: list[str], text: str
) -> None:
    with photo.open("rb", buffering=0) as stream:
        look = ",".join(map(str, digests._stat_of(stream)))
    cache.write_text(text.replace("PATH", str(photo)).replace("LOOK", look), "utf-8")
    rest()
    known = Digests(cache)
    assert known.digest(photo) == sha256(b"old")
    known.save()
    assert list(json.loads(cache.read_bytes())["files"]) == [str(photo)]


@posix
def test_what_a_file_looks_like(photo: Path) -> None:
    found = photo.stat()
    with photo.open("rb", buffering=0) as stream:
        look = digests._stat_of(stream)
    assert look[:3] == (found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    assert look[3:] == (found.st_ino, found.st_dev)


@posix
def test_a_cache_that_cannot_be_written_is_no_failure(
    photo: Path, tmp_path: Path, reads: list[str]
) -> None:
    rest()
    known = Digests(tmp_path / "gone" / "digests.json")
    known.digest(photo)
    known.save()
    assert not (tmp_path / "gone").exists()
    (tmp_path / "gone").mkdir()
    known.save()
    assert (tmp_path / "gone" / "digests.json").exists()


@posix
def test_without_a_cache_file_it_remembers_for_itself(
    photo: Path, tmp_path: Path, reads: list[str]
) -> None:
    rest()
    known = Digests(None)
    assert [known.digest(photo) for _ in range(2)] == [sha256(b"old")] * 2
    known.save()
    assert len(reads) == 1
    assert list(tmp_path.iterdir()) == [photo]


def test_many_at_once_keep_their_order(tmp_path: Path, cache: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in (3, 1, 4, 1, 5, 9, 2, 6)]
    for path in paths[1:]:
        path.write_bytes(path.name.encode())
    found = Digests(cache).of(paths)
    assert list(found) == list(dict.fromkeys(paths))
    assert str(found.pop(paths[0])) == "cannot be read: No such file or directory"
    assert found == {path: sha256(path.name.encode()) for path in paths[1:]}
    assert Digests(cache).of([]) == {}


def test_an_interruption_leaves_the_rest_unread(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, pool_is_left: threading.Event
) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(50)]
    seen: list[Path] = []

    def interrupted(self: Digests, path: Path) -> str:
        seen.append(path)
        if path == paths[0]:
            raise KeyboardInterrupt
        pool_is_left.wait(60)
        return ""

    monkeypatch.setattr(Digests, "digest", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Digests(cache).of(paths)
    assert len(seen) < 40


BODIES = st.binary(min_size=1, max_size=3)


class Files(RuleBasedStateMachine):
    """Whatever happens to a few files, the digest is that of the bytes."""

    NAMES = ("a", "b", "c")

    def __init__(self) -> None:
        super().__init__()
        self.scratch = tempfile.TemporaryDirectory(prefix="nst-digests-")
        self.folder = Path(self.scratch.name)
        self.known = Digests(self.folder / "digests.json")
        for name in self.NAMES:
            (self.folder / name).write_bytes(b"one")

    names = st.sampled_from(NAMES)

    def times(self, path: Path) -> tuple[int, int]:
        found = path.stat()
        return found.st_atime_ns, found.st_mtime_ns

    @rule(name=names, data=BODIES, restore=st.booleans())
    def write(self, name: str, data: bytes, restore: bool) -> None:
        path = self.folder / name
        before = self.times(path)
        path.write_bytes(data)
        if restore:
            os.utime(path, ns=before)

    @rule(name=names, restore=st.booleans())
    def change_one_byte_in_place(self, name: str, restore: bool) -> None:
        path = self.folder / name
        before = self.times(path)
        with path.open("r+b") as stream:
            first = stream.read(1)
            stream.seek(0)
            stream.write(bytes([(first[0] + 1) % 256]))
        if restore:
            os.utime(path, ns=before)

    @rule(name=names, data=BODIES)
    def append(self, name: str, data: bytes) -> None:
        with (self.folder / name).open("ab") as stream:
            stream.write(data)

    @rule(name=names, data=BODIES)
    def replace(self, name: str, data: bytes) -> None:
        new = self.folder / "new"
        new.write_bytes(data)
        os.utime(new, ns=self.times(self.folder / name))
        new.replace(self.folder / name)

    @rule(name=names, other=names)
    def move(self, name: str, other: str) -> None:
        if name != other:
            path = self.folder / name
            path.replace(self.folder / other)
            path.write_bytes(b"two")
            os.utime(path, ns=self.times(self.folder / other))

    @rule(name=names)
    def remove_and_make_again(self, name: str) -> None:
        path = self.folder / name
        before = self.times(path)
        size = path.stat().st_size
        path.unlink()
        path.write_bytes(os.urandom(size))
        os.utime(path, ns=before)

    @rule(times=st.integers(1, 2))
    def wait(self, times: int) -> None:
        time.sleep(times * 0.6 * REST)

    @rule()
    def run_again(self) -> None:
        self.known.save()
        self.known = Digests(self.folder / "digests.json")

    @rule(chosen=st.sets(names, min_size=1))
    def ask(self, chosen: set[str]) -> None:
        paths = [self.folder / name for name in chosen]
        assert self.known.of(paths) == {path: sha256(path.read_bytes()) for path in paths}

    def teardown(self) -> None:
        self.ask(set(self.NAMES))
        self.scratch.cleanup()


@posix
def test_whatever_happens_to_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_REST_SECONDS", REST)
    run_state_machine_as_test(Files, settings=settings(max_examples=25, stateful_step_count=40))


@posix
def test_a_remembered_file_that_may_not_be_looked_at_is_forgotten(
    photo: Path, cache: Path, reads: list[str], deny: Callable[[Path], None]
) -> None:
    rest()
    known = Digests(cache)
    other = photo.with_name("other.jpg")
    other.write_bytes(b"new")
    rest()
    known.digest(photo)
    known.digest(other)
    deny(other)
    known.save()
    assert set(json.loads(cache.read_bytes())["files"]) == {str(photo)}
