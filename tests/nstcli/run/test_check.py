import io
import os
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from nstcli.errors import InputError
from nstcli.run import check
from nstcli.run.check import Looked, look, look_at_all

Write = Callable[..., Path]


def test_a_sound_picture_is_as_large_as_it_is_seen(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    path = tmp_path / "turned.png"  # a JPEG, in truth
    Image.new("RGB", (30, 20)).save(path, "JPEG", exif=turned)
    found = look(path)
    assert (found.width, found.height) == (20, 30)
    assert found.notes == ("it is a JPEG file although its name ends in .png",)


def test_damage_behind_the_header_is_found(write_picture: Write) -> None:
    path = write_picture("photos/dog.jpg", 200, 300)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match=r"photos/dog\.jpg: image file is truncated"):
        look(path)


def test_more_pixels_than_allowed_are_refused(write_picture: Write) -> None:
    path = write_picture("a.png", 20, 30)
    assert look(path, max_pixels=600) == Looked(30, 20)
    with pytest.raises(
        InputError, match=r"a\.png: image has 600 pixels, the limit is 599; .*--max-"
    ):
        look(path, max_pixels=599)


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "gone.png").symlink_to("nowhere")
    cases = {
        "gone.png": "is a broken link",
        ".": "is a folder",
        "no.png": "cannot be read: No such",
    }
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        cases["pipe.png"] = "is a pipe, a socket or a device"
    for name, message in cases.items():
        with pytest.raises(InputError, match=message):
            look(tmp_path / name)


def test_every_path_is_told_of_once_in_order(write_picture: Write, tmp_path: Path) -> None:
    # Large ones first, so that the threads end in another order than they began in.
    paths = [write_picture(f"{n}.png", 400 - 40 * n, 400, seed=n) for n in range(9)]
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    paths.insert(4, bad)
    told = list(look_at_all([*paths, paths[0]]))
    assert [path for path, _ in told] == paths
    assert [p for p, found in told if isinstance(found, InputError)] == [bad]
    assert told[1][1] == Looked(400, 360)
    assert "starts like a text" in str(dict(told)[bad])


def test_several_are_decoded_at_a_time_but_large_ones_alone(
    write_picture: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write_picture(f"{n}.png", seed=n) for n in range(2)]
    both, patience, met = threading.Barrier(2), [60.0], []

    def decode(*given: object) -> object:
        try:
            met.append(both.wait(patience[0]))
        except threading.BrokenBarrierError:
            met.append(-1)
            both.reset()
        return real(*given)  # type: ignore[arg-type]

    real = check.images.decode
    monkeypatch.setattr(check.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(check.images, "decode", decode)
    list(look_at_all(paths))
    assert sorted(met) == [0, 1]
    met.clear()
    patience[0] = 0.2
    monkeypatch.setattr(check, "_LARGE", 0)
    list(look_at_all(paths))
    assert met == [-1, -1]


def test_a_bug_keeps_its_traceback_and_stops_the_rest(
    write_picture: Write, monkeypatch: pytest.MonkeyPatch, pool_is_left: threading.Event
) -> None:
    seen = []

    def decode(data: bytes, name: str, max_pixels: int) -> None:
        seen.append(name)
        if Path(name).name != "0.png":  # the rest takes its time: there is something to stop
            pool_is_left.wait(60)
        raise ZeroDivisionError

    monkeypatch.setattr(check.images, "decode", decode)
    paths = [write_picture(f"{n}.png") for n in range(40)]
    with pytest.raises(ZeroDivisionError):
        list(look_at_all(paths))
    assert len(seen) < 40


def test_whoever_stops_listening_stops_the_work(
    write_picture: Write, monkeypatch: pytest.MonkeyPatch, pool_is_left: threading.Event
) -> None:
    seen = []

    def decode(data: bytes, name: str, max_pixels: int) -> object:
        seen.append(name)
        if Path(name).name != "0.png":
            pool_is_left.wait(60)
        return real(data, name, max_pixels)

    real = check.images.decode
    monkeypatch.setattr(check.images, "decode", decode)
    told = look_at_all([write_picture(f"{n}.png", 300, 300) for n in range(40)])
    next(told)
    told.close()  # type: ignore[attr-defined]
    assert len(seen) < 40


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0"))
    (tmp_path / "bomb.png").write_bytes(data)
    (_, found), *_ = look_at_all([tmp_path / "bomb.png"])
    assert "3,600,000,000 pixels, the limit is 200,000,000" in str(found)


def test_pixels_are_forgotten(tmp_path: Path) -> None:
    import tracemalloc

    buffer = io.BytesIO()
    Image.new("RGB", (1000, 1000)).save(buffer, "PNG")
    paths = []
    for number in range(30):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(buffer.getvalue())
    tracemalloc.start()
    try:
        for _ in look_at_all(paths):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * 4 * 3_000_000  # four threads with a few copies each, of 30 pictures


def test_a_picture_that_may_not_be_looked_at_is_told(
    write_picture: Write, deny: Callable[[Path], None]
) -> None:
    path = write_picture("a.png", 20, 30)
    deny(path)
    with pytest.raises(InputError, match=r"a\.png: cannot be read: Permission denied"):
        look(path)
