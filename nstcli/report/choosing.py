"""How a gallery lets people choose: the cells of its pictures, and the command that paints them.

A preview leaves it in its folder when the work begins, so that every gallery that is written there
knows it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from backbones.atomic import write_atomic
from nstcli.plan.layout import Layout


@dataclass(frozen=True)
class Choosing:
    """What can be chosen.

    Attributes:
        command: that paints all at full size, for a shell; `--cells` behind it paints some.
        cells: by the names of the results.
    """

    command: str = ""
    cells: Mapping[str, str] = field(default_factory=dict)

    def write(self, layout: Layout) -> None:
        """Leave it in an output folder.

        Raises:
            OSError: it cannot be written.
        """
        write_atomic(layout.choosing, json.dumps(asdict(self), indent=1).encode())


def read_choosing(layout: Layout) -> Choosing:
    """Return what can be chosen in an output folder: nothing where none was left, or by no nst."""
    try:
        known = json.loads(layout.choosing.read_bytes())
        command, cells = str(known["command"]), known["cells"]
        return Choosing(command, {str(name): str(cell) for name, cell in cells.items()})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Choosing()
