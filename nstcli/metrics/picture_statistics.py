"""Statistics of a picture that a judge compares, computed once for all metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nstcli.engine.targets import Content, Style
from nstcli.metrics.frechet import Gaussian


@dataclass(frozen=True)
class PictureStatistics:
    """A picture as a judge sees it.

    Attributes:
        content: image (1, 3, H, W), and the statistics that the engine's terms compare.
        gaussians: of the activations at the style layers.
        colors: of the pixels, in CIELAB.
        luminance: (H, W), in [0, 1].
        lpips_features: what LPIPS compares, by layer; empty for a style.
    """

    content: Content
    gaussians: Mapping[str, Gaussian]
    colors: Gaussian
    luminance: NDArray[np.float64]
    lpips_features: Mapping[str, Tensor]

    @cached_property
    def style(self) -> Style:
        """The same, as what a style is to the engine."""
        return Style.of(self.content)
