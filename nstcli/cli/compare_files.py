"""The files that a comparison leaves besides its pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backbones.files import write_atomic
from backbones.paths import is_folder, resolved
from nstcli.cli.screen import Screen
from nstcli.errors import InputError, StoppedError
from nstcli.experiment import captions
from nstcli.experiment.experiment import Contest
from nstcli.experiment.exports import as_csv, as_json, as_markdown
from nstcli.experiment.figures import Row
from nstcli.experiment.sheet import write_sheet
from nstcli.report.manifest import write_manifest
from nstcli.text import shown


@dataclass(frozen=True)
class Exports:
    """Where figures are to be written; None for nowhere."""

    json: Path | None = None
    csv: Path | None = None
    markdown: Path | None = None

    def refuse(self, inputs: Sequence[Path], output: Path) -> None:
        """Find out before the work what would go wrong after it.

        Args:
            inputs: all photos and artworks.
            output: folder of the comparison, which the work makes if it is not there.

        Raises:
            InputError: there is no such folder, an input would be replaced, or one export by
                another.
        """
        inputs_taken = {resolved(path) for path in inputs}
        exports_taken: set[Path] = set()
        for path in (self.json, self.csv, self.markdown):
            if path is None:
                continue
            if is_folder(path):
                raise InputError(f"cannot export to '{shown(path)}': that is a folder")
            if not is_folder(path.parent) and resolved(path.parent) != resolved(output):
                where = shown(path.parent)
                raise InputError(f"cannot export to '{shown(path)}': no folder '{where}'")
            if resolved(path) in inputs_taken:
                raise InputError(f"exporting to '{shown(path)}' would replace an input")
            if resolved(path) in exports_taken:
                raise InputError(f"two exports to '{shown(path)}'; give each a file of its own")
            exports_taken.add(resolved(path))

    def write(
        self, contest: Contest, table: Sequence[Row], title: str, budget: float | None
    ) -> list[Path]:
        """Write those that are wanted, and return their paths.

        Raises:
            StoppedError: one cannot be written.
        """
        texts: dict[Path, str] = {}
        if self.json:
            texts[self.json] = everything(contest, table, budget)
        if self.csv:
            texts[self.csv] = as_csv(contest)
        if self.markdown:
            remarks = captions.remarks(contest, table, best="in bold")
            texts[self.markdown] = as_markdown(title, table, remarks)
        for path, text in texts.items():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)  # where nothing could be made
                write_atomic(path, text.encode(errors="backslashreplace"))
            except OSError as error:
                problem = error.strerror or error
                raise StoppedError(f"cannot write '{shown(path)}': {problem}") from error
        return list(texts)


def everything(contest: Contest, table: Sequence[Row], budget: float | None) -> str:
    """Return all figures as JSON, with what is to be known of this machine."""
    from nstcli.cli.info import gather

    return as_json(contest, table, gather(), budget)


def summarise(contest: Contest, screen: Screen, *, gallery: bool) -> list[Path]:
    """Write sheet, gallery and manifest, and return what to look at.

    Where one of them cannot be written, a warning says why.
    """
    from nstcli.report.gallery import write_gallery

    found: list[Path] = []
    try:
        found.append(write_sheet(contest))
    except (OSError, InputError) as error:
        screen.complain(f"warning: the sheet cannot be written: {error}")
    try:
        if gallery:
            found.append(write_gallery(contest.store.folder))
    except (OSError, InputError) as error:
        screen.complain(f"warning: the gallery cannot be written: {error}")
    try:
        write_manifest(contest.store)
    except (OSError, InputError) as error:
        screen.complain(f"warning: the manifest cannot be written: {error}")
    return found
