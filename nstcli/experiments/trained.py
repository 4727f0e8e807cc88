"""Networks in the place of artworks: which file was trained for which picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from backbones.weights.hashing import file_sha256
from nstcli.errors import InputError
from nstcli.experiments.variant import Variant
from nstcli.methods import NETWORK_SUFFIXES
from nstcli.networks import file
from nstcli.plan import inputs
from nstcli.plan.pair import Input, Pair
from nstcli.plan.walk import Selection
from nstcli.text import shown


@dataclass(frozen=True)
class Artwork:
    """The artwork that a network was trained for; the digest is that of its bytes."""

    path: Path
    sha256: str


def trained_for(artworks: Iterable[Path], networks: str) -> dict[Path, tuple[Artwork, Path]]:
    """Find for each artwork the network that was trained for it, by the digest of its bytes.

    Args:
        artworks: files of pictures.
        networks: a file, a folder or a pattern of networks of `nst train`.

    Raises:
        InputError: one has no network, or a file cannot be read.
    """
    files: dict[str, Path] = {}
    selection = Selection(recursive=True, suffixes=NETWORK_SUFFIXES)
    for source in inputs.find(networks, selection):
        styles = file.read_notes(source.path).recipe.get("styles", [])
        if len(styles) == 1:  # of several in one, none stands for it
            files.setdefault(styles[0][0], source.path)
    found = {}
    for path in dict.fromkeys(artworks):
        try:
            sha256 = file_sha256(path)
        except OSError as error:
            raise InputError(f"{shown(path)}: cannot be read: {error.strerror or error}") from error
        if sha256 not in files:
            raise InputError(
                f"{shown(path)}: no network in '{shown(networks)}' was trained for it; "
                "nst train makes one"
            )
        found[path] = Artwork(path, sha256), files[sha256]
    return found


def by_networks(
    variant: Variant, found: Mapping[Path, tuple[Artwork, Path]]
) -> tuple[Variant, dict[str, Artwork]]:
    """Put networks in the place of the artworks of a variant's pairs; see `trained_for`.

    Returns:
        The variant, and the artwork of each of its results, by its name.

    Raises:
        InputError: a style is a blend.
    """
    artworks, pairs = {}, []
    for pair in variant.pairs:
        if len(pair.of_role("style")) > 1:
            raise InputError(f"{pair.title}: no network was trained for several artworks in one")
        artworks[pair.output], network = found[pair.path("style")]
        pairs.append(replace(pair, inputs=tuple(_exchanged(pair, network))))
    return replace(variant, pairs=tuple(pairs)), artworks


def _exchanged(pair: Pair, network: Path) -> Iterable[Input]:
    for each in pair.inputs:
        yield replace(each, path=network) if each.role == "style" else each
