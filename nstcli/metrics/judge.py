"""The judge: a backbone, loaded once, that holds pictures against their content and style.

It looks at the layers that are its backbone's defaults, with its default weights and max pooling
in float32, whatever the recipe of the pictures was: figures of one judge are comparable. Reading a
picture takes up to three kilobytes of memory per pixel, of which half a kilobyte is kept.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

import backbones
from backbones import weights
from backbones.hooks import FeatureExtractor
from backbones.spec import Progress
from nstcli.engine.init import STARTS
from nstcli.engine.targets import Content
from nstcli.metrics import lpips, ssim
from nstcli.metrics.color import color_distance, colors
from nstcli.metrics.frechet import of_features, style_distance
from nstcli.metrics.judgement import Comparison, Metrics
from nstcli.metrics.lpips import Lpips
from nstcli.metrics.picture_statistics import PictureStatistics
from nstcli.metrics.relative import content_error, style_error


class Judge:
    """A backbone that judges pictures, and LPIPS beside it.

    Args:
        extractor: the judging backbone, in float32.
        perceptual: LPIPS; if it has the same extractor, each picture passes through it once.
    """

    def __init__(self, extractor: FeatureExtractor, perceptual: Lpips):
        self._extractor = extractor
        self._lpips = perceptual

    @classmethod
    def load(
        cls,
        name: str,
        *,
        offline: bool = False,
        progress: Callable[[str], Progress] | None = None,
        device: torch.device | str = "cpu",
    ) -> Self:
        """Load a backbone with its default weights, and LPIPS; download what is not cached.

        `judgement.judge_of` tells whom to ask. `progress` is given the name of what is downloaded.

        Raises:
            BackboneError: an unknown backbone, or weights that cannot be had.
        """
        backbone = backbones.get(name)
        perceptual = Lpips.load(offline=offline, progress=progress)
        extractor = perceptual.extractor
        weight_set = backbone.weight_set()
        if (name, weight_set.name) != (lpips.BACKBONE, lpips.WEIGHT_SET):
            title = weights.title(backbone, weight_set)
            extractor = FeatureExtractor.load(
                backbone,
                weight_set,
                offline=offline,
                progress=progress(title) if progress else None,
            )
        for each in {extractor, perceptual.extractor}:
            each.to(device).arrange(torch.float32, torch.channels_last)
        return cls(extractor, perceptual)

    @property
    def name(self) -> str:
        """Name of the judging backbone."""
        return self._extractor.backbone.name

    def pair(self, content: Tensor, style: Tensor) -> "JudgedPair":
        """Get ready to judge pictures of one content and style, both (1, 3, H, W) in [0, 1].

        Raises:
            BackboneError: an image is below the minimum size.
            ValueError: an image is no (1, 3, H, W).
        """
        return JudgedPair(self, self.read(content), self.read_style(style))

    def read(self, image: Tensor) -> PictureStatistics:
        """Look at a picture or a content, (1, 3, H, W), RGB in [0, 1].

        Raises:
            BackboneError: it is below the minimum size.
            ValueError: it has another shape.
        """
        return self._read(image, tuple(self._lpips.heads))

    def read_style(self, image: Tensor) -> PictureStatistics:
        """Look at a style, without what only a content is compared by.

        Raises:
            BackboneError: it is below the backbone's minimum size.
            ValueError: it is no (1, 3, H, W).
        """
        return self._read(image, ())

    @torch.no_grad()
    def _read(self, image: Tensor, lpips_layers: tuple[str, ...]) -> PictureStatistics:
        if image.shape[:-2] != (1, 3):
            raise ValueError(f"a picture is (1, 3, H, W), not {tuple(image.shape)}")
        image = image.to(self._extractor.gain)
        backbone, network = self._extractor.backbone, self._lpips.extractor
        by_term = {"content": backbone.content_layers, "style": backbone.style_layers}
        layers = [*backbone.content_layers, *backbone.style_layers]
        if network is self._extractor:
            found = self._extractor(image, [*layers, *lpips_layers])
            scaled = self._lpips.scaled(found) if lpips_layers else {}
        else:
            found = self._extractor(image, layers)
            scaled = self._lpips.scaled(network(image, lpips_layers)) if lpips_layers else {}
        return PictureStatistics(
            Content.of(image, found, by_term),
            {name: of_features(found[name]) for name in backbone.style_layers},
            colors(image),
            ssim.luminance(image),
            scaled,
        )

    def metrics(
        self, picture: PictureStatistics, content: PictureStatistics, style: PictureStatistics
    ) -> Metrics:
        """Compare a picture that was read with its content and style."""
        backbone = self._extractor.backbone
        content_layers, style_layers = backbone.content_layers, backbone.style_layers
        return Metrics(
            content_error=content_error(picture, content, style, content_layers),
            style_error=style_error(picture, content, style, style_layers),
            lpips=self._lpips.distance(picture.lpips_features, content.lpips_features),
            ssim=ssim.ssim(picture.luminance, content.luminance),
            frechet=style_distance(picture.gaussians, style.gaussians, style_layers),
            color=color_distance(picture.colors, style.colors),
        )


class JudgedPair:
    """One content and one style, read once, and any number of pictures made from them."""

    def __init__(self, judge: Judge, content: PictureStatistics, style: PictureStatistics):
        self._judge = judge
        self._content = content
        self._style = style

    def measure(self, picture: Tensor) -> Metrics:
        """Judge a picture of the content's shape.

        Raises:
            ValueError: it has another shape.
        """
        wanted = self._content.content.image.shape
        if picture.shape != wanted:
            raise ValueError(f"the picture is {tuple(picture.shape)}, its content {tuple(wanted)}")
        return self._judge.metrics(self._judge.read(picture), self._content, self._style)

    def compare(self, picture: Tensor) -> Comparison:
        """Judge a picture, and the two baselines next to it.

        Raises:
            ValueError: it has another shape than the content.
        """
        return Comparison(self.measure(picture), self.content, self.style)

    @cached_property
    def content(self) -> Metrics:
        """The first baseline: the unchanged content."""
        return self._judge.metrics(self._content, self._content, self._style)

    @cached_property
    def style(self) -> Metrics:
        """The second baseline: the style, resized to cover the content's shape, its middle."""
        content, style = self._content.content.image, self._style.content.image
        return self.measure(STARTS["style"](content, style, 0))
