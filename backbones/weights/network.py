"""What downloads have in common, and the download of one file from a plain address."""

from __future__ import annotations

import re
from contextlib import nullcontext
from typing import TYPE_CHECKING

import requests

from backbones.spec import BackboneError

if TYPE_CHECKING:
    from pathlib import Path

    from backbones.spec import Progress

# Seconds to connect, and seconds without a byte.
TIMEOUT = (15.0, 60.0)

_CHUNK = 64 * 1024

# requests wraps a failure twice: "…Max retries exceeded… (Caused by NewConnectionError("HTTPS-
# Connection(host=…): Failed to establish a new connection: [Errno 111] Connection refused"))".
_CAUSE = re.compile(r"""\(Caused by \w+\((["']?)(?:\w+\(.*?\): )?(?P<cause>.*)\1\)\)$""")


def download(url: str, target: Path, progress: Progress | None) -> None:
    """Save what `url` serves as `target`, a new file, chunk by chunk.

    Raises:
        BackboneError: it cannot be reached or ends early.
        OSError: `target` cannot be written.
    """
    try:
        with requests.get(url, stream=True, timeout=TIMEOUT) as response:
            response.raise_for_status()
            length = response.headers.get("Content-Length", "")
            size = int(length) if length.isdecimal() else None
            with progress(size) if progress else nullcontext() as tracker, target.open("xb") as out:
                for chunk in response.iter_content(_CHUNK):
                    out.write(chunk)
                    if tracker:
                        tracker.update(len(chunk))
    except requests.RequestException as error:
        raise BackboneError(f"{url} could not be downloaded: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Return the part of a failure's nested messages that a user can act upon."""
    text = str(error) or type(error).__name__
    found = _CAUSE.search(text)
    return found["cause"] if found else text
