"""A variant: what of the settings differs from the others' of an experiment, with its pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import backbones
from backbones import Backbone, BackboneError, WeightSet, registry, weights
from backbones.hints import closest
from nstcli.errors import InputError
from nstcli.experiments.sweep import Axis, Sweep, Value
from nstcli.methods import METHODS, NETWORK
from nstcli.metrics.judgement import judge_of
from nstcli.plan.pair import Pair
from nstcli.recipe import DEFAULT
from nstcli.run.job import Networks, Settings

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
        point: the values that it has of the axes, where it comes out of a sweep.
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
    point: tuple[Value, ...] = ()
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


def backbone_value(text: str) -> Value:
    """Read `vgg19` or `vgg16:torchvision`, a value of the axis of backbones.

    Raises:
        BackboneError: an unknown backbone or weight set, or a broken plugin.
    """
    model, colon, wanted = text.partition(":")
    backbone = backbones.get(model)
    if not colon:
        return Value(model, {"model": model})
    return Value(
        of_backbone(backbone, weights.select(backbone, wanted), wanted).name,
        {"model": model, "weights": wanted},
    )


def variants_of(
    sweep: Sweep, choices: Mapping[str, Any], own: Mapping[str, Mapping[str, Any]]
) -> list[Variant]:
    """Return a variant for each point of a sweep, in its order.

    Args:
        sweep: what varies.
        choices: what holds for all where nothing else is said; its `model` and `weights`.
        own: what backbones have for themselves, by their names.

    Raises:
        InputError: see `Sweep.points`.
        BackboneError: an unknown backbone or weight set.
    """
    networks = Networks()
    variants = []
    for point in sweep.points():
        varied = {field: each for value in point for field, each in value.changes.items()}
        model = varied.get("model", choices["model"])
        changes = {**own.get(model, {}), **varied}
        chosen = {**choices, **changes}
        backbone, weight_set = networks.find(chosen)
        name = sweep.name(point)
        variants.append(Variant(name, name, backbone, weight_set, changes, point))
    return variants


def of_methods(methods: str, choices: Mapping[str, Any], trained: bool = False) -> list[Variant]:
    """Read `all` or `optimize,adain`: a variant for each method that can paint after artworks.

    Args:
        methods: as the user named them.
        choices: what holds for all.
        trained: there are networks that were trained for the artworks.

    Raises:
        InputError: an unknown one, one that is named twice, or whose styles are networks.
        BackboneError: an unknown backbone or weight set.
    """
    able = [
        name
        for name, method in METHODS.items()
        if not method.networks or (trained and name == NETWORK)
    ]
    named = [name for item in methods.split(",") if (name := item.strip())]
    found = [each for name in named for each in (able if name == ALL else [name])]
    if not found or len(set(found)) < len(found):
        raise InputError(f"--methods '{methods}' should name each method once, or be all")
    for name in found:
        if name not in METHODS:
            raise InputError(f"unknown method {name!r}{closest(name, METHODS)}")
        if name not in able:
            needs = "; --networks names those of nst train" if name == NETWORK else ""
            raise InputError(
                f"--methods {name}: its styles are networks, which are no pictures that the others "
                f"could paint after{needs}; those that can be compared are: {', '.join(able)}"
            )
    networks = Networks()
    return [
        Variant(name, name, *networks.find({**choices, "method": name}), changes={"method": name})
        for name in found
    ]


def of_backbones(models: str) -> tuple[list[Variant], list[BackboneError]]:
    """Read `all` or `vgg19,vgg16:torchvision`: the points of a sweep over backbones alone.

    Return also why installed plugins are left out.

    Raises:
        InputError: one is named twice, or none is.
        BackboneError: an unknown backbone or weight set, or a broken plugin that was asked for.
    """
    values: list[Value] = []
    broken: list[BackboneError] = []
    for item in map(str.strip, models.split(",")):
        if item == ALL:
            found, broken = registry.load_all()
            values += [backbone_value(backbone.name) for backbone in found]
        elif item:
            values.append(backbone_value(item))
    if not values:
        raise InputError(f"--models '{models}' names no backbone; see: nst layers")
    sweep = Sweep((Axis("model", tuple(values)),))
    chosen = [
        replace(
            variant,
            title=weights.title(variant.backbone, variant.weight_set),
            name=value.label,
            changes={"weights": None, **variant.changes},
        )
        for variant, value in zip(variants_of(sweep, DEFAULT, {}), values, strict=True)
    ]
    titles = Counter(variant.title for variant in chosen)
    twice = [title for title, count in titles.items() if count > 1]
    if twice:
        raise InputError(f"--models '{models}' names {twice[0]} twice")
    return chosen, broken
