"""Comparisons with records that nobody had to wait for."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from backbones import weights
from nstcli.experiments.experiment import Experiment
from nstcli.experiments.variant import Variant, of_backbone
from nstcli.plan.pair import Pair
from nstcli.results.folder import Store
from nstcli.results.records import Measured, Record
from tests.nstcli import flat
from tests.tiny import TINY

BASELINES = {
    "content": {"content_error": 0.0, "style_error": 0.9, "lpips": 0.0, "ssim": 1.0},
    "style": {"content_error": 1.5, "style_error": 0.1, "lpips": 0.8, "ssim": 0.1},
}


def variant_of(name: str, weight_set: str | None = None) -> Variant:
    """Make one of the tiny backbone under any name, which decides who judges it."""
    backbone = replace(TINY, name=name)
    return of_backbone(backbone, weights.select(backbone, weight_set), weight_set)


def record(**known: Any) -> Record:
    """Make a record; what is not given has some value."""
    values: dict[str, Any] = {
        "key": "k", "output_sha256": "o", "content": "cat.png", "content_sha256": "c",
        "style": "ink.png", "style_sha256": "s", "recipe": {}, "format": "png", "quality": 95,
        "version": "1", "device": "cpu", "precision": "float32 channels_last", "width": 32,
        "height": 24, "seconds": 2.0, "steps": 10, "loss": 1.0, "content_error": 0.5,
        "style_error": 0.2, "style_error_before": 0.9, "step_seconds": 0.1, "step_spread": 0.02,
        "peak_memory": 500_000_000,
    }  # fmt: skip
    return flat.record({**values, **known})


def experiment(folder: Path, *names: str, contents: int = 1) -> Experiment:
    """Make a comparison of these variants in which nothing is known yet."""
    variants = []
    for name in names:
        pairs = tuple(
            Pair.of(Path(f"c{number}.png"), Path("s.png"), f"c{number}__s__{name}.png")
            for number in range(contents)
        )
        variants.append(replace(variant_of(name), pairs=pairs, parameters=1000))
    return Experiment(Store(folder), variants)


def tell(
    found: Experiment, name: str, values: dict[str, float], content: int = 0, **known: Any
) -> None:
    """Note a record and a judgement."""
    output = f"c{content}__s__{name}.png"
    variant = next(e for e in found.variants if e.backbone.name == name)
    found.records[output] = record(**known)
    found.measured[output] = Measured(
        output_sha256="o",
        judge=variant.judge,
        witness=found.witness,
        values=values,
        baselines=BASELINES,
    )
