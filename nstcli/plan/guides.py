"""Masks and maps of pictures: one file for all, or a folder with one for each, called like it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from nstcli.config.options import InputOptions
from nstcli.errors import InputError
from nstcli.plan import inputs
from nstcli.plan.beside import Named, by_name, called
from nstcli.plan.inputs import Found
from nstcli.plan.pair import Input, Pair, Source
from nstcli.plan.walk import Selection
from nstcli.terms import Role
from nstcli.text import shown

# The pictures that masks and maps belong to, by the role of these. Of those that several styles
# can have one each of, as many as styles may be given.
BELONGS: Mapping[Role, Literal["content", "style"]] = {
    "content-mask": "content",
    "style-mask": "style",
    "content-regions": "content",
    "style-regions": "style",
    "style-strength-map": "content",
    "content-weight-map": "content",
}
_ONE_A_STYLE = {"content-mask", "style-mask", "style-regions"}
_REGIONS: tuple[Role, Role] = ("content-regions", "style-regions")

# How many pictures without a mask a note names.
_NAMED = 3


@dataclass
class _Guide:
    """What one argument has, and for which pictures it had nothing.

    Attributes:
        files: by their names; None where one file is for all.
    """

    found: Found
    files: Named | None
    used: bool = False
    lacking: dict[Path, None] = field(default_factory=dict)

    @classmethod
    def of(cls, argument: str) -> _Guide:
        """Look for what an argument names.

        Raises:
            InputError: there is nothing, or two files of one name.
        """
        found = inputs.find(argument, Selection(recursive=True))
        if not found.folders and len(found) == 1:
            return cls(found, None)
        return cls(found, by_name(found))

    def file_for(self, picture: Path) -> Path | None:
        """Return the file that belongs to a picture."""
        source: Source | None = self.found.sources[0]
        if self.files is not None:
            source = called(self.files, PurePosixPath(*picture.parent.parts), picture.stem)
        if source is None:
            self.lacking[picture] = None
            return None
        self.used = True
        return source.path


def arguments_of(taken: InputOptions) -> dict[Role, Sequence[str]]:
    """Return what options name for each role."""
    values = {role: getattr(taken, role.replace("-", "_")) for role in BELONGS}
    return {
        role: [value] if isinstance(value, str) else value
        for role, value in values.items()
        if value
    }


def guided(
    pairs: Sequence[Pair], given: Mapping[Role, Sequence[str]]
) -> tuple[list[Pair], list[str]]:
    """Give pairs their masks and maps as further inputs.

    In a folder, that of a picture is the file called like it, whatever the suffix; what lies in a
    sub-folder of the same name comes first. A picture without one is painted as if none had been
    asked for, which is told. Where no pair has a photo, or none an artwork, theirs are left out,
    which is told, too.

    Args:
        pairs: of contents and styles.
        given: the arguments of each role, files and folders.

    Returns:
        The pairs, and what the user should know, a line each.

    Raises:
        InputError: there is no such file or folder, or nothing in it for any picture; they are not
            as many as styles; a map of regions stands alone.
    """
    for role, other in (_REGIONS, _REGIONS[::-1]):
        if role in given and other not in given:
            raise InputError(f"--{role} is of no use without --{other}")
    there = {role for pair in pairs for role in pair.roles}
    guides = {
        role: [_found(role, argument) for argument in given[role]]
        for role in given
        if BELONGS[role] in there
    }
    made = [_with_guides(pair, guides) for pair in pairs]
    nouns = {"content": "photo", "style": "artwork"}
    idle = [role for role in given if pairs and role not in guides]
    notes = [f"--{role} does nothing: there is no {nouns[BELONGS[role]]}" for role in idle]
    for role, several in guides.items():
        for guide in several:
            if pairs and not guide.used:
                raise InputError(
                    f"--{role}: no file in '{shown(guide.found.argument)}' is called like "
                    f"{'a photo' if BELONGS[role] == 'content' else 'an artwork'}"
                )
            notes += _note(role, guide)
    return made, notes


def _found(role: Role, argument: str) -> _Guide:
    try:
        return _Guide.of(argument)
    except InputError as error:
        raise InputError(f"--{role}: {error}") from error


def _with_guides(pair: Pair, guides: Mapping[Role, Sequence[_Guide]]) -> Pair:
    found: dict[Role, list[Path]] = {}
    for role, several in guides.items():
        files = _files(pair, role, several)
        if all(files):
            found[role] = [path for path in files if path]
        elif any(files):
            raise InputError(
                f"--{role}: there is one for a style of {pair.title}, and none for another"
            )
    if "content-regions" in found and len(found.get("content-mask", ())) > 1:
        raise InputError("give styles a --content-mask each, or --content-regions, and not both")
    if any(role not in found for role in _REGIONS):
        found = {role: files for role, files in found.items() if role not in _REGIONS}
    more = [Input(role, path) for role, files in found.items() for path in files]
    return replace(pair, inputs=(*pair.inputs, *more)) if more else pair


def _files(pair: Pair, role: Role, several: Sequence[_Guide]) -> list[Path | None]:
    """Return the files of a role: those of styles one each, that of the content one."""
    styles = [each.path for each in pair.of_role("style")]
    most = len(styles) if role in _ONE_A_STYLE else 1
    if len(several) not in {1, most}:
        raise InputError(
            f"--{role} is given {len(several)} times, for {pair.title}; should be once"
            + (f" or {most} times, one for each style" if most > 1 else "")
        )
    if BELONGS[role] == "content":
        return [guide.file_for(pair.path("content")) for guide in several]
    guides = several if len(several) == len(styles) else [several[0]] * len(styles)
    return [guide.file_for(style) for guide, style in zip(guides, styles, strict=True)]


def _note(role: Role, guide: _Guide) -> list[str]:
    if not guide.lacking:
        return []
    names = [f"'{shown(path.name)}'" for path in guide.lacking]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    which = ", ".join(names[:_NAMED]) + more
    return [f"'{shown(guide.found.argument)}' has no --{role} for {which}: painted without"]
