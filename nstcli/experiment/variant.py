"""Who takes part in a comparison: backbones, each with one of its weight sets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import backbones
from backbones import Backbone, BackboneError, WeightSet, registry, weights
from nstcli.errors import InputError
from nstcli.metrics.record import judge_of

ALL = "all"


@dataclass(frozen=True)
class Contender:
    """A backbone with a weight set.

    Attributes:
        wanted: how the user named the weight set, None for the default one.
    """

    backbone: Backbone
    weight_set: WeightSet
    wanted: str | None = None

    @property
    def title(self) -> str:
        """Name both, `vgg19:gatys`."""
        return weights.title(self.backbone, self.weight_set)

    @property
    def name(self) -> str:
        """What its results are called by: the set is named where it is not the default one."""
        if self.weight_set.name == self.backbone.weight_set().name:
            return self.backbone.name
        return f"{self.backbone.name}-{self.weight_set.name}"

    @property
    def judge(self) -> str:
        """Name of the backbone that judges its pictures."""
        return judge_of(self.backbone.name)


def choose(models: str) -> tuple[list[Contender], list[BackboneError]]:
    """Read `all` or `vgg19,vgg16:torchvision`; return also why installed plugins are left out.

    Raises:
        InputError: one is named twice, or none is.
        BackboneError: an unknown backbone or weight set, or a broken plugin that was asked for.
    """
    chosen: list[Contender] = []
    broken: list[BackboneError] = []
    for item in map(str.strip, models.split(",")):
        if item == ALL:
            found, broken = registry.load_all()
            chosen += [Contender(backbone, backbone.weight_set()) for backbone in found]
        elif item:
            chosen.append(_one(item))
    if not chosen:
        raise InputError(f"--models '{models}' names no backbone; see: nst layers")
    titles = Counter(contender.title for contender in chosen)
    twice = [title for title, count in titles.items() if count > 1]
    if twice:
        raise InputError(f"--models '{models}' names {twice[0]} twice")
    return chosen, broken


def _one(item: str) -> Contender:
    model, _, wanted = item.partition(":")
    backbone = backbones.get(model)
    return Contender(backbone, weights.select(backbone, wanted or None), wanted or None)
