"""The files of an output folder besides the results: where each of them lies. Pure paths."""

from __future__ import annotations

from pathlib import Path

_HIDDEN = ".nst"
_GALLERY, _MANIFEST = "index.html", "manifest.json"
_SHEET, _COMPARISON, _EXPERIMENT = "sheet.png", "comparison.png", "experiment.yaml"
_PREVIEW, _SUMMARY = "preview", "summary"
# Behind the name of a result: the folder of its stages; in that, what says which there are.
STAGES = ".stages"
STAGES_INDEX = "stages.json"
# Names at the top of an output folder that no folder of results may have.
RESERVED = frozenset(
    {_HIDDEN, _GALLERY, _MANIFEST, _SHEET, _COMPARISON, _EXPERIMENT, _PREVIEW, _SUMMARY}
)


class Layout:
    """Where everything is that lies beside the results of a folder.

    Only records and failures are the truth; what else is there can be made again.

    Attributes:
        folder: the output folder.
        hidden: the folder of all that people need not see.
        records: the folder of records.
        failures: the folder of failures.
        announcements: the folder of records whose results are about to be written.
        thumbs: the folder of small copies.
        digests: the remembered digests of files.
        locks: the file whose bytes are the locks.
        events: what happened in all runs, lately.
        events_before: what happened before that.
        counts: what an experiment counted of its variants.
        gallery: the page that shows all results.
        manifest: the summary for other programs.
        sheet: the picture of all results.
        comparison: the picture of a comparison.
        experiment: the experiment that the results belong to, as it was resolved.
        preview: the output folder of its preview.
        order: of the values of what varies.
        choosing: how to choose from this preview.
        summary: the folder of all pictures and figures by setting.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.hidden = hidden = folder / _HIDDEN
        self.records = hidden / "pairs"
        self.failures = hidden / "failures"
        self.announcements = hidden / "coming"
        self.thumbs = hidden / "thumbs"
        self.digests = hidden / "digests.json"
        self.locks = hidden / "locks"
        self.events = hidden / "events.jsonl"
        self.events_before = hidden / "events.1.jsonl"
        self.counts = hidden / "comparison.json"
        self.gallery = folder / _GALLERY
        self.manifest = folder / _MANIFEST
        self.sheet = folder / _SHEET
        self.comparison = folder / _COMPARISON
        self.experiment = folder / _EXPERIMENT
        self.preview = folder / _PREVIEW
        self.order = hidden / "order.json"
        self.choosing = hidden / "choosing.json"
        self.summary = folder / _SUMMARY

    def record(self, result: str) -> Path:
        """Return where the record of a result is."""
        return self.records / f"{result}.json"

    def failure(self, result: str) -> Path:
        """Return where it says why a result could not be made."""
        return self.failures / f"{result}.json"

    def announcement(self, result: str) -> Path:
        """Return where the record of a result is that is about to be written."""
        return self.announcements / f"{result}.json"

    def measured(self, result: str) -> Path:
        """Return where it says what a judge measured of a result."""
        return self.hidden / "metrics" / f"{result}.json"

    def stages(self, result: str) -> Path:
        """Return the folder of the pictures on the way to a result."""
        return self.folder / f"{result}{STAGES}"

    def log(self, run: str) -> Path:
        """Return where it says what happened in one run."""
        return self.hidden / f"run-{run}.log"
