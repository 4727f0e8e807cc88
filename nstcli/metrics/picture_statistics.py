"""Statistics of a picture that a judge compares, computed once for all metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nstcli.engine.targets import Content, Style
from nstcli.faces import Face
from nstcli.metrics.edges import Edges
from nstcli.metrics.frechet import Gaussian


@dataclass(frozen=True)
class PictureStatistics:
    """A picture as a judge sees it.

    Attributes:
        content: image (1, 3, H, W), and the statistics that the engine's terms compare.
        gaussians: of the activations at the judge's style layers.
        windows: descriptions of all windows at the judge's style layers.
        profiles: of the activations at the witness's style layers.
        similarities: of all positions with each other, as the witness sees them.
        colors: of the pixels, in CIELAB.
        luminance: (H, W), in [0, 1].
        edges: of the luminance.
        lpips: by layer, what LPIPS compares; empty for a style, like the following.
        lpips_alex: likewise, LPIPS-Alex.
        dists: what DISTS compares.
        faces: that were found.
    """

    content: Content
    gaussians: Mapping[str, Gaussian]
    windows: Mapping[str, Tensor]
    profiles: Mapping[str, Tensor]
    similarities: Tensor
    colors: Gaussian
    luminance: NDArray[np.float64]
    edges: Edges
    lpips: Mapping[str, Tensor]
    lpips_alex: Mapping[str, Tensor]
    dists: Sequence[Tensor]
    faces: Sequence[Face]

    @cached_property
    def style(self) -> Style:
        """The same, as what a style is to the engine."""
        return Style.of(self.content)
