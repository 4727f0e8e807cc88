"""A variant: what of the settings differs from the others' of an experiment, with its pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import backbones
from backbones import Backbone, BackboneError, WeightSet, registry, weights
from nstcli.errors import InputError
from nstcli.metrics.judgement import judge_of
from nstcli.plan.pair import Pair
from nstcli.run.job import Settings

ALL = "all"


@dataclass(frozen=True)
class Variant:
    """A variant of the settings, and what is known of it.

    Attributes:
        title: for people, `vgg19:gatys`.
        name: what its results are called by.
        backbone: that paints.
        weight_set: its weights.
        changes: the options of the recipe that differ from the others', by name.
        pairs: the same as everybody's, under names of its own.
        settings: how they are made; None where they cannot be.
        error: why it cannot take part, or go on; empty if it can.
        parameters: of the modules of its network that run; None until they are counted.
    """

    title: str
    name: str
    backbone: Backbone
    weight_set: WeightSet
    changes: Mapping[str, Any] = field(default_factory=dict)
    pairs: tuple[Pair, ...] = ()
    settings: Settings | None = None
    error: str = ""
    parameters: int | None = None

    @property
    def judge(self) -> str:
        """Name of the backbone that judges its pictures."""
        return judge_of(self.backbone.name)


def of_backbone(backbone: Backbone, weight_set: WeightSet, wanted: str | None = None) -> Variant:
    """Return the variant that a backbone with a weight set is.

    `wanted` is how the user named the set, None for the default one.
    """
    default = weight_set.name == backbone.weight_set().name
    return Variant(
        title=weights.title(backbone, weight_set),
        name=backbone.name if default else f"{backbone.name}-{weight_set.name}",
        backbone=backbone,
        weight_set=weight_set,
        changes={"model": backbone.name, "weights": wanted},
    )


def of_backbones(models: str) -> tuple[list[Variant], list[BackboneError]]:
    """Read `all` or `vgg19,vgg16:torchvision`; return also why installed plugins are left out.

    Raises:
        InputError: one is named twice, or none is.
        BackboneError: an unknown backbone or weight set, or a broken plugin that was asked for.
    """
    chosen: list[Variant] = []
    broken: list[BackboneError] = []
    for item in map(str.strip, models.split(",")):
        if item == ALL:
            found, broken = registry.load_all()
            chosen += [of_backbone(backbone, backbone.weight_set()) for backbone in found]
        elif item:
            model, _, wanted = item.partition(":")
            backbone = backbones.get(model)
            weight_set = weights.select(backbone, wanted or None)
            chosen.append(of_backbone(backbone, weight_set, wanted or None))
    if not chosen:
        raise InputError(f"--models '{models}' names no backbone; see: nst layers")
    titles = Counter(variant.title for variant in chosen)
    twice = [title for title, count in titles.items() if count > 1]
    if twice:
        raise InputError(f"--models '{models}' names {twice[0]} twice")
    return chosen, broken
