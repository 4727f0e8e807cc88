"""What a batch shall make: pure functions from paths to pairs, without torch and without disk."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

# Bytes of a result's name. File systems take 255, of which its record needs some for a suffix.
_LONGEST_NAME = 240


@dataclass(frozen=True)
class Pair:
    """One content and one style, and the name that their result will have."""

    content: Path
    style: Path
    output: str

    @property
    def title(self) -> str:
        """Name both images, for people."""
        return f"{shown(self.content.name)} × {shown(self.style.name)}"


def shown(path: Path | str) -> str:
    """Write a path as text that can be stored; bytes that are not UTF-8 are escaped."""
    return os.fsencode(path).decode(errors="backslashreplace")


def pairs(
    contents: Sequence[Path], styles: Sequence[Path], suffix: str, limit: int | None = None
) -> list[Pair]:
    """Combine every content with every style, content by content; at most `limit` of them."""
    combined = list(product(contents, styles))
    named = zip(combined, _names(combined, suffix), strict=True)
    return [Pair(content, style, name) for (content, style), name in named][:limit]


def _names(combined: Sequence[tuple[Path, Path]], suffix: str) -> list[str]:
    """Name the results, so that no two have the same name on any file system.

    The first form without conflict is taken: `cat__wave`, then `cat.jpg__wave.png` (another
    picture has the same stem), then a short digest of both paths behind shortened stems.
    """
    names = [""] * len(combined)
    open_ = list(range(len(combined)))
    for form in _FORMS:
        candidates = {index: form(*combined[index]) + suffix for index in open_}
        taken = Counter(map(_folded, candidates.values()))
        taken.update(_folded(name) for name in names if name)
        for index, name in candidates.items():
            if taken[_folded(name)] == 1 and len(os.fsencode(name)) <= _LONGEST_NAME:
                names[index] = name
        open_ = [index for index in open_ if not names[index]]
    for index in open_:  # the same path twice
        names[index] = f"{_with_digest(*combined[index])}~{index + 1}{suffix}"
    return names


def _with_digest(content: Path, style: Path) -> str:
    # Divided by NUL, which no path holds: `a__b` + `c` is not `a` + `b__c`.
    digest = hashlib.sha256(b"\0".join([os.fsencode(content), os.fsencode(style)]))
    return f"{_cut(content.stem)}__{_cut(style.stem)}~{digest.hexdigest()[:8]}"


def _cut(stem: str) -> str:
    """Shorten a stem to what two of fit into a name, at whole characters."""
    while len(os.fsencode(stem)) > _LONGEST_NAME // 2 - 20:
        stem = stem[:-1]
    return stem


_FORMS: Iterable[Callable[[Path, Path], str]] = (
    lambda content, style: f"{content.stem}__{style.stem}",
    lambda content, style: f"{content.name}__{style.name}",
    _with_digest,
)


def _folded(name: str) -> str:
    """Return what file systems that ignore case or Unicode composition would compare."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


@dataclass(frozen=True)
class Job:
    """A pair to be made, with all that its bytes depend on besides the recipe."""

    pair: Pair
    key: str
    content_sha256: str
    style_sha256: str
