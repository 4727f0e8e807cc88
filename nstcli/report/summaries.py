"""Write gallery and manifest, while a batch runs and at its end."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from nstcli.errors import InputError
from nstcli.report.manifest import write_manifest
from nstcli.results.folder import Store
from nstcli.run.events import Event, PairDone, PairFailed, PairFound

# Seconds between two galleries while pairs are made, and how many times what one takes: for large
# batches, so that looking at them never costs more than a few percent of one core.
_PAUSE = 10.0
_PAUSE_FACTOR = 30


class Summaries:
    """A listener that writes them; where one cannot be written, the batch goes on.

    While pairs are made, galleries are written by a thread: the small copies of new pictures take
    a while, and workers that are done wait for whoever hears of it.
    """

    def __init__(self, store: Store, complain: Callable[[str], None], gallery: bool):
        self._store = store
        self._complain = complain
        self._wants_gallery = gallery
        self._changed = False
        self._next = time.monotonic() + _PAUSE
        self._writing: threading.Thread | None = None

    def __call__(self, event: Event) -> None:
        """Write the gallery anew when the last one is old enough."""
        if isinstance(event, PairDone | PairFailed | PairFound):
            self._changed = True
            if self._writing and not self._writing.is_alive():
                self._writing = None
            if self._wants_gallery and not self._writing and time.monotonic() >= self._next:
                self._writing = threading.Thread(target=self._write_gallery, daemon=True)
                self._writing.start()

    def finish(self, changed: bool = False) -> Path:
        """Write both, if there is anything new, and return what to look at."""
        if self._writing:
            self._writing.join()
        page = self._store.layout.gallery
        self._changed |= changed
        if self._changed:
            try:
                write_manifest(self._store)
            except (OSError, InputError) as error:
                self._complain(f"the manifest cannot be written: {error}")
        # An interrupted run may leave nothing to show.
        missing = not page.exists() and next(self._store.recorded(), None)
        if self._wants_gallery and (self._changed or missing):
            self._write_gallery()
        return page if self._wants_gallery and page.exists() else self._store.folder

    def _write_gallery(self) -> None:
        from nstcli.report.gallery import write_gallery

        started = time.monotonic()
        try:
            write_gallery(self._store.folder)
        except (OSError, InputError) as error:
            self._complain(f"the gallery cannot be written: {error}")
            self._wants_gallery = False
        took = time.monotonic() - started
        self._next = time.monotonic() + max(_PAUSE, _PAUSE_FACTOR * took)
