"""Pillow's settings while several threads read."""

import contextlib
import io
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from nstcli.errors import InputError
from nstcli.images import decode, pillow_settings
from nstcli.images.pillow_settings import reading, writing


def test_settings_come_back_when_the_last_of_several_threads_is_done():
    before = (Image.MAX_IMAGE_PIXELS, list(warnings.filters))
    inside, leave = threading.Event(), threading.Event()

    def other():
        with reading():
            inside.set()
            leave.wait(60)

    thread = threading.Thread(target=other)
    with reading():
        thread.start()
        assert inside.wait(60)  # it need not wait for us
    assert Image.MAX_IMAGE_PIXELS is None  # the other one still reads
    leave.set()
    thread.join(60)
    assert before == (Image.MAX_IMAGE_PIXELS, list(warnings.filters))


def test_reading_within_reading_and_after_an_error():
    before = Image.MAX_IMAGE_PIXELS
    for _ in range(2):
        try:
            with reading(), reading():
                assert Image.MAX_IMAGE_PIXELS is None
                raise ValueError
        except ValueError:
            assert before == Image.MAX_IMAGE_PIXELS


def test_warnings_are_kept_off_the_screen():
    with reading():
        warnings.warn("a broken tag", stacklevel=1)  # else an error, here


def test_a_larger_buffer_is_given_for_a_moment():
    before = ImageFile.MAXBLOCK
    with writing(10 * before):
        assert 10 * before == ImageFile.MAXBLOCK
    with writing(1):
        assert before == ImageFile.MAXBLOCK
    assert before == ImageFile.MAXBLOCK


def _flipped_tiff() -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "TIFF", compression="tiff_adobe_deflate")
    data = bytearray(buffer.getvalue())
    data[len(data) // 2] ^= 0xFF
    return bytes(data)


@pytest.mark.skipif(sys.platform == "win32", reason="libtiff is built into Pillow there")
def test_libtiff_is_quiet_while_we_read_and_no_longer(capfd: pytest.CaptureFixture[str]) -> None:
    data = _flipped_tiff()
    with reading(), contextlib.suppress(OSError):
        Image.open(io.BytesIO(data)).load()
    assert capfd.readouterr().err == ""
    with contextlib.suppress(OSError):
        Image.open(io.BytesIO(data)).load()
    assert "ZIPDecode" in capfd.readouterr().err  # whoever else uses Pillow here may want it


def test_where_libtiff_cannot_be_reached_reading_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Without:
        def __init__(self, path: str) -> None:
            pass

    monkeypatch.setattr(pillow_settings.ctypes, "CDLL", Without)
    with reading():
        assert Image.MAX_IMAGE_PIXELS is None


def test_what_pillow_logs_is_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    code = (
        "import logging, nstcli.images; "
        "logging.getLogger('PIL.TiffImagePlugin').error('more samples')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert capfd.readouterr().err == ""


def test_texts_of_photo_editors_are_no_damage():
    """A megabyte is Pillow's own limit; XMP with a history of edits has more."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", "history " * 700_000, zip=True)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=info)
    before = PngImagePlugin.MAX_TEXT_CHUNK
    assert decode(buffer.getvalue(), "a.png").rgb.shape == (8, 8, 3)
    assert before == PngImagePlugin.MAX_TEXT_CHUNK


def test_texts_without_end_are_still_refused():
    info = PngImagePlugin.PngInfo()
    info.add_itxt("Comment", "x" * (PngImagePlugin.MAX_TEXT_MEMORY + 1), zip=True)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=info)
    with pytest.raises(InputError, match=r"^a\.png: "):
        decode(buffer.getvalue(), "a.png")
