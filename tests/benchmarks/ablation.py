"""What the taps and options of the light networks are worth, in the eyes of a judge.

    python -m tests.benchmarks.ablation

No variant is judged by the loss that made it, but by VGG-16, on sample pictures: how far is the
style (relative error of Gram matrices), how much of the photo is left (LPIPS)? Equal size, equal
steps. The defaults come first; what the others add to them is in their names.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn.functional import interpolate

from backbones.hooks import FeatureExtractor
from nstcli import images, samples
from nstcli.engine.memory import keep_freed_memory
from nstcli.engine.precision import arranged
from nstcli.engine.stylize import stylize
from nstcli.errors import DivergedError
from nstcli.images import Picture
from nstcli.metrics.judge import Judge
from nstcli.metrics.judge import JudgedPair as Judged
from tests.benchmarks import case
from tests.benchmarks.report import Column, Row, Section, Table, markdown_of

_CONTENTS = ("astronaut", "chelsea", "coffee")
_STYLES = ("cubist", "ink_waves", "stained_glass", "woven_strokes")


def smoothed(features: Tensor, temperature: float = 3.0) -> Tensor:
    """Flatten peaks by a softmax over a whole map (SWAG: Wang, Li, Vasconcelos, CVPR 2021)."""
    flat = (features.float() / temperature).flatten(1).softmax(1)
    return flat.view(features.shape) * features[0].numel() ** 0.5


def centred(features: Tensor) -> Tensor:
    """Subtract each channel's mean, so that Gram matrices are covariances."""
    return features - features.mean((2, 3), keepdim=True)


class Transformed(FeatureExtractor):
    """Sees enlarged pictures and hands out activations that went through a function: for trials."""

    transform: Callable[[Tensor], Tensor] | None = None
    enlarge: int = 1

    def forward(self, image: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Return the activations at `layers`, transformed."""
        if self.enlarge > 1:
            image = interpolate(image, scale_factor=self.enlarge, mode="bilinear")
        found = super().forward(image, layers)
        return {name: self.transform(x) for name, x in found.items()} if self.transform else found


@dataclass(frozen=True)
class Variant:
    """A backbone with what differs from its defaults."""

    model: str
    name: str = "default"
    choices: Mapping[str, Any] = field(default_factory=dict)
    transform: Callable[[Tensor], Tensor] | None = None
    enlarge: int = 1


@dataclass(frozen=True)
class Scene:
    """A pair as it is read, and the judge's view of it."""

    pair: case.Pair
    judged: Judged


_FADING_FIRES = "conv1=1,fire2=0.7,fire3=0.5,fire4=0.35,fire5=0.25,fire6=0.18,fire7=0.13"
_FADING_STAGES = (
    "stem=1,stage1_1=0.7,stage2_1=0.5,stage3_1=0.35,stage4_1=0.25,stage5_1=0.18,stage6_1=0.13"
)
_WITHOUT_STEM = "stage1_1,stage2_1,stage3_1,stage4_1,stage5_1,stage6_1"
VARIANTS = (
    Variant("vgg19"),
    Variant("squeezenet"),
    Variant("squeezenet", "stem with its stride", {"dense": False}),
    Variant("squeezenet", "stride, but pictures enlarged twice", {"dense": False}, enlarge=2),
    Variant("squeezenet", "CS231n's taps", {"style_layers": "conv1,fire3,fire4,fire5,fire7"}),
    Variant("squeezenet", "taps to fire5", {"style_layers": "conv1,fire2,fire3,fire4,fire5"}),
    Variant("squeezenet", "taps to fire9", {"style_layers": "conv1,fire3,fire5,fire7,fire9"}),
    Variant("squeezenet", "deep layers weighted down", {"style_layers": _FADING_FIRES}),
    Variant("squeezenet", "average pooling", {"pooling": "avg"}),
    Variant("squeezenet", "one scale", {"scales": 1}),
    Variant("squeezenet", "total variation 20", {"tv_weight": 20.0}),
    Variant("squeezenet", "softmax smoothing", transform=smoothed),
    Variant("squeezenet", "centred maps", transform=centred),
    Variant("mobilenet"),
    Variant("mobilenet", "stem with its stride", {"dense": False}),
    Variant("mobilenet", "stride, but pictures enlarged twice", {"dense": False}, enlarge=2),
    Variant("mobilenet", "without the stem's tap", {"style_layers": _WITHOUT_STEM}),
    Variant(
        "mobilenet",
        "taps behind residual additions",
        {"style_layers": "stem,stage1,stage2,stage3,stage4,stage5,stage6"},
    ),
    Variant(
        "mobilenet",
        "expanded ReLU6 maps",
        {"style_layers": "stem,expand2_1,expand3_1,expand4_1,expand5_1,expand6_1"},
    ),
    Variant(
        "mobilenet", "taps to stage4", {"style_layers": "stem,stage1_1,stage2_1,stage3_1,stage4_1"}
    ),
    Variant("mobilenet", "deep layers weighted down", {"style_layers": _FADING_STAGES}),
    Variant("mobilenet", "one scale", {"scales": 1}),
    Variant("mobilenet", "total variation 20", {"tv_weight": 20.0}),
    Variant("mobilenet", "softmax smoothing", transform=smoothed),
    Variant("mobilenet", "centred maps", transform=centred),
)

_COLUMNS = (
    Column("backbone", "backbone"),
    Column("variant", "variant"),
    Column("style", "style error", "{:.3f}"),
    Column("style_range", "range"),
    Column("ratio", "÷ VGG-19", "{:.2f}"),
    Column("lpips", "LPIPS to the photo", "{:.3f}"),
    Column("lpips_range", "range"),
    Column("seconds", "s per pair", "{:.1f}"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it: Markdown to standard output, progress to standard error."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks.ablation", description=__doc__)
    parser.add_argument("--size", type=int, default=256, metavar="PX")
    parser.add_argument("--steps", type=int, default=150, metavar="N")
    parser.add_argument("--contents", type=Path, nargs="+", metavar="IMG")
    parser.add_argument("--styles", type=Path, nargs="+", metavar="IMG")
    parser.add_argument("--models", metavar="A,B", help="the others are left out, but not VGG-19")
    asked = parser.parse_args(arguments)
    contents, styles = _pictures(asked.contents, True), _pictures(asked.styles, False)
    wanted = asked.models.split(",") if asked.models else [v.model for v in VARIANTS]
    variants = [v for v in VARIANTS if v == VARIANTS[0] or v.model in wanted]
    keep_freed_memory()
    judge = Judge.load("vgg16")
    scenes = [_scene(judge, content, style, asked.size) for content in contents for style in styles]
    rows = list(_rows(variants, scenes, asked.size, asked.steps))
    about = (
        f"{len(contents)} photos × {len(styles)} artworks, {asked.size} px, {asked.steps} steps; "
        "median and range over the pairs, judged by VGG-16. Unchanged photos have a style error "
        f"of {statistics.median(scene.judged.content.style_error for scene in scenes):.3f}."
    )
    section = Section("What helps the light networks", about, [Table("", _COLUMNS, rows)])
    sys.stdout.write(markdown_of(section).replace("****\n\n", ""))


def _pictures(paths: Sequence[Path] | None, contents: bool) -> list[Picture]:
    if paths:
        return [images.decode(path.read_bytes(), str(path)) for path in paths]
    table, names = (samples.CONTENT, _CONTENTS) if contents else (samples.STYLE, _STYLES)
    return [Picture(table[name]()) for name in names]


def _scene(judge: Judge, content: Picture, style: Picture, size: int) -> Scene:
    read = (case.tensor(images.resize(each, size)) for each in (content, style))
    pair = case.Pair(*read)
    return Scene(pair, judge.pair(pair.content, pair.style))


def _rows(
    variants: Sequence[Variant], scenes: Sequence[Scene], size: int, steps: int
) -> Iterator[Row]:
    first: float | None = None
    for variant in variants:
        started = time.perf_counter()
        found = list(_judged(variant, scenes, size, steps))
        seconds = time.perf_counter() - started
        if not found:
            sys.stderr.write(f"{variant.model} {variant.name}: every pair diverged\n")
            continue
        styles, lpips = zip(*found, strict=True)
        style = statistics.median(styles)
        first = first or style
        lost = len(scenes) - len(found)
        sys.stderr.write(f"{variant.model} {variant.name}: {style:.3f}, {seconds:.0f} s\n")
        yield {
            "backbone": variant.model,
            "variant": f"{variant.name} ({lost} diverged)" if lost else variant.name,
            "style": style,
            "style_range": f"{min(styles):.3f}–{max(styles):.3f}",
            "ratio": style / first,
            "lpips": statistics.median(lpips),
            "lpips_range": f"{min(lpips):.3f}–{max(lpips):.3f}",
            "seconds": seconds / len(scenes),
        }


def _judged(
    variant: Variant, scenes: Sequence[Scene], size: int, steps: int
) -> Iterator[tuple[float, float]]:
    """Make every pair, and yield the style error and LPIPS of those that did not diverge."""
    asked = case.settings(variant.model, **{"size": size, "steps": steps, **variant.choices})
    extractor = Transformed.load(asked.backbone, asked.weight_set)
    extractor.transform, extractor.enlarge = variant.transform, variant.enlarge
    with tempfile.TemporaryDirectory() as scratch:
        memory = Path(scratch) / "precision.json"
        arranged(extractor, asked.recipe, "auto", memory)
    for scene in scenes:
        scales = case.scales(extractor, asked.recipe, scene.pair)
        try:
            made = stylize(extractor, scales, asked.recipe)
        except DivergedError as error:
            sys.stderr.write(f"{variant.model} {variant.name}: {error}\n")
            continue
        found = scene.judged.measure(made.image)
        yield found.style_error, found.lpips


if __name__ == "__main__":
    main()
