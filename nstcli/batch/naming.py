"""The names of a batch's results: no two alike on any file system, and none that one refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import PurePosixPath

from nstcli.batch import names
from nstcli.batch.source import Source
from nstcli.batch.template import Template

# Bytes that the two names are cut to where a result's name would be too long: both fit in twice.
_SHORT = 100

_Fill = Callable[[Source, Source, int], str]


def outputs(
    combined: Sequence[tuple[Source, Source]], template: Template, suffix: str
) -> list[str]:
    """Name the result of each content and style, as a relative path with `/`.

    Of the forms, the first without conflict is taken. What has none gets a short digest of both
    paths behind shortened names; and the same two paths once more get a number, too. Names that
    are in no conflict stay as they are whatever else is in the batch.

    The digest is of the paths below the input folders, which are the same from wherever the
    command is given; of the paths as they were typed only where those below are the same, too.
    """
    found: dict[int, str] = {}
    taken: set[str] = set()
    left = list(range(len(combined)))
    for fill in _forms(template):
        candidates = {
            at: path(combined[at][0].folder, fill(*combined[at], at + 1), suffix) for at in left
        }
        folded = {at: names.folded(candidates[at]) for at in left}
        met = Counter(folded.values())
        for at in left:
            if met[folded[at]] == 1 and folded[at] not in taken and fits(candidates[at]):
                found[at] = candidates[at]
        taken.update(folded[at] for at in left if at in found)
        left = [at for at in left if at not in found]
    below = {at: [str(source.folder / source.path.name) for source in combined[at]] for at in left}
    same = Counter(map(tuple, below.values()))
    for at in left:
        typed = [str(source.path) for source in combined[at]]
        digest = names.digest(*(below[at] if same[tuple(below[at])] == 1 else typed))
        numbered = _with_digest(*combined[at], at + 1, template.complete(), suffix, digest)
        found[at] = next(name for name in numbered if names.folded(name) not in taken)
        taken.add(names.folded(found[at]))
    return [found[at] for at in range(len(combined))]


def path(folder: PurePosixPath, filled: str, suffix: str, tail: str = "") -> str:
    """Put a filled template below a mirrored folder, each part made safe.

    The last part may be too long, unless it has a `tail`: then it is cut to make room.
    """
    *parents, last = filled.split("/")
    folders = [names.safe_folder(part, suffix) for part in (*folder.parts, *parents)]
    if tail:
        name = names.cut(names.safe(last), names.LONGEST - len(tail + suffix)) + tail + suffix
    else:
        name = names.safe(last + suffix)
    return "/".join((*folders, name))


def fits(output: str) -> bool:
    """Tell whether the last part of a path is short enough; the folders always are."""
    return names.fits(output.rpartition("/")[2])


def _forms(template: Template) -> Iterator[_Fill]:
    """List what results may be called, the plainest first.

    `cat__wave`, then `cat.jpg__wave.png` (another picture has the same stem), then
    `cat__monet-wave` (another style has the same name, in another folder).
    """
    full = template.complete()
    yield lambda content, style, number: template.fill(content.path.stem, style.path.stem, number)
    if full != template:
        yield lambda content, style, number: full.fill(content.path.stem, style.path.stem, number)
    yield lambda content, style, number: full.fill(content.path.name, style.path.name, number)
    yield lambda content, style, number: full.fill(
        content.path.stem, "-".join((*style.folder.parts, style.path.stem)), number
    )


def _with_digest(
    content: Source, style: Source, number: int, template: Template, suffix: str, digest: str
) -> Iterator[str]:
    """List names that hold for these two paths alone, then those for their further uses."""
    short = [names.cut(names.safe(source.path.stem), _SHORT) for source in (content, style)]
    filled = template.fill(short[0], short[1], number)
    yield path(content.folder, filled, suffix, f"~{digest}")
    for use in count(2):
        yield path(content.folder, filled, suffix, f"~{digest}-{use}")
