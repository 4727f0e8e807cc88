"""The judge: a backbone, loaded once, that holds pictures against their content and style.

It looks at the layers that are its backbone's defaults, with its default weights and max pooling
in float32, whatever the recipe of the pictures was: figures of one judge are comparable. Beside it
are a witness, a second backbone, for what the judge's own family should not be asked, and networks
that certain figures are named after. Reading a picture takes up to four kilobytes of memory per
pixel, of which half a kilobyte is kept.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

import backbones
from backbones.hooks import FeatureExtractor
from backbones.spec import Progress
from nstcli.engine.init import STARTS
from nstcli.engine.targets import Content
from nstcli.faces import Face, FaceDetector
from nstcli.measures import Metrics
from nstcli.metrics import ssim
from nstcli.metrics.color import color_distance, colors
from nstcli.metrics.dists import Dists
from nstcli.metrics.edges import edges, kept_edges
from nstcli.metrics.faces import kept_faces
from nstcli.metrics.frechet import of_features, style_distance
from nstcli.metrics.judgement import Comparison
from nstcli.metrics.loading import Loader
from nstcli.metrics.lpips import Lpips
from nstcli.metrics.picture_statistics import PictureStatistics
from nstcli.metrics.relative import content_error, style_error
from nstcli.metrics.sliced import profiles, sliced_distance
from nstcli.metrics.structure import similarities, structure
from nstcli.metrics.windows import local_distance, windows


@dataclass(frozen=True)
class Judge:
    """Networks that judge pictures; through one that is here twice, each picture passes once.

    Attributes:
        extractor: the judging backbone, in float32.
        witness: the backbone of the figures that should not depend on the judge's family.
        lpips: LPIPS-VGG.
        lpips_alex: LPIPS-Alex.
        dists: DISTS, whose network is its own.
        faces: finds the faces in a picture (1, 3, H, W).
    """

    extractor: FeatureExtractor
    witness: FeatureExtractor
    lpips: Lpips
    lpips_alex: Lpips
    dists: Dists
    faces: Callable[[Tensor], Sequence[Face]]

    @classmethod
    def load(
        cls,
        name: str,
        witness: str | None = None,
        *,
        offline: bool = False,
        progress: Callable[[str], Progress] | None = None,
        device: torch.device | str = "cpu",
    ) -> Self:
        """Load backbones with their default weights, and the rest; download what is not cached.

        Args:
            name: of the judge; `judgement.judge_of` tells whom to ask.
            witness: likewise, `judgement.witness_of`; the judge itself for None.
            offline: download nothing.
            progress: is given the name of what is downloaded.
            device: where they run.

        Raises:
            BackboneError: an unknown backbone, or weights that cannot be had.
        """
        backbones.get(name)  # before anything is downloaded
        loader = Loader(offline, progress)
        perceptual, alex = Lpips.load(loader), Lpips.load_alex(loader)
        found = {each.extractor.backbone.name: each.extractor for each in (perceptual, alex)}
        for wanted in (name, witness or name):
            if wanted not in found:
                found[wanted] = loader.network(backbones.get(wanted))
        faces = FaceDetector.load(loader.tensors).to(device)
        judge, other = found[name], found[witness or name]
        made = cls(judge, other, perceptual, alex, Dists.load(loader), faces)
        named = (made.lpips, made.lpips_alex, made.dists)
        for each in {made.extractor, made.witness, *(part.extractor for part in named)}:
            each.to(device).arrange(torch.float32, torch.channels_last)
        return made

    @property
    def name(self) -> str:
        """Name of the judging backbone."""
        return self.extractor.backbone.name

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
        return self._read(image, is_style=False)

    def read_style(self, image: Tensor) -> PictureStatistics:
        """Look at a style, without what only a content is compared by.

        Raises:
            BackboneError: it is below the backbone's minimum size.
            ValueError: it is no (1, 3, H, W).
        """
        return self._read(image, is_style=True)

    @torch.no_grad()
    def _read(self, image: Tensor, *, is_style: bool) -> PictureStatistics:
        if image.shape[:-2] != (1, 3):
            raise ValueError(f"a picture is (1, 3, H, W), not {tuple(image.shape)}")
        image = image.detach().to(self.extractor.gain)
        judge, witness = self.extractor.backbone, self.witness.backbone
        by_term = {"content": judge.content_layers, "style": judge.style_layers}
        wanted: list[tuple[FeatureExtractor, Iterable[str]]] = [
            (self.extractor, [*judge.content_layers, *judge.style_layers]),
            (self.witness, [witness.usual_structure_layer, *witness.style_layers]),
        ]
        perceptual = () if is_style else (self.lpips, self.lpips_alex)
        wanted += [(each.extractor, each.heads) for each in perceptual]
        found = _seen(image, wanted)
        seen, witnessed = found[self.extractor], found[self.witness]
        luminance = ssim.luminance(image)
        scaled = [each.scaled(found[each.extractor]) for each in perceptual] or [{}, {}]
        return PictureStatistics(
            content=Content.of(image, seen, by_term),
            gaussians={name: of_features(seen[name]) for name in judge.style_layers},
            windows={
                name: windows(seen[name], judge.layer(name).stride) for name in judge.style_layers
            },
            profiles={name: profiles(witnessed[name]) for name in witness.style_layers},
            similarities=similarities(witnessed[witness.usual_structure_layer]),
            colors=colors(image),
            luminance=luminance,
            edges=edges(luminance),
            lpips=scaled[0],
            lpips_alex=scaled[1],
            dists=() if is_style else self.dists.read(image),
            faces=() if is_style else self.faces(image),
        )

    def metrics(
        self, picture: PictureStatistics, content: PictureStatistics, style: PictureStatistics
    ) -> Metrics:
        """Compare a picture that was read with its content and style."""
        backbone = self.extractor.backbone
        content_layers, style_layers = backbone.content_layers, backbone.style_layers
        return Metrics(
            content_error=content_error(picture, content, style, content_layers),
            structure=structure(picture.similarities, content.similarities),
            edges=kept_edges(picture.edges, content.edges),
            lpips=self.lpips.distance(picture.lpips, content.lpips),
            lpips_alex=self.lpips_alex.distance(picture.lpips_alex, content.lpips_alex),
            dists=self.dists.distance(picture.dists, content.dists),
            ssim=ssim.ssim(picture.luminance, content.luminance),
            faces=kept_faces(picture.faces, content.faces),
            style_error=style_error(picture, content, style, style_layers),
            local_style_error=local_distance(picture.windows, style.windows, style_layers),
            sliced=sliced_distance(
                picture.profiles, style.profiles, self.witness.backbone.style_layers
            ),
            frechet=style_distance(picture.gaussians, style.gaussians, style_layers),
            color=color_distance(picture.colors, style.colors),
        )


def _seen(
    image: Tensor, wanted: Iterable[tuple[FeatureExtractor, Iterable[str]]]
) -> dict[FeatureExtractor, dict[str, Tensor]]:
    """Let every network see an image once, at all layers that somebody wants of it."""
    layers: dict[FeatureExtractor, list[str]] = {}
    for extractor, names in wanted:
        layers.setdefault(extractor, []).extend(names)
    return {extractor: extractor(image, names) for extractor, names in layers.items()}


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
