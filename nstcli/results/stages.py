"""The stages of a result: pictures on the way to it, and an animation of them, in a folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from backbones.atomic import make_folder, sweep, write_atomic
from backbones.paths import is_file
from nstcli.plan.layout import STAGES_INDEX
from nstcli.results.records import Stages

ANIMATION = "animation"  # with its suffix
# What we write there, and so may remove.
_OURS = re.compile(r"\d{4,}\.(png|jpg|webp|tiff)|animation\.(gif|mp4|webp)")


class _Index(BaseModel):
    """What a folder of stages holds.

    Attributes:
        key: of the result that they lead to.
        complete: whether that is there, and all of this.
        every: steps between two stages; None where none were wanted.
        animations: by the format, what was wanted of each.
        names: of the files.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    complete: bool = False
    every: int | None = None
    animations: dict[str, str] = {}
    names: tuple[str, ...] = ()


class StageFolder:
    """The folder with the stages of one result.

    Only an index that says that they are complete makes them count; what a killed process left is
    made anew. Nothing else that lies there is touched.
    """

    def __init__(self, path: Path):
        self.path = path
        self._index = path / STAGES_INDEX
        self._names: list[str] = []

    def lacks(self, key: str, wanted: Stages) -> bool:
        """Tell whether something is missing of what is wanted of the result with this key."""
        if not wanted.any:
            return False
        index = self._read()
        if index is None or not index.complete or index.key != key:
            return True
        others = wanted.every not in (None, index.every) or (
            wanted.animation and wanted.said != index.animations.get(wanted.animation)
        )
        return bool(others) or not all(is_file(self.path / name) for name in index.names)

    def begin(self, key: str) -> None:
        """Get ready for the stages of a result with this key, without those that were there.

        Raises:
            OSError: the folder cannot be made or written to.
        """
        self.clear()
        make_folder(self.path)
        self._write(_Index(key=key))

    def add(self, name: str, data: bytes) -> None:
        """Write a file of those that were begun.

        Raises:
            OSError: the disk is full, or the folder gone or read-only.
        """
        write_atomic(self.path / name, data)
        self._names.append(name)

    def finish(self, key: str, wanted: Stages) -> None:
        """Note that all of what was wanted is there, and the result, too.

        Raises:
            OSError: the disk is full, or the folder gone or read-only.
        """
        names = tuple(dict.fromkeys(self._names))
        said = {str(wanted.animation): wanted.said} if wanted.animation else {}
        index = _Index(key=key, complete=True, every=wanted.every, animations=said, names=names)
        self._write(index)

    def animate(self, data: bytes, wanted: Stages) -> Path:
        """Write an animation of stages that are there, for the one of its format; return its path.

        Raises:
            OSError: the disk is full, or the folder gone or read-only.
        """
        path = self.path / f"{ANIMATION}.{wanted.animation}"
        write_atomic(path, data)
        index = self._read()
        if index and index.complete:
            said = {**index.animations, str(wanted.animation): wanted.said}
            names = dict.fromkeys([*index.names, path.name])
            self._write(index.model_copy(update={"animations": said, "names": tuple(names)}))
        return path

    def clear(self) -> None:
        """Remove what is ours; a folder that is empty then goes, too.

        Raises:
            OSError: the folder is read-only.
        """
        if not is_file(self._index):
            return
        for path in [*self.files(), self._index]:
            path.unlink(missing_ok=True)
        sweep(self.path)
        if not any(self.path.iterdir()):
            self.path.rmdir()

    def files(self) -> Iterator[Path]:
        """List the files that are ours, but for the index."""
        for path in sorted(self.path.iterdir()):
            if _OURS.fullmatch(path.name):
                yield path

    def pictures(self) -> Sequence[Path]:
        """List the stages in their order; none where there is no such folder."""
        if not is_file(self._index):
            return []
        found = [path for path in self.files() if path.stem.isdecimal()]
        return sorted(found, key=lambda path: int(path.stem))

    def animation(self, format: str | None = None) -> Path | None:
        """Return the animation in a format, or in any, where there is one."""
        if not is_file(self._index):
            return None
        found = (path for path in self.files() if path.stem == ANIMATION)
        return next((path for path in found if format in {None, path.suffix[1:]}), None)

    def _read(self) -> _Index | None:
        try:
            return _Index.model_validate_json(self._index.read_bytes())
        except (OSError, ValidationError):
            return None

    def _write(self, index: _Index) -> None:
        write_atomic(self._index, index.model_dump_json(indent=1).encode() + b"\n")


def stage_name(step: int, suffix: str) -> str:
    """Return what the picture after a step is called, which sorts by the step."""
    return f"{step:04}.{suffix}"
