"""The names of results: no two alike on any file system, and none that one refuses.

Text in, text out, without disk. A name is kept letter by letter where every common system takes
it. Only what one of them refuses is replaced, the same way each time, so that a result has the
same name wherever it is made.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import PurePosixPath

from nstcli.plan.layout import RESERVED, STAGES
from nstcli.plan.pair import Source
from nstcli.plan.template import Template
from nstcli.terms import Role

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

# Bytes that the two names are cut to where a result's name would be too long: both fit in twice.
_SHORT = 100

# The pictures of a pair, the one first whose folder its result mirrors.
Sources = Mapping[Role, Source]
_Fill = Callable[[Sources, int], str]


def outputs(combined: Sequence[Sources], template: Template, suffix: str) -> list[str]:
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
            at: result_path(folder_of(combined[at]), fill(combined[at], at + 1), suffix)
            for at in left
        }
        same = {at: folded(candidates[at]) for at in left}
        met = Counter(same.values())
        for at in left:
            if met[same[at]] == 1 and same[at] not in taken and fits(candidates[at]):
                found[at] = candidates[at]
        taken.update(same[at] for at in left if at in found)
        left = [at for at in left if at not in found]
    below = {
        at: [str(source.folder / source.path.name) for source in combined[at].values()]
        for at in left
    }
    alike = Counter(map(tuple, below.values()))
    for at in left:
        typed = [str(source.path) for source in combined[at].values()]
        digits = digest(*(below[at] if alike[tuple(below[at])] == 1 else typed))
        numbered = _with_digest(combined[at], at + 1, template.complete(), suffix, digits)
        found[at] = next(name for name in numbered if folded(name) not in taken)
        taken.add(folded(found[at]))
    return [found[at] for at in range(len(combined))]


def result_path(folder: PurePosixPath, filled: str, suffix: str, tail: str = "") -> str:
    """Put a filled template below a mirrored folder, each part made safe.

    The last part may be too long, unless it has a `tail`: then it is cut to make room.
    """
    *parents, last = filled.split("/")
    folders = [safe_folder(part, suffix) for part in (*folder.parts, *parents)]
    if tail:
        name = cut(safe(last), LONGEST - len(tail + suffix)) + tail + suffix
    else:
        name = safe(last + suffix)
    return "/".join((*folders, name))


def _forms(template: Template) -> Iterator[_Fill]:
    """List what results may be called, the plainest first.

    `cat__wave`, then `cat.jpg__wave.png` (another picture has the same stem), then
    `cat__monet-wave` (another style has the same name, in another folder).
    """
    full = template.complete()

    def stems(sources: Sources) -> dict[Role, str]:
        return {role: source.path.stem for role, source in sources.items()}

    def whole(sources: Sources) -> dict[Role, str]:
        return {role: source.path.name for role, source in sources.items()}

    def below(sources: Sources) -> dict[Role, str]:
        first, *others = sources
        paths = {role: (*sources[role].folder.parts, sources[role].path.stem) for role in others}
        return {first: sources[first].path.stem} | {r: "-".join(p) for r, p in paths.items()}

    yield lambda sources, number: template.fill(stems(sources), number)
    if full != template:
        yield lambda sources, number: full.fill(stems(sources), number)
    yield lambda sources, number: full.fill(whole(sources), number)
    yield lambda sources, number: full.fill(below(sources), number)


def folder_of(sources: Sources) -> PurePosixPath:
    """Return the folder below an input folder that the result of a pair mirrors."""
    return next(iter(sources.values())).folder


def _with_digest(
    sources: Sources, number: int, template: Template, suffix: str, digits: str
) -> Iterator[str]:
    """List names that hold for these paths alone, then those for their further uses."""
    short = {role: cut(safe(source.path.stem), _SHORT) for role, source in sources.items()}
    filled, folder = template.fill(short, number), folder_of(sources)
    yield result_path(folder, filled, suffix, f"~{digits}")
    for use in count(2):
        yield result_path(folder, filled, suffix, f"~{digits}-{use}")


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

    It is none that a result, its record, its stages or one of our own files could have.
    """
    made = safe(name)
    if folded(made) in RESERVED or folded(made).endswith(
        (suffix, f"{suffix}.json", f"{suffix}{STAGES}")
    ):
        made += "_"
    return made if fits(made) else f"{cut(made, LONGEST - 9)}~{digest(name)}"


def folded(name: str) -> str:
    """Return what file systems that ignore case or Unicode composition would compare."""
    if name.isascii():  # nearly all names; a quarter of the time
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def fits(output: str) -> bool:
    """Tell whether a safe name, or the last part of a path, is short enough; folders always are."""
    return len(output.rpartition("/")[2].encode()) <= LONGEST


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
