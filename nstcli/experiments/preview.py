"""A preview: the same pictures, made in less time, in a folder within the output folder.

They are small and have few steps; or they are the pictures of a method that makes them at once.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from backbones import weights
from backbones.paths import exists
from nstcli.errors import InputError
from nstcli.experiments.file import ExperimentFile, checked
from nstcli.methods import METHODS, OPTIMIZE
from nstcli.recipe import DEFAULT
from nstcli.results.records import Form
from nstcli.run.job import settings_for

# The method of previews at once, and what their pictures have at most; where another method paints
# the full ones, colours and composition are what there is to see, and a second is what they take.
_AT_ONCE, _SIZE_AT_ONCE = "adain", 384


@dataclass(frozen=True)
class Preview:
    """What pictures of a preview have at most; what varies stays as it is, since it is looked for.

    Attributes:
        size: longest edge in pixels.
        steps: of the optimizer.
        method: that makes them, None for that of the recipe.
    """

    size: int = 192
    steps: int = 60
    method: str | None = None

    @property
    def note(self) -> str:
        """What to know of its pictures."""
        if self.method is None:
            return ""
        return (
            f"this preview is made by --method {self.method}, at once: of colours and composition "
            "it tells more than of strokes; --preview small is by the recipe's own method"
        )

    def of(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return what of these options changes, by name."""
        most = {"size": self.size, "steps": self.steps}
        found = {name: min(options[name], limit) for name, limit in most.items() if name in options}
        return {**found, "method": self.method} if self.method and "method" in options else found

    def of_file(self, file: ExperimentFile) -> ExperimentFile:
        """Return an experiment whose backbones have no larger settings of their own."""
        table = copy.deepcopy(dict(file.table))
        for backbone, settings in table.get("backbone", {}).items():
            settings.update(self.of(file.own[backbone]))
        return checked(file.path, table)


def preview(
    wanted: str,
    choices: Mapping[str, Any],
    varied: Iterable[str] = (),
    pairs: bool = True,
    limits: Mapping[str, Any] | None = None,
) -> Preview:
    """Return a preview of pictures.

    Args:
        wanted: `small`, `adain`, or `auto` for that where it shows what there is to see, and its
            weights are here or about to be.
        choices: of the recipe, by name.
        varied: the keys of the options that the pictures differ in.
        pairs: whether they have a photo and an artwork each.
        limits: its size and steps, where the user says them.

    Raises:
        InputError: `adain` is wanted and cannot show them.
    """
    problem = _problem(choices, varied, pairs)
    if wanted == _AT_ONCE and problem:
        raise InputError(f"--preview {wanted} cannot show this: {problem}; try --preview small")
    small = wanted == "small" or problem or (wanted == "auto" and not _at_hand(choices))
    usual = Preview() if small else Preview(size=_SIZE_AT_ONCE, method=_AT_ONCE)
    return replace(usual, **(limits or {}))


def _problem(choices: Mapping[str, Any], varied: Iterable[str], pairs: bool) -> str:
    """Say why pictures made at once would show nothing of others; empty if they would."""
    if choices["method"] != OPTIMIZE:
        return f"it is by --method {choices['method']} anyway"
    if not pairs:
        return "it has no photo or no artwork"
    for key in varied:
        if key == "method" or not METHODS[_AT_ONCE].heeds(key.replace("-", "_")):
            return f"{key} varies, which means nothing to --method {_AT_ONCE}"
    return ""


def _at_hand(choices: Mapping[str, Any]) -> bool:
    """Tell whether the method's weights are here, or come in the archive of the recipe's own."""
    needed = settings_for({**DEFAULT, "method": _AT_ONCE}, Form()).needed
    model, _, weight_set = METHODS[_AT_ONCE].backbone.partition(":")
    own = choices["model"] == model and choices["weights"] in (None, weight_set)
    return own or all(exists(weights.cached_path(*each)) for each in needed)
