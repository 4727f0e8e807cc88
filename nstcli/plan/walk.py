"""Look through a folder for pictures, and remember what was left out and why."""

from __future__ import annotations

import stat
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from backbones.paths import exists, is_folder, is_link, resolved
from nstcli.errors import InputError
from nstcli.images import EXTENSIONS
from nstcli.plan.globs import Globs
from nstcli.plan.layout import STAGES, STAGES_INDEX
from nstcli.plan.pair import Source
from nstcli.text import shown

# How the artworks of a blend are weighted; see `nstcli.plan.blends`.
WEIGHTS = "blend.toml"

# What lies beside pictures and is known; hidden names are left out in any case.
_JUNK = {
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
    "__macosx",
    "@eadir",  # thumbnails on NAS boxes: a second, tiny copy of every picture
    "$recycle.bin",
    "system volume information",
    "lost+found",
    WEIGHTS,
}

# (device, inode): the same folder by whatever path.
Identity = tuple[int, int]


@dataclass(frozen=True)
class Selection:
    """Which files of a folder count.

    With `recursive`, those of its sub-folders do, too. `include` and `exclude` are patterns (see
    `Globs`). With `strict`, what cannot be read is an error instead of a note. What has one of
    these `suffixes` is meant, in lower case with their dot.
    """

    recursive: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    strict: bool = False
    suffixes: frozenset[str] = EXTENSIONS


@dataclass
class WalkResult:
    """What a walk found.

    Attributes:
        sources: the pictures, in the order of the walk.
        problems: what may be pictures and cannot be read, each with what it is.
        repeats: links to folders that are read anyway, each with where it leads.
        others: how many files are no pictures, by suffix.
        unread: how many sub-folders were not entered, for want of `recursive`.
        filtered: whether `include` or `exclude` left something out.
        folders: those that were read.
    """

    sources: list[Source] = field(default_factory=list)
    problems: list[tuple[Path, str]] = field(default_factory=list)
    repeats: list[tuple[Path, str]] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    unread: int = 0
    filtered: bool = False
    folders: dict[Identity, Path] = field(default_factory=dict)


def walk(top: Path, selection: Selection, most_folders: int | None = None) -> WalkResult:
    """Look through a folder; stop after `most_folders` of them if that is given.

    Each folder is read once, by its own place where it has one below `top` and else through the
    first link to it, so that links in a circle come to an end.

    Raises:
        InputError: the folder itself cannot be read, or a pattern is empty.
    """
    return _Walk(top, selection).run(most_folders)


def is_junk(name: str) -> bool:
    """Tell whether a file or folder is nothing that anybody means by their pictures."""
    return name.startswith(".") or name.casefold() in _JUNK


def holds_stages(folder: Path) -> bool:
    """Tell whether a folder holds the stages of a result, which nobody means by their pictures."""
    return folder.name.endswith(STAGES) and exists(folder / STAGES_INDEX)


def identity(path: Path) -> Identity | None:
    """Return what tells a folder from all others, or None if it cannot be asked."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def trouble(path: Path) -> str | None:
    """Say what keeps a path from being read as a file, or None; it may be a folder."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if isinstance(error, FileNotFoundError) and is_link(path):
            return "is a broken link"
        return f"cannot be read: {error.strerror or error}"
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    return "is a pipe, a socket or a device, not a file"


class _Walk:
    """The state of a walk: the folders that wait, and what was seen."""

    def __init__(self, top: Path, selection: Selection):
        self._top = top
        self._recursive = selection.recursive
        self._suffixes = selection.suffixes
        self._include = Globs(selection.include)
        self._exclude = Globs(selection.exclude)
        self._seen = WalkResult()
        self._waiting = deque([PurePosixPath()])
        # Links wait until every folder was read by its own place.
        self._links: deque[PurePosixPath] = deque()
        self._above = {identity(parent) for parent in resolved(top).parents}

    def run(self, most_folders: int | None) -> WalkResult:
        while self._waiting or self._links:
            if most_folders is not None and len(self._seen.folders) >= most_folders:
                break
            below = (self._waiting or self._links).popleft()
            if self._is_new(self._top / below):
                self._read(below)
        return self._seen

    def _is_new(self, folder: Path) -> bool:
        """Remember a folder; False if it was read before, or holds the one being read."""
        found = identity(folder)
        if found is None:
            return True  # reading it will tell why
        if found in self._above:
            self._seen.repeats.append((folder, "leads up to a folder around this one"))
            return False
        if found in self._seen.folders:
            known = self._seen.folders[found]
            self._seen.repeats.append((folder, f"leads to '{shown(known)}', which is read already"))
            return False
        self._seen.folders[found] = folder
        return True

    def _read(self, below: PurePosixPath) -> None:
        folder = self._top / below
        try:
            entries = sorted(folder.iterdir())
        except OSError as error:
            reason = error.strerror or str(error)
            if folder == self._top:
                raise InputError(f"cannot read the folder '{shown(folder)}': {reason}") from error
            self._seen.problems.append((folder, f"cannot be read: {reason}"))
            return
        for entry in entries:
            if not is_junk(entry.name):
                self._sort(entry, below)

    def _sort(self, entry: Path, below: PurePosixPath) -> None:
        """Put an entry of a folder where it belongs."""
        parts = (*below.parts, entry.name)
        problem = trouble(entry)
        is_picture = entry.suffix.lower() in self._suffixes
        if problem is None and is_folder(entry):
            if holds_stages(entry):
                return
            self._remember_folder(entry, below / entry.name)
        # What leads nowhere may have been a folder of pictures.
        elif not is_picture and not (problem and self._recursive and is_link(entry)):
            self._seen.others[entry.suffix.lower()] += 1
        elif self._is_unwanted(parts):
            self._seen.filtered = True
        elif problem:
            self._seen.problems.append((entry, problem))
        else:
            self._seen.sources.append(Source(entry, below))

    def _remember_folder(self, entry: Path, below: PurePosixPath) -> None:
        if not self._recursive:
            self._seen.unread += 1
        elif self._exclude.fit(below.parts):
            self._seen.filtered = True
        else:
            (self._links if is_link(entry) else self._waiting).append(below)

    def _is_unwanted(self, parts: Sequence[str]) -> bool:
        included = not self._include or self._include.fit(parts)
        return not included or self._exclude.fit(parts)


def chosen(paths: Iterable[Path], selection: Selection) -> Iterator[Path]:
    """Leave out what the patterns do not want, by the names alone."""
    include, exclude = Globs(selection.include), Globs(selection.exclude)
    for path in paths:
        if (not include or include.fit((path.name,))) and not exclude.fit((path.name,)):
            yield path
