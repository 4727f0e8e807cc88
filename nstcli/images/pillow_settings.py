"""Pillow's process-wide settings, changed only for a moment and put back."""

import ctypes
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from PIL import Image, ImageFile, PngImagePlugin, _imaging

# Settings and warning filters belong to the whole process; two threads that change and restore
# them in turn could leave the changed ones behind.
_LOCK = threading.Lock()
_WRITING = threading.RLock()

# Without a handler of anybody's, Python would print what Pillow logs of a damaged file.
logging.getLogger("PIL").addHandler(logging.NullHandler())

# What puts the settings back, and how many threads still read.
_restoring = ExitStack()
_readers = 0


@contextmanager
def reading() -> Iterator[None]:
    """Let Pillow open images of any size, and keep its warnings off the screen.

    Pillow warns of broken EXIF tags, odd palettes and large images, and libtiff tells the standard
    error stream of every damage; what matters to the user is said in `Picture.notes` or as an
    InputError instead. The limit of pixels is for the caller to
    check, between header and pixels. Several threads may read at a time: the first changes the
    settings, the last puts them back.
    """
    global _readers
    with _LOCK:
        if not _readers:
            _restoring.enter_context(_settings_for_reading())
        _readers += 1
    try:
        yield
    finally:
        with _LOCK:
            _readers -= 1
            if not _readers:
                _restoring.close()


@contextmanager
def writing(buffer_bytes: int) -> Iterator[None]:
    """Give Pillow's encoders a buffer of at least `buffer_bytes`."""
    with _WRITING:
        before = ImageFile.MAXBLOCK
        ImageFile.MAXBLOCK = max(before, buffer_bytes)
        try:
            yield
        finally:
            ImageFile.MAXBLOCK = before


@contextmanager
def _settings_for_reading() -> Iterator[None]:
    with warnings.catch_warnings(), _quiet_libtiff():
        warnings.simplefilter("ignore")
        before = Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK
        Image.MAX_IMAGE_PIXELS = None
        # 1 MB, which the XMP of photo editors exceeds. All texts of a file together keep their
        # limit of 64 MB, so that no file unpacks without end.
        PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK = before


@contextmanager
def _quiet_libtiff() -> Iterator[None]:
    """Take away the function by which libtiff prints, past Python, what it thinks of a file.

    Pillow has no option for it. The symbol is looked up in Pillow's own module and the libraries
    that this one loaded; where libtiff is built into it (Windows) there is none, and it prints on.
    """
    set_handler = None
    with suppress(AttributeError, OSError, TypeError):
        set_handler = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    if set_handler is None:
        yield
        return
    set_handler.argtypes = [ctypes.c_void_p]
    set_handler.restype = ctypes.c_void_p
    before = set_handler(None)
    try:
        yield
    finally:
        set_handler(before)
