"""The experiment that results belong to, kept in their folder as it was resolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from backbones.atomic import write_atomic
from backbones.paths import exists
from nstcli.config import yaml12
from nstcli.config.option import settings_of
from nstcli.errors import InputError
from nstcli.experiments.file import ExperimentFile
from nstcli.plan.layout import Layout
from nstcli.recipe import Choices
from nstcli.report.foreign_files import refuse_foreign
from nstcli.report.varying import Order, write_order
from nstcli.results.folder import Store
from nstcli.run.events import Event, WorkerReady

# The first line of every such file, so that none is ever written over another one.
_FIRST = "# What nst run made here, every setting resolved. Written anew by each run."


# What is no matter of the results; a preset is resolved to what it sets.
_NOT_KEPT = {"config", "preset", "overwrite", "force"}


def resolved(file: ExperimentFile, *groups: Any) -> dict[str, object]:
    """Return an experiment with every setting that its pictures depend on.

    Args:
        file: the experiment.
        groups: of options, with their values, that decide of its pictures.
    """
    chosen = {field.name for field in fields(Choices)}
    found: dict[str, object] = {}
    for group in groups:
        for setting in settings_of(type(group)):
            value = getattr(group, setting.field)
            told = setting.field in chosen or value != setting.default
            if told and value is not None and setting.field not in _NOT_KEPT:
                found[setting.key] = list(value) if isinstance(value, tuple) else value
    return file.resolved(found)


class Once:
    """A listener that writes a file when the work begins; where it cannot, the work goes on.

    Args:
        layout: of the output folder.
        write: writes it; may raise OSError or InputError.
        complain: is told why it cannot be written.
    """

    def __init__(self, layout: Layout, write: Callable[[], None], complain: Callable[[str], None]):
        self._layout = layout
        self._write = write
        self._complain = complain
        self._tried = False

    def __call__(self, event: Event) -> None:
        """Write it when the output folder is there."""
        if isinstance(event, WorkerReady):
            self._try()

    def finish(self) -> None:
        """Write it where nothing was to be made."""
        if exists(self._layout.hidden):
            self._try()

    def _try(self) -> None:
        if self._tried:
            return
        self._tried = True
        try:
            self._write()
        except (OSError, InputError) as error:
            self._complain(str(error))


class Kept(Once):
    """Writes down the experiment that results belong to; `nst run` reads it as any other.

    Beside it, for galleries, it leaves the order of the values of what varies.

    Args:
        store: of the results.
        table: the experiment.
        order: of the values, by key.
        complain: is told why it cannot be written.
    """

    def __init__(
        self,
        store: Store,
        table: Mapping[str, object],
        order: Order,
        complain: Callable[[str], None],
    ):
        path = store.layout.experiment

        def write() -> None:
            write_order(store.layout, order)
            refuse_foreign(path, "experiment", lambda data: data.startswith(_FIRST.encode()))
            write_atomic(path, f"{_FIRST}\n{yaml12.dump(table)}".encode())

        super().__init__(
            store.layout, write, lambda why: complain(f"the experiment cannot be kept: {why}")
        )
