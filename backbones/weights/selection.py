"""Choose a weight set by what the user wrote: a name, or the path of a file."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from backbones.paths import expanded, is_file, is_folder
from backbones.spec import IMAGENET, PREPROCESSINGS, BackboneError, WeightSet
from backbones.weights.readers import READERS
from backbones.weights.sources import LocalFile

if TYPE_CHECKING:
    from backbones.spec import Backbone, Companion


def select(backbone: Backbone, wanted: str | None, preprocessing: str = "own") -> WeightSet:
    """Return the weight set that `wanted` names.

    None is the default set; "gatys" and "vgg19:gatys" are names; anything with a slash, a "~" in
    front or the suffix of a weights file is the path of a file for this backbone.

    `preprocessing` names what a file expects (`PREPROCESSINGS`); `own` is what the file says itself
    or, where it does not, ImageNet's.

    Raises:
        BackboneError: there is no such set or file, or it belongs to another backbone; or a set,
            which has its own preprocessing, is to have another.
    """
    known = {weight_set.name for weight_set in backbone.weight_sets}
    if wanted is not None and wanted not in known and _is_path(wanted):
        # Absolute: the processes of a batch may work in other folders.
        chosen = PREPROCESSINGS.get(preprocessing)
        return _local(backbone, LocalFile(expanded(wanted).absolute(), chosen))
    if preprocessing != "own":
        raise BackboneError(
            f"--preprocessing {preprocessing} is for a weights file of your own (--weights FILE); "
            f"the weight sets of {backbone.name} have theirs"
        )
    if wanted is None or wanted in known:
        return backbone.weight_set(wanted)
    if re.fullmatch("[0-9a-f]{64}", wanted):  # as results name a file that nobody has named
        raise BackboneError(
            f"no weight set of {backbone.name} that is known or in the cache has the sha256 "
            f"{wanted}; if it is that of a file, name it: --weights FILE"
        )
    owner, colon, name = wanted.partition(":")
    if colon and owner != backbone.name:
        raise BackboneError(
            f"the weights {wanted!r} are for {owner}, not for {backbone.name}; "
            f"sets for {backbone.name}: {', '.join(sorted(known))}"
        )
    return backbone.weight_set(name if colon else wanted)


def title(owner: Backbone | Companion, weight_set: WeightSet) -> str:
    """Name a weight set with what it belongs to: `vgg19:gatys`."""
    return f"{owner.name}:{weight_set.name}"


def _is_path(wanted: str) -> bool:
    separators = {os.sep, os.altsep or os.sep, "/"}
    return (
        wanted.startswith("~")
        or any(separator in wanted for separator in separators)
        or Path(wanted).suffix.lower() in READERS
    )


def _local(backbone: Backbone, source: LocalFile) -> WeightSet:
    path = source.path
    if not is_file(path):
        what = "is a folder" if is_folder(path) else "does not exist"
        raise BackboneError(f"the weights file {path} {what}")
    if path.suffix.lower() not in READERS:
        raise BackboneError(f"the weights file {path} must end in {', '.join(READERS)}")
    found = source.sha256
    for weight_set in backbone.weight_sets:
        # The very file that a set of ours is made of, got by hand: read it as that set.
        if weight_set.source.sha256 == found:
            return replace(weight_set, source=source)
    return WeightSet(
        name=path.name,
        source=source,
        preprocessing=IMAGENET,
        licence="the file's own",
        description=f"a local file for {backbone.name}",
    )
