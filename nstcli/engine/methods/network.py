"""A network paints a picture in one pass: it was trained for a style, or for a kind of picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from nstcli.engine.memory import Needs, TensorBytes
from nstcli.engine.methods import Painted, Parts
from nstcli.engine.precision import Precision
from nstcli.engine.steps import OnSteps
from nstcli.engine.stylize import Scale
from nstcli.engine.targets import Content, Style
from nstcli.errors import DivergedError
from nstcli.networks import file
from nstcli.recipe import Recipe

# Networks are small enough for all their digits.
_PRECISION = Precision("float32", "contiguous_format")
# Edge in pixels of the picture by which memory is foretold: its borders count for 3 % too much.
# Tensors without content (torch's device meta) would take seconds to import what they need.
_EDGE = 64
# How much more than its tensors a process takes, and what convolutions take whatever the size:
# measured with the three kinds from 1024 to 2048 px, where this is 6 % too little at worst.
_PAINTING, _CONVOLVING = 1.4, 200 * 2**20
# float32 pictures that there are besides: the photo, what is painted, and of regions the sum.
_PICTURE_BYTES = 3 * 4


@dataclass(eq=False)
class Painting:
    """The method, whose networks are the styles; see `nstcli.engine.methods.NetworkPainter`."""

    method: str
    device: str
    precision: Precision = _PRECISION
    minimum_size: int = 1
    as_loaded: bool = True
    _measured: WeakKeyDictionary[nn.Module, float] = field(default_factory=WeakKeyDictionary)
    _trained: WeakKeyDictionary[nn.Module, float] = field(default_factory=WeakKeyDictionary)

    def read_network(self, path: Path, recipe: Recipe) -> Style:
        """Read a style from the file of a network."""
        network, notes = file.read(path, self.method)
        network.eval().to(self.device)
        self._trained[network] = notes.seconds
        return Style((), {}, {}, network=network)

    def needs(self, recipe: Recipe, regions: int, styles: Sequence[Style] = ()) -> Needs:
        """Return the memory that pictures in these styles need."""
        networks = [style.network for style in styles if style.network]
        bytes_per_pixel = max(map(self._bytes_per_pixel, networks), default=0.0)
        parameters = sum(each.nbytes for network in networks for each in network.parameters())
        pictures = (3 + regions) * _PICTURE_BYTES
        return Needs(_CONVOLVING + parameters, _PAINTING * bytes_per_pixel + pictures, 0.0)

    def _bytes_per_pixel(self, network: nn.Module) -> float:
        """Return what the tensors take that are there at a time, for each pixel of a picture."""
        if network not in self._measured:
            with TensorBytes() as passing, torch.no_grad():
                network(torch.zeros(1, 3, _EDGE, _EDGE, device=self.device))
            self._measured[network] = passing.peak / _EDGE**2
        return self._measured[network]

    def factors(
        self, recipe: Recipe, content: Tensor, style: Tensor, finish: float | None
    ) -> list[float]:
        """Return the one scale at which a picture is painted: the largest."""
        return [finish or 1.0]

    def read_content(self, image: Tensor, recipe: Recipe) -> Content:
        """Take a photo as it is."""
        return Content(image, {})

    def style_layers(self, recipe: Recipe) -> Sequence[str]:
        """Return none: a part of a picture may be as small as it likes."""
        return ()

    @torch.no_grad()
    def paint(
        self,
        pairs: Sequence[Sequence[Scale]],
        recipe: Recipe,
        on_steps: OnSteps,
        between: Callable[[], None],
    ) -> list[Painted | DivergedError]:
        """Paint pictures one after the other, each at its largest scale."""
        found: list[Painted | DivergedError] = []
        for scales in pairs:
            between()
            found.append(self._painted(scales[-1], recipe))
        return found

    def _painted(self, scale: Scale, recipe: Recipe) -> Painted | DivergedError:
        """Let every network paint all of the picture, and keep of each what its area takes.

        Statistics of instance normalisation are those of the whole picture, so that no network
        paints a part alone.
        """
        photo = picture = scale.content.image
        seconds = 0.0
        for _, takes, style in scale.guidance.areas(scale.style):
            assert style.network, "read_network made it"  # noqa: S101 - our own mistake
            painted = style.network(photo)
            if takes is None and recipe.alpha == 1:
                picture = painted
            else:
                share = recipe.alpha * (1 if takes is None else takes.clamp(0, 1))
                picture = picture + share * (painted - photo)
            seconds += self._trained.get(style.network, 0.0)
        if not picture.isfinite().all():
            return DivergedError("the network gives no numbers for this photo; train it anew")
        figures = {"training_seconds": round(seconds, 3)} if seconds else {}
        return Painted(picture.clamp(0, 1), figures)


def painter(parts: Parts, recipe: Recipe) -> Painting:
    """Take networks to where they shall run."""
    return Painting(recipe.method, parts.device)
