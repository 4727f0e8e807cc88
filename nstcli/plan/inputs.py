"""Find the pictures that an argument of the command line stands for."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from backbones.hints import closest_file
from backbones.paths import exists, expanded, is_file, is_folder, is_link, resolved
from nstcli.errors import InputError
from nstcli.networks import ready
from nstcli.plan.layout import Layout
from nstcli.plan.pair import Source
from nstcli.plan.walk import (
    Identity,
    Selection,
    WalkResult,
    chosen,
    holds_stages,
    identity,
    is_junk,
    trouble,
    walk,
)
from nstcli.text import plural, shown

TOP_ONLY = Selection()

# How far a folder without pictures is looked into, for the sake of a hint.
_MOST_FOLDERS = 1000

# How many files a note names, at most.
_NAMED = 3


@dataclass(frozen=True)
class Found:
    """The pictures of an argument, in a lasting order, and what was left out.

    Attributes:
        argument: as the user wrote it.
        sources: the pictures; at least one.
        left_out: files and folders that could not be read or need not be, each with what it is.
        notes: what the user should know of it, a line each.
        folders: which were read, if the argument is a folder.
        recursive: whether sub-folders were among them.
    """

    argument: str
    sources: tuple[Source, ...]
    left_out: tuple[tuple[Path, str], ...] = ()
    notes: tuple[str, ...] = ()
    folders: frozenset[Identity] = frozenset()
    recursive: bool = False

    def __iter__(self) -> Iterator[Source]:
        return iter(self.sources)

    def __len__(self) -> int:
        return len(self.sources)


def find(argument: str, selection: Selection = TOP_ONLY) -> Found:
    """Look for the pictures in a folder, the files of a glob pattern, or the one file named.

    In a folder, files count as pictures by their suffix; hidden files and junk are left out. The
    order is that of the names, so that it is the same on every file system. What begins with
    `network:` is looked for in the cache.

    Raises:
        InputError: nothing is there, or nothing that is a picture and wanted; or, if the selection
            are strict, something cannot be read.
    """
    if not argument:
        raise InputError("an input has an empty name; perhaps a variable of the shell is not set")
    path = expanded(ready.located(argument) if ready.is_named(argument) else argument)
    if is_folder(path):
        return _in_folder(argument, path, selection)
    if exists(path):
        return Found(argument, (Source(path),))
    if glob.has_magic(argument):
        return _matching(argument, path, selection)
    if is_link(path):
        raise InputError(f"'{shown(argument)}' is a broken link")
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        pass
    except OSError as error:
        problem = error.strerror or error
        raise InputError(f"'{shown(argument)}' cannot be read: {problem}") from error
    raise InputError(f"no such file or folder: '{shown(argument)}'{closest_file(path)}")


def refuse_nested(output: Path, found: Found) -> None:
    """Keep results from being taken for inputs by the next run, by whatever path.

    Raises:
        InputError: `output` is an input folder, lies inside one that is read with its sub-folders,
            or a pattern has found results in it.
    """
    whole = resolved(expanded(output))
    if not found.folders:
        _refuse_results(output, whole, found)
    for folder in (whole, *whole.parents) if found.recursive else (whole,):
        if identity(folder) in found.folders:
            where = (
                "holds the inputs"
                if folder == whole
                else f"lies inside '{shown(found.argument)}', whose sub-folders are read, too"
            )
            raise InputError(
                f"'{shown(output)}' {where}: the next run would take the results for pictures to "
                "paint; choose another -o"
            )


def _refuse_results(output: Path, whole: Path, found: Found) -> None:
    for source in found.sources:
        path = resolved(source.path)
        if whole in path.parents and exists(Layout(whole).record(str(path.relative_to(whole)))):
            raise InputError(
                f"'{shown(found.argument)}' finds '{shown(source.path)}', which is a result "
                f"in '{shown(output)}'; choose another -o or a narrower pattern"
            )


def _in_folder(argument: str, path: Path, selection: Selection) -> Found:
    seen = walk(path, selection)
    _refuse(seen.problems, selection)
    if not seen.sources:
        raise InputError(_nothing(argument, path, selection, seen))
    left_out = sorted(seen.problems + seen.repeats)
    return Found(
        argument,
        tuple(sorted(seen.sources, key=lambda s: (*s.folder.parts, s.path.name))),
        tuple(left_out),
        (*_named(left_out), *_counted(argument, seen)),
        frozenset(seen.folders),
        selection.recursive,
    )


def _matching(argument: str, path: Path, selection: Selection) -> Found:
    """List the files that a pattern matches, whatever their suffix: the user named them."""
    matched = [Path(p) for p in sorted(set(glob.glob(str(path), recursive=True)))]  # noqa: PTH207
    wanted = list(chosen(matched, selection))
    entries = [p for p in wanted if not is_junk(p.name) and not holds_stages(p.parent)]
    problems = [(p, what) for p in entries if (what := trouble(p))]
    _refuse(problems, selection)
    folders = sum(is_folder(p) for p in entries)
    files = [p for p in entries if is_file(p)]
    if not files:
        if matched and not wanted:
            raise InputError(
                f"--include and --exclude leave none of the files that '{shown(argument)}' "
                "matches; they hold for contents and styles alike"
            )
        raise InputError(f"no file matches '{shown(argument)}'{_because(problems)}")
    notes = _named(problems)
    if folders:
        notes.append(f"'{shown(argument)}': {plural(folders, 'folder')} left out")
    sources = tuple(Source(p) for p in sorted(files, key=lambda p: (p.name, str(p))))
    return Found(argument, sources, tuple(problems), tuple(notes))


def _refuse(problems: Sequence[tuple[Path, str]], selection: Selection) -> None:
    if selection.strict and problems:
        path, what = min(problems)
        more = f" (the first of {len(problems)} such)" if len(problems) > 1 else ""
        raise InputError(f"'{shown(path)}' {what}{more}; without --strict it would be left out")


def _nothing(argument: str, path: Path, selection: Selection, seen: WalkResult) -> str:
    """Say that a folder has no pictures, and where some may be."""
    if seen.filtered:
        return (
            f"--include and --exclude leave no pictures of the folder '{shown(argument)}'; "
            "they hold for contents and styles alike"
        )
    pictures = selection.suffixes == TOP_ONLY.suffixes
    wanted = "pictures" if pictures else f"networks ({', '.join(sorted(selection.suffixes))})"
    text = f"no {wanted} in the folder '{shown(argument)}'{_because(seen.problems)}"
    if not pictures and seen.others:
        text += "; nst networks tells of some to download"
    if seen.unread:
        deeper = walk(path, replace(selection, recursive=True), _MOST_FOLDERS)
        cut_short = len(deeper.folders) >= _MOST_FOLDERS
        if deeper.sources:
            count = f"{'at least ' if cut_short else ''}{len(deeper.sources)}"
            text += f"; there {'is' if count == '1' else 'are'} {count} in its sub-folders: -r"
    return text


def _because(problems: Sequence[tuple[Path, str]]) -> str:
    return "".join(f"; {line}" for line in _named(problems))


def _named(left_out: Sequence[tuple[Path, str]]) -> list[str]:
    lines = [f"'{shown(path)}' {what}; left out" for path, what in left_out[:_NAMED]]
    if len(left_out) > _NAMED:
        lines.append(f"{len(left_out) - _NAMED} more could not be read or need not be; left out")
    return lines


def _counted(argument: str, seen: WalkResult) -> list[str]:
    """Say how much was left out that nobody is likely to miss."""
    notes = []
    if seen.others:
        kinds = [suffix or "no suffix" for suffix, _ in seen.others.most_common(4)]
        more = ", …" if len(seen.others) > len(kinds) else ""
        files = plural(seen.others.total(), "other file")
        notes.append(f"'{shown(argument)}': {files} left out ({shown(', '.join(kinds))}{more})")
    if seen.unread:
        folders = plural(seen.unread, "sub-folder")
        notes.append(f"'{shown(argument)}': {folders} left out; -r reads them, too")
    return notes
