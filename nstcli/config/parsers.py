"""Parsers of values that users write in a form of their own: `auto`, `16:9`, `relu1_1=0.5`.

Every parser takes what is written and returns the value; a value passes unchanged. It raises
ValueError with what would be right.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from string import ascii_letters
from typing import Literal

# Bytes of a unit of memory, as it is written in small letters.
_UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_MB = _UNITS["mb"]


def seconds(written: object) -> float:
    """Read a time in seconds, more than none."""
    value = _number(written)
    if value is None or not 0 < value < math.inf:
        raise ValueError("should be a number of seconds above 0")
    return value


def auto_or_count(written: object, most: float = math.inf) -> int | Literal["auto"]:
    """Read `auto` or a whole number from 1 on, up to `most`."""
    if written == "auto":
        return "auto"
    value = _number(written)
    if value is None or not 1 <= value <= most or value == math.inf or value % 1:
        end = "on" if most == math.inf else f"to {most}"
        raise ValueError(f"should be 'auto' or a whole number from 1 {end}")
    return int(value)


def auto_off_or_count(written: object) -> int | Literal["auto", "off"]:
    """Read `auto`, `off`, which false is too, or a whole number from 1 on."""
    if written == "off" or written is False:
        return "off"
    try:
        return auto_or_count(written)
    except ValueError:
        raise ValueError("should be 'auto', 'off' or a whole number from 1 on") from None


def memory(written: object) -> int:
    """Read a size of memory: `4GB` or `1.5 GiB`, in letters of either case, or a number of bytes.

    Less than 1 MB is none: whoever writes 4 means something else than four bytes.
    """
    amount, unit = written, ""
    if isinstance(written, str):
        amount = written.strip().rstrip(ascii_letters)
        unit = written.strip()[len(amount) :].lower()
    value = _number(amount)
    if value is None or unit not in _UNITS or not _MB <= value * _UNITS[unit] < math.inf:
        raise ValueError("should be a size like 4GB or 1.5GiB, or bytes, from 1 MB on")
    return round(value * _UNITS[unit])


def aspect(written: object) -> str:
    """Read `1920x1080`, or `16:9`: a width to a height, as `16x9`, its lowest terms; or `none`."""
    if written == "none":
        return "none"
    width, _, height = str(written).replace(":", "x").lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise ValueError("should be a width and a height like 16x9, or none")
    common = math.gcd(int(width), int(height))
    return f"{int(width) // common}x{int(height) // common}"


def bits(written: object) -> int:
    """Read the bits of a sample."""
    value = _number(written)
    if value not in (8, 16):
        raise ValueError("should be 8 or 16")
    return int(value)


def text(written: object) -> str:
    """Read a text that is not empty."""
    if isinstance(written, str) and written:
        return written
    raise ValueError("should be a text")


def strength(written: object) -> float:
    """Read how strongly something is done: a number from 0 on; true is 1, false is 0."""
    value = float(written) if isinstance(written, bool) else _number(written)
    if value is None or not 0 <= value < math.inf:
        raise ValueError("should be a number from 0 on")
    return value


def texts(written: object) -> tuple[str, ...]:
    """Read several texts: a list of them, or one text with commas between them."""
    if isinstance(written, str):
        return tuple(part for part in map(str.strip, written.split(",")) if part)
    if isinstance(written, (list, tuple)) and all(isinstance(part, str) for part in written):
        return tuple(written)
    raise ValueError("should be a text or a list of texts")


def layers(written: object) -> str:
    """Read layers as `relu1_1,relu2_1=0.5`, as a list of such, or as a table of their weights.

    The text that comes of it is checked later, where the backbone is known.
    """
    if isinstance(written, str):
        return written
    if isinstance(written, Mapping):
        weights = {str(name): _number(weight) for name, weight in written.items()}
        if weights and all(weight and 0 < weight < math.inf for weight in weights.values()):
            return ",".join(f"{name}={weight!r}" for name, weight in weights.items())
    elif isinstance(written, list) and written and all(isinstance(part, str) for part in written):
        return ",".join(written)
    raise ValueError("should be layers like 'relu1_1,relu2_1=0.5', a list, or a table of weights")


def _number(written: object) -> float | None:
    """Return a number that is one or is written as one; true and false are none."""
    if isinstance(written, bool) or not isinstance(written, (int, float, str)):
        return None
    try:
        value = float(written)
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(value) else value
