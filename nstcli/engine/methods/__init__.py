"""Methods: how pictures are made, a file each; the rows are in `nstcli.methods`.

The module of a method has a function `painter`, which takes `Parts` and a recipe and returns a
`Painter`. What a method reads of pictures is `Content` and `Style`, whatever statistics it needs;
what holds where is told by the same `Guidance` for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from torch import Tensor, nn

from backbones.hooks import FeatureExtractor
from nstcli.engine.memory import InTiles, Needs
from nstcli.engine.precision import Precision
from nstcli.engine.steps import OnSteps
from nstcli.engine.stylize import Scale
from nstcli.engine.targets import Content, Style
from nstcli.engine.tiling import Sights, Tiling
from nstcli.errors import DivergedError
from nstcli.methods import METHODS
from nstcli.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Parts:
    """What a method is made of.

    Attributes:
        extractor: its backbone, None where it has none.
        companions: the networks that it has besides, by name; backbones as extractors.
        device: on which they are.
        precision: asked for: `auto`, `float32` or `bfloat16`.
        remembered: the file in which it is kept what is fastest here.
    """

    extractor: FeatureExtractor | None
    companions: Mapping[str, nn.Module]
    device: str
    precision: str
    remembered: Path


@dataclass(frozen=True, eq=False)
class Painted:
    """A finished picture.

    Attributes:
        image: (1, 3, H, W), RGB in [0, 1].
        figures: what is known of it, by name.
        steps: that were taken; 0 where there are none.
        stopped: whether the listener ended it.
        curve: (step, loss) of at most a hundred steps.
        shortfall: why it is no better than what it began with; empty where it is.
    """

    image: Tensor
    figures: Mapping[str, float] = field(default_factory=dict)
    steps: int = 0
    stopped: bool = False
    curve: tuple[tuple[int, float], ...] = ()
    shortfall: str = ""


class Painter(Protocol):
    """A method with its networks, ready to make pictures of one `Settings.reading`.

    Recipes differ in what reading does not depend on, and are told each time.

    Attributes:
        precision: in which its networks run.
        minimum_size: pixels that an edge of a picture needs.
        as_loaded: whether its parts have kept all their digits, so that others can have them.
    """

    precision: Precision
    minimum_size: int
    as_loaded: bool

    def needs(self, recipe: Recipe, regions: int) -> Needs:
        """Return the memory that pictures need; for regions, see `nstcli.engine.memory.needs`."""

    def factors(
        self, recipe: Recipe, content: Tensor, style: Tensor, finish: float | None
    ) -> list[float]:
        """Return the scales of a pair, from coarse to fine, as factors of the recipe's size.

        Args:
            recipe: how it is made.
            content: (1, 3, H, W).
            style: the smallest of its artworks, likewise.
            finish: the last of them, where the picture is to be larger than that; else it is 1.
        """

    def read_content(self, image: Tensor, recipe: Recipe) -> Content:
        """Read a photo (1, 3, H, W) at a scale.

        Raises:
            BackboneError: it is too small.
        """

    def read_style(self, image: Tensor, mask: Tensor | None, recipe: Recipe) -> Style:
        """Read an artwork (1, 3, H, W), whose pixels count as a mask (1, 1, H, W) says.

        Raises:
            BackboneError: it is too small.
        """

    def style_layers(self, recipe: Recipe) -> Sequence[str]:
        """Return the layers at which a part of a picture has to be large enough for its style."""

    def paint(
        self,
        pairs: Sequence[Sequence[Scale]],
        recipe: Recipe,
        on_steps: OnSteps,
        between: Callable[[], None],
    ) -> list[Painted | DivergedError]:
        """Make pictures of one shape, one of each pair of scales, which go from coarse to fine.

        Args:
            pairs: what they are made of.
            recipe: how.
            on_steps: hears of steps, where there are any; a true answer stops all of them.
            between: is called now and then where there are none, and may raise to end it.
        """


class TilingPainter(Painter, Protocol):
    """A method that can look at pictures in tiles; see `Needs.tiled`."""

    def read_content(self, image: Tensor, recipe: Recipe, tiling: Tiling | None = None) -> Content:
        """Read a photo in tiles, if it is said how."""

    def read_style(
        self, image: Tensor, mask: Tensor | None, recipe: Recipe, tiling: Tiling | None = None
    ) -> Style:
        """Read an artwork likewise."""

    def in_tiles(self, recipe: Recipe, regions: int) -> Sequence[InTiles]:
        """Return the memory that pictures need in tiles, by the layers that these may end at."""

    def sights(self, shape: tuple[int, int], recipe: Recipe, neck: str | None) -> Sights:
        """Find out what is seen of a picture of so many rows and columns; see `Sights.of`."""


class NetworkPainter(Painter, Protocol):
    """A method whose styles are networks; see `Method.networks`."""

    def read_network(self, path: Path, recipe: Recipe) -> Style:
        """Read a style from its file.

        Raises:
            InputError: it is no such network; it names the file.
        """

    def needs(self, recipe: Recipe, regions: int, styles: Sequence[Style] = ()) -> Needs:
        """Return the memory that pictures in these styles need."""


class BegunPainter(Painter, Protocol):
    """A method that may start from the picture of another; see `Recipe.begun_by`."""

    def begun(self, scales: Sequence[Scale], recipe: Recipe) -> list[Scale]:
        """Give every scale what it is to begin with.

        Raises:
            BackboneError: a picture is too small for the other method.
        """


def painter(parts: Parts, recipe: Recipe) -> Painter:
    """Get a recipe's method ready."""
    module = import_module(METHODS[recipe.method].module)
    return cast(Painter, module.painter(parts, recipe))
