"""A commented experiment file to start from, for the folders at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap

from backbones import registry
from backbones.paths import exists, is_folder
from nstcli.config.option import Setting
from nstcli.experiments.file import SWEPT
from nstcli.images import EXTENSIONS
from nstcli.plan.layout import Layout

# Names that folders of either role often have, in the order of how much they say.
_NAMES = {
    "content": ("content", "contents", "photo", "photos", "picture", "pictures", "images", "input"),
    "style": ("style", "styles", "artwork", "artworks", "art", "painting", "paintings"),
}
# What is written where there is no such folder.
_ELSE = {"content": "photos", "style": "artworks"}
_WIDTH = 96

_TEMPLATE = """\
# An experiment: every photo in the manner of every artwork, with every combination of the
# settings in [sweep]. See how it would go, then let it paint:
#
#     nst run {name} --dry-run
#     nst run {name}
#
# The same command goes on where it was left, also when you have added a value below.

content = {content}  # a folder, a file, a pattern, or a list of them
style = {style}

# Settings of all pictures, as in any config file of nst (TOML here, YAML works as well).
size = 256
steps = 100

[sweep]
# "grid" tries every value with every other, "zip" the first with the first and so on, "random"
# draws as many as `samples` says, by a `seed`.
how = "grid"
style-weight = [3, 10, 30, 100]
# style-weight = {{from = 1, to = 1000, count = 4, spacing = "log"}}
# model = {models}
# style-layers = {{fine = ["relu1_1", "relu2_1"], coarse = ["relu3_1", "relu4_1"]}}

# What else may vary:
{options}

# What holds for one backbone alone, wherever it takes part.
# [backbone.squeezenet]
# content-weight = 2.0
"""


def starter(name: str, folder: Path) -> tuple[str, list[str]]:
    """Write an experiment file.

    Args:
        name: of the file.
        folder: that it is for, in which folders of pictures are looked for.

    Returns:
        The text, and for which roles no folder was found.
    """
    found = {role: _folder_of(role, folder) for role in _NAMES}
    pictures = {role: _text(found[role] or _ELSE[role]) for role in _NAMES}
    text = _TEMPLATE.format(
        name=name,
        **pictures,
        models=json.dumps(registry.names()),
        options="\n".join(line for setting in SWEPT.values() for line in _described(setting)),
    )
    return text, [role for role in _NAMES if not found[role]]


def _text(value: str) -> str:
    """Write a text as TOML does."""
    return json.dumps(value, ensure_ascii=False)


def _described(setting: Setting) -> Iterator[str]:
    default = setting.default
    told = "" if default is None else f" ({json.dumps(default)})"
    yield from wrap(
        f"{setting.key}: {setting.option.help}{told}",
        _WIDTH,
        initial_indent="#   ",
        subsequent_indent="#     ",
    )


def _folder_of(role: str, folder: Path) -> str | None:
    """Return the folder of pictures whose name says most clearly that it is of a role."""
    names: Mapping[str, int] = {name: place for place, name in enumerate(_NAMES[role])}
    found = [
        (names[each.name.lower()], each.relative_to(folder).as_posix())
        for each in _folders(folder)
        if each.name.lower() in names and _has_pictures(each)
    ]
    return min(found)[1] if found else None


def _folders(folder: Path) -> Iterator[Path]:
    """Yield the folders in a folder, and those in them; not those of results."""
    for place in [folder, *_entries(folder)]:
        yield from _entries(place)


def _entries(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for each in entries:
        wanted = each.name.isprintable() and not each.name.startswith(".")
        if wanted and is_folder(each) and not exists(Layout(each).hidden):
            yield each


def _has_pictures(folder: Path) -> bool:
    try:
        return any(each.suffix.lower() in EXTENSIONS for each in folder.iterdir())
    except OSError:
        return False
