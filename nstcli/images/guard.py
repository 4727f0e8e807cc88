"""Pillow's process-wide settings, changed only for a moment and put back."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile

# Settings and warning filters belong to the whole process; two threads that change and restore
# them in turn could leave the changed ones behind.
_LOCK = threading.RLock()


@contextmanager
def reading(max_pixels: int | None) -> Iterator[None]:
    """Let Pillow open images up to about `max_pixels`, and keep its warnings off the screen.

    Pillow warns of broken EXIF tags, odd palettes and large images; what matters to the user is
    said in `Picture.notes` or as an InputError instead.
    """
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = max_pixels
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


@contextmanager
def writing(buffer_bytes: int) -> Iterator[None]:
    """Give Pillow's encoders a buffer of at least `buffer_bytes`."""
    with _LOCK:
        before = ImageFile.MAXBLOCK
        ImageFile.MAXBLOCK = max(before, buffer_bytes)
        try:
            yield
        finally:
            ImageFile.MAXBLOCK = before
