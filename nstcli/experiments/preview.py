"""A preview: the same pictures, small and with few steps, in a folder within the output folder."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nstcli.experiments.file import ExperimentFile, checked


@dataclass(frozen=True)
class Preview:
    """What pictures of a preview have at most; what varies stays as it is, since it is looked for.

    Attributes:
        size: longest edge in pixels.
        steps: of the optimizer.
    """

    size: int = 192
    steps: int = 60

    def of(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return what of these options changes, by name."""
        most = {"size": self.size, "steps": self.steps}
        return {name: min(options[name], limit) for name, limit in most.items() if name in options}

    def of_file(self, file: ExperimentFile) -> ExperimentFile:
        """Return an experiment whose backbones have no larger settings of their own."""
        table = copy.deepcopy(dict(file.table))
        for backbone, settings in table.get("backbone", {}).items():
            settings.update(self.of(file.own[backbone]))
        return checked(file.path, table)
