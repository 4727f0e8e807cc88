"""The files of an output folder besides the results: where each of them lies. Pure paths."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backbones.paths import expanded

_HIDDEN = ".nst"
_GALLERY, _MANIFEST, _SHEET, _COMPARISON = (
    "index.html",
    "manifest.json",
    "sheet.png",
    "comparison.png",
)
# Names at the top of an output folder that no folder of results may have.
RESERVED = frozenset({_HIDDEN, _GALLERY, _MANIFEST, _SHEET, _COMPARISON})


@dataclass(frozen=True)
class Layout:
    """Where everything is that lies beside the results of `folder`; `result` is such a one's name.

    Only `records` and `failures` are the truth; what else is there can be made again.
    """

    folder: Path

    @classmethod
    def of(cls, folder: Path) -> Layout:
        """Return that of a folder as a user writes it."""
        return cls(expanded(folder))

    @property
    def hidden(self) -> Path:
        """The folder of all that people need not see."""
        return self.folder / _HIDDEN

    @property
    def records(self) -> Path:
        """The folder of records."""
        return self.hidden / "pairs"

    def record(self, result: str) -> Path:
        """The record of a finished result."""
        return self.records / f"{result}.json"

    @property
    def failures(self) -> Path:
        """The folder of failures."""
        return self.hidden / "failures"

    def failure(self, result: str) -> Path:
        """Why a result could not be made."""
        return self.failures / f"{result}.json"

    @property
    def announcements(self) -> Path:
        """The folder of records whose results are about to be written."""
        return self.hidden / "coming"

    def announcement(self, result: str) -> Path:
        """The record of a result that is about to be written."""
        return self.announcements / f"{result}.json"

    def measured(self, result: str) -> Path:
        """What a judge measured of a result."""
        return self.hidden / "metrics" / f"{result}.json"

    @property
    def thumbs(self) -> Path:
        """The folder of small copies."""
        return self.hidden / "thumbs"

    @property
    def digests(self) -> Path:
        """The remembered digests of files."""
        return self.hidden / "digests.json"

    @property
    def locks(self) -> Path:
        """The file whose bytes are the locks."""
        return self.hidden / "locks"

    @property
    def events(self) -> Path:
        """What happened in all runs."""
        return self.hidden / "events.jsonl"

    def log(self, run: str) -> Path:
        """What happened in one run, for people."""
        return self.hidden / f"run-{run}.log"

    @property
    def counts(self) -> Path:
        """What a comparison counted of its backbones."""
        return self.hidden / "comparison.json"

    @property
    def gallery(self) -> Path:
        """The page that shows all results."""
        return self.folder / _GALLERY

    @property
    def manifest(self) -> Path:
        """The summary for other programs."""
        return self.folder / _MANIFEST

    @property
    def sheet(self) -> Path:
        """The picture of all results."""
        return self.folder / _SHEET

    @property
    def comparison(self) -> Path:
        """The picture of a comparison."""
        return self.folder / _COMPARISON
