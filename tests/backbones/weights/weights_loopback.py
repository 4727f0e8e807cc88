"""A web server on this machine, a package index on it, and archives for it to serve."""

import gzip
import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Answer:
    """What the server says to one path."""

    body: bytes
    status: int = 200
    kind: str = "application/octet-stream"
    headers: Mapping[str, str] = field(default_factory=dict)
    # Bytes to send before hanging up; the Content-Length still promises all of them.
    cut: int | None = None
    # Called before the answer goes out.
    before: Callable[[], object] | None = None


@dataclass
class Site:
    """A running server: put answers into `answers`, find requests in `requests`."""

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    @property
    def index(self) -> str:
        return f"{self.url}/simple/"

    def publish(self, project: str, files: Mapping[str, bytes], *, at: str | None = None) -> None:
        """Put a PEP 503 page with these files up; `at` is another site that has the files."""
        links = [f'<a href="{at or ""}/files/{name}">{name}</a>' for name in files]
        page = f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>"
        self.answers[f"/simple/{project}/"] = Answer(page.encode(), kind="text/html")
        for name, data in files.items():
            self.answers[f"/files/{name}"] = Answer(data)

    def publish_json(self, project: str, files: Mapping[str, bytes]) -> None:
        """The same as PEP 691 describes it."""
        self.publish(project, files)
        page = {
            "meta": {"api-version": "1.999"},
            "name": project,
            "files": [{"filename": n, "url": f"/files/{n}", "hashes": {}} for n in files],
        }
        kind = "application/vnd.pypi.simple.v1+json"
        self.answers[f"/simple/{project}/"] = Answer(json.dumps(page).encode(), kind=kind)

    def count(self, path: str) -> int:
        return sum(asked == path for asked, _ in self.requests)


@contextmanager
def serving() -> Iterator[Site]:
    site = Site("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self, *, silent: bool = False) -> None:
            site.requests.append((self.path, dict(self.headers)))
            answer = site.answers.get(self.path, Answer(b"nothing here", status=404))
            if answer.before:
                answer.before()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            # Without a length, the end of the connection is that of the answer.
            headers = {"Content-Length": str(len(answer.body)), **answer.headers}
            for name, value in headers.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            if not silent:
                self.wfile.write(answer.body[: answer.cut])

        def do_HEAD(self) -> None:
            self.do_GET(silent=True)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that hangs up is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def tar(members: Mapping[str, bytes | tarfile.TarInfo]) -> bytes:
    """Make a .tar.gz of files and, where a value is a TarInfo, of whatever that says."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as pack:
        for name, data in members.items():
            info = data if isinstance(data, tarfile.TarInfo) else tarfile.TarInfo(name)
            content = b"" if isinstance(data, tarfile.TarInfo) else data
            info.size = len(content)
            pack.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)  # the same bytes in every process


def wheel(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, data in members.items():
            pack.writestr(name, data)
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def kept(cache: Path) -> list[str]:
    """Names of everything in the cache, but the lock."""
    return sorted(p.name for p in cache.rglob("*") if p.name not in {"weights", ".lock"})
