"""Links from a page to pictures: relative ones, or data URIs that hold them."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

Link = Callable[[Path], str]


def relative_to(folder: Path) -> Link:
    """Return what links to files in `folder` from a page in it, whatever bytes their names have."""

    def link(path: Path) -> str:
        # os.fsencode gives names back the bytes that they have on the disk, UTF-8 or not.
        parts = path.relative_to(folder).parts
        return "/".join(quote(os.fsencode(part), safe="") for part in parts)

    return link


def embedded(path: Path) -> str:
    """Return a data URI with the bytes of a WebP file."""
    return f"data:image/webp;base64,{base64.b64encode(path.read_bytes()).decode()}"
