"""What file systems take as a name: text in, text out, without disk.

A name is kept letter by letter where every common system takes it. Only what one of them refuses
is replaced, the same way each time, so that a result has the same name wherever it is made.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

# Bytes of one name. File systems take 255, of which a result's record needs some for a suffix.
LONGEST = 240

# What Windows refuses, and control characters, which every system takes and no terminal shows.
_REFUSED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\ud800-\udfff]')

# Names of devices; with any suffix, and with spaces before it, they mean the device still:
# learn.microsoft.com/windows/win32/fileio/naming-a-file
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³"}
)

# What lies beside the results in an output folder.
_OURS = frozenset({".nst", "index.html", "manifest.json", "sheet.png"})


def safe(name: str) -> str:
    """Return a name that every system takes: the same one if it does already.

    Bytes that are no UTF-8 (Python reads them as U+DC80 to U+DCFF) are written as in addresses,
    `%E9`, since of a name in another encoding little else would be left; the rest becomes `_`.
    """
    name = _REFUSED.sub(_replacement, name)
    if not name or name[-1] in ". ":  # Windows drops these at the end
        name = f"{name[:-1]}_"
    base, dot, rest = name.partition(".")
    if base.rstrip(" ").casefold() in _DEVICES:
        name = f"{base}_{dot}{rest}"
    return name


def safe_folder(name: str, suffix: str) -> str:
    """Return a safe name, never too long, for a folder among results that end in `suffix`.

    It is none that a result, its record or one of our own files could have.
    """
    made = safe(name)
    if folded(made) in _OURS or folded(made).endswith((suffix, f"{suffix}.json")):
        made += "_"
    return made if fits(made) else f"{cut(made, LONGEST - 9)}~{digest(name)}"


def folded(name: str) -> str:
    """Return what file systems that ignore case or Unicode composition would compare."""
    if name.isascii():  # nearly all names; a quarter of the time
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def fits(name: str) -> bool:
    """Tell whether a safe name is short enough."""
    return len(name.encode()) <= LONGEST


def cut(text: str, longest: int) -> str:
    """Shorten a safe text to so many bytes of UTF-8, at whole characters."""
    return text.encode()[:longest].decode(errors="ignore")


def digest(*texts: str) -> str:
    """Return eight hexadecimal digits that differ for other texts, or for another division."""
    # NUL divides, which no path holds: `a__b` + `c` is not `a` + `b__c`.
    data = "\0".join(texts).encode(errors="surrogatepass")
    return hashlib.sha256(data).hexdigest()[:8]


def _replacement(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"%{code - 0xDC00:02X}" if 0xDC80 <= code <= 0xDCFF else "_"
