"""One picture of an input."""

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Source:
    """A picture to be read, and the folder below its input folder, which results mirror."""

    path: Path
    folder: PurePosixPath = field(default=PurePosixPath())
