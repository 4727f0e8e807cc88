"""The pixels are optimized until a network sees in them the photo and the artwork."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace

from torch import Tensor

from backbones.hooks import FeatureExtractor
from nstcli.engine.memory import InTiles, Needs, in_tiles, needs
from nstcli.engine.methods import Painted, Parts, adain
from nstcli.engine.methods.adain import AdaIN
from nstcli.engine.objective import sights
from nstcli.engine.precision import Precision, arranged
from nstcli.engine.pyramid import factors
from nstcli.engine.shortfall import shortfall
from nstcli.engine.steps import OnSteps
from nstcli.engine.stylize import Result, Scale, stylize_together
from nstcli.engine.targets import Content, Style, read_content, read_style
from nstcli.engine.tiling import Sights, Tiling
from nstcli.errors import DivergedError
from nstcli.recipe import Recipe
from nstcli.terms import Role

# Of a pixel, float32, at all scales together: what pictures start from is kept.
_BEGUN_BYTES = 3 * 4 * 4 / 3


@dataclass(frozen=True, eq=False)
class Optimizing:
    """The method with its network; see `nstcli.engine.methods.Painter`."""

    extractor: FeatureExtractor
    precision: Precision
    starter: AdaIN | None = None

    @property
    def minimum_size(self) -> int:
        """Pixels that an edge of a picture needs."""
        return self.extractor.backbone.minimum_size

    @property
    def as_loaded(self) -> bool:
        """Whether the network has kept all its digits."""
        return self.precision.dtype == "float32"

    def needs(self, recipe: Recipe, regions: int) -> Needs:
        """Return the memory that pictures need, those that they start from included."""
        found = needs(self.extractor, recipe, regions)
        if self.starter is None:
            return found
        before = self.starter.needs(recipe, regions)
        return replace(
            found,
            fixed=found.fixed + before.fixed,
            painting=max(found.painting, before.painting + before.kept),
            reading=max(found.reading, before.reading),
        )

    def begun(self, scales: Sequence[Scale], recipe: Recipe) -> list[Scale]:
        """Give every scale the picture that the starting method makes of it."""
        if self.starter is None:
            return [*scales]
        return [replace(each, init=self.starter.beside(each, recipe)) for each in scales]

    def factors(
        self, recipe: Recipe, content: Tensor, style: Tensor, finish: float | None
    ) -> list[float]:
        """Return the scales of a pair."""
        found = factors(recipe, content, style, self.minimum_size)
        return [*found, finish] if finish else found

    def read_content(self, image: Tensor, recipe: Recipe, tiling: Tiling | None = None) -> Content:
        """Read a photo for the terms of the recipe."""
        return read_content(self.extractor, image, recipe, tiling=tiling)

    def read_style(
        self, image: Tensor, mask: Tensor | None, recipe: Recipe, tiling: Tiling | None = None
    ) -> Style:
        """Read an artwork for the terms of the recipe."""
        return read_style(self.extractor, [image], recipe, None, [mask], tiling)

    def in_tiles(self, recipe: Recipe, regions: int) -> list[InTiles]:
        """Return the memory that pictures need in tiles, those that they start from included."""
        found = in_tiles(self.extractor, recipe, regions)
        if self.starter is None:
            return found
        before = self.starter.needs(recipe, regions)
        return [
            replace(
                each,
                fixed=each.fixed + before.fixed + before.painting * before.at_once,
                held=each.held + _BEGUN_BYTES,
                behind=max(each.behind, before.kept),
            )
            for each in found
        ]

    def sights(self, shape: tuple[int, int], recipe: Recipe, neck: str | None) -> Sights:
        """Find out what the terms of the recipe see of a picture."""
        return sights(self.extractor, shape, recipe, neck)

    def style_layers(self, recipe: Recipe) -> Sequence[str]:
        """Return the layers of the style term, if it weighs anything."""
        return [*recipe.layers_of_terms["style"]] if recipe.weights_of_terms["style"] else []

    def paint(
        self,
        pairs: Sequence[Sequence[Scale]],
        recipe: Recipe,
        on_steps: OnSteps,
        between: Callable[[], None],
    ) -> list[Painted | DivergedError]:
        """Optimize pictures from coarse to fine."""
        results = stylize_together(self.extractor, pairs, recipe, on_steps)
        return [
            result if isinstance(result, DivergedError) else _painted(result, recipe, scales[-1])
            for result, scales in zip(results, pairs, strict=True)
        ]


def painter(parts: Parts, recipe: Recipe) -> Optimizing:
    """Bring the network into the form and the precision that are asked for."""
    assert parts.extractor, "it looks through a backbone"  # noqa: S101 - our own mistake
    starter = adain.starter(parts, recipe) if recipe.begun_by else None
    arrangement = arranged(parts.extractor, recipe, parts.precision, parts.remembered)
    return Optimizing(*arrangement, starter)


def _painted(result: Result, recipe: Recipe, scale: Scale) -> Painted:
    figures = {
        "loss": result.loss,
        "loss_before": result.loss_before,
        **_errors(result, scale.roles),
        "step_seconds": float(f"{result.pace[0]:.4g}"),
        "step_spread": float(f"{result.pace[1]:.4g}"),
    }
    if scale.tiling:
        figures["tile_height"], figures["tile_width"] = scale.tiling.size
        figures["tile_work"] = float(f"{result.work:.4g}")
    short = shortfall(result, recipe)
    return Painted(result.image, figures, result.steps, result.stopped, result.curve, short)


def _errors(result: Result, roles: Set[Role]) -> dict[str, float]:
    """Return how far a picture is from what it was made of."""
    found = {}
    if "content" in roles:
        found["content_error"] = result.content_error
    if "style" in roles:
        found["style_error"] = result.style_error
    if roles >= {"content", "style"}:
        found["style_error_before"] = result.style_error_before
    elif "content" in roles:  # it was to be the photo again
        found["psnr"] = result.psnr
    return found
