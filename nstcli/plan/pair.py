"""What a result is made of: pictures, and the pair that they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from nstcli.text import shown


@dataclass(frozen=True)
class Source:
    """A picture to be read, and the folder below its input folder, which results mirror."""

    path: Path
    folder: PurePosixPath = field(default=PurePosixPath())


@dataclass(frozen=True)
class Pair:
    """One content and one style; `output` is where their result goes below the output folder.

    It is a relative path with `/`, and safe on every system.
    """

    content: Path
    style: Path
    output: str

    @property
    def title(self) -> str:
        """Name both images, for people."""
        return f"{shown(self.content.name)} × {shown(self.style.name)}"


@dataclass(frozen=True)
class Job:
    """A pair to be made, with all that its bytes depend on besides the recipe."""

    pair: Pair
    key: str
    content_sha256: str
    style_sha256: str
