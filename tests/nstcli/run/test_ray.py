"""What is Ray's own: clusters that are joined and lost, GPUs that are shared, bytes that travel."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import psutil
import pytest

from nstcli.errors import InputError
from nstcli.run.backends.messages import Crash
from nstcli.run.job import Execution
from tests.conftest import Plugin
from tests.nstcli.run.test_backends import job_of, settings_of

ray_backend = pytest.importorskip("nstcli.run.backends.ray")

Start = Callable[..., "subprocess.Popen[str]"]
BATCH = ("batch", "photos", "art", "-o", "out", "-m", "tiny", "--backend", "ray")
# Long enough for somebody to be killed meanwhile, eight times.
LONG = ("--size", 32, "--steps", 400, "--tolerance", 0)
NAMES = {f"{photo}__{style}.png" for photo in ("cat", "dog") for style in "abcd"}
# For what takes seconds, where nothing else keeps the machine busy.
PATIENCE = 600


@pytest.fixture
def folders(tiny_plugin: Plugin, write_picture: Callable[..., Path]) -> None:
    paths = [
        *(f"photos/{photo}.png" for photo in ("cat", "dog")),
        *(f"art/{s}.png" for s in "abcd"),
    ]
    for number, path in enumerate(paths):
        write_picture(path, seed=number)


@pytest.fixture
def nst(ray_home: Path, folders: None, tmp_path: Path) -> Iterator[Start]:
    """Return what starts the program as a process of its own, in `tmp_path`, with no home."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "nstcli", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path / "home"), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def events(folder: Path) -> list[dict[str, Any]]:
    path = folder / "out" / ".nst" / "events.jsonl"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def wait_for(kind: str, count: int, folder: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a process has told of so many events of a kind, from now on."""
    so_far = len(events(folder))
    end = time.monotonic() + PATIENCE
    while sum(event["event"] == kind for event in events(folder)[so_far:]) < count:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end, events(folder)
        time.sleep(0.05)


def ends(process: subprocess.Popen[str], code: int) -> str:
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, said
    return said


def everything_is_made_once(folder: Path) -> None:
    assert {path.name for path in (folder / "out").glob("*.png")} == NAMES
    done = Counter(event["result"] for event in events(folder) if event["event"] == "done")
    assert set(done) <= NAMES
    assert set(done.values()) == {1}
    found = subprocess.run(
        [sys.executable, "-m", "nstcli", "status", "out"], cwd=folder, check=False
    )
    assert found.returncode == 0
    assert not (folder / "home").exists()


@pytest.mark.parametrize(("memory", "share"), [(math.inf, 600.0), (2000.0, 600.0), (500.0, 250.0)])
def test_workers_on_one_machine_share_what_they_may_take(
    monkeypatch: pytest.MonkeyPatch, memory: float, share: float
) -> None:
    shares: SimpleQueue[float] = SimpleQueue()

    def serve(line: object, settings: object, execution: Execution, *_: object) -> None:
        shares.put(execution.memory)

    monkeypatch.setattr(ray_backend, "_free_bytes", lambda: 1200.0)
    monkeypatch.setattr(ray_backend, "serve", serve)
    nothing: Any = None  # at which it does not look before it serves
    ray_backend._Mailbox(nothing, Execution(memory=memory), 2, [])
    assert shares.get(timeout=PATIENCE) == share


@pytest.mark.parametrize("error", [ImportError("no torch here"), ConnectionError("gone")])
def test_a_worker_that_cannot_begin_says_so(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Else the driver would wait for it for ever."""

    def broken() -> float:
        raise error

    monkeypatch.setattr(ray_backend, "_free_bytes", broken)
    nothing: Any = None
    (told,) = ray_backend._Mailbox(nothing, Execution(), 1, []).news()
    assert isinstance(told, Crash)
    assert str(error) in str(told.error)


class LostActor:
    """What Ray gives for a worker, whose news are an error."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return what makes a worker that such an error is all that is heard of."""

    def make(error: Exception, **asked: Any) -> Any:
        def get(reference: object) -> None:
            raise error

        monkeypatch.setattr(ray_backend.ray, "remote", lambda actor: LostActor())
        monkeypatch.setattr(ray_backend.ray, "get", get)
        monkeypatch.setattr(ray_backend.ray, "kill", lambda actor: None)
        crew, shelf = ray_backend._Crew(1, 1, 0, 1), ray_backend._Shelf()
        return ray_backend._ActorWorker(settings_of(1), Execution(), "cpu", crew, shelf)

    return make


@pytest.mark.parametrize(
    "name", ["OutOfMemoryError", "NodeDiedError", "WorkerCrashedError", "ActorDiedError"]
)
def test_a_worker_is_lost_in_whatever_way_it_ended(
    tiny_plugin: Plugin, lost: Callable[..., Any], name: str
) -> None:
    error = getattr(ray_backend.ray.exceptions, name)
    worker = lost(error() if name == "ActorDiedError" else error("killed for memory"))
    assert worker.heard() is None
    assert worker.ending().startswith("was lost: ")


@pytest.mark.parametrize("name", ["RaySystemError", "LocalRayletDiedError"])
def test_a_lost_cluster_is_no_lost_worker(
    tiny_plugin: Plugin, lost: Callable[..., Any], name: str
) -> None:
    error = getattr(ray_backend.ray.exceptions, name)
    with pytest.raises(error):
        lost(error("gone")).heard()


GPUS = [{"CPU": 16.0, "GPU": 4.0}, {"CPU": 16.0, "GPU": 2.0}]


@pytest.mark.parametrize(
    ("nodes", "asked", "crew"),
    [
        ([{"CPU": 8.0}] * 2, {}, (2, 8, 0, 1)),
        ([{"CPU": 8.0}, {"CPU": 2.0}], {}, (2, 2, 0, 1)),
        ([{"CPU": 8.0}] * 2, {"jobs": 5}, (5, 2, 0, 3)),
        ([{"CPU": 2.0}], {"jobs": 4}, (4, 0.5, 0, 4)),
        ([{"CPU": 8.0}, {"memory": 1.0}], {}, (1, 8, 0, 1)),  # a head that makes nothing
        (GPUS, {}, (6, 1, 1.0, 4)),
        (GPUS, {"gpus_per_worker": 0.5}, (12, 1, 0.5, 8)),
        (GPUS, {"gpus_per_worker": 0.1}, (60, 1, 0.1, 40)),
        (GPUS, {"gpus_per_worker": 2.0, "jobs": 9}, (9, 1, 2.0, 2)),
        (GPUS, {"device": "cpu"}, (2, 16, 0, 1)),
    ],
)
def test_workers_share_a_cluster(
    monkeypatch: pytest.MonkeyPatch,
    nodes: Sequence[Mapping[str, float]],
    asked: Mapping[str, Any],
    crew: tuple[float, ...],
) -> None:
    gone = {"Alive": False, "Resources": {"CPU": 99.0, "GPU": 99.0}}
    there = [{"Alive": True, "Resources": each} for each in nodes]
    monkeypatch.setattr(ray_backend.ray, "nodes", lambda: [*there, gone])
    found = ray_backend._crew(Execution(**asked))
    assert (found.count, found.cpus, found.gpus, found.beside) == crew


@pytest.mark.parametrize("asked", [{"device": "cuda"}, {"gpus_per_worker": 0.5}])
def test_gpus_that_a_cluster_lacks_are_missed_at_once(
    monkeypatch: pytest.MonkeyPatch, asked: Mapping[str, Any]
) -> None:
    monkeypatch.setattr(
        ray_backend.ray, "nodes", lambda: [{"Alive": True, "Resources": {"CPU": 8.0}}]
    )
    with pytest.raises(InputError, match="the Ray cluster has no GPU"):
        ray_backend._crew(Execution(**asked))


def test_more_gpus_than_any_machine_has_are_missed_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = [{"Alive": True, "Resources": each} for each in GPUS]
    monkeypatch.setattr(ray_backend.ray, "nodes", lambda: there)
    with pytest.raises(InputError, match=r"has so many GPUs; the largest has 4$"):
        ray_backend._crew(Execution(gpus_per_worker=8.0))
    with pytest.raises(InputError, match="above 1, Ray gives whole GPUs only"):
        ray_backend._crew(Execution(gpus_per_worker=1.5))


def test_a_picture_travels_once_for_all_its_pairs(
    folders: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[bytes] = []
    monkeypatch.setattr(ray_backend.ray, "put", lambda data: put.append(data) or len(put))
    settings, shelf = settings_of(1), ray_backend._Shelf()
    contents, styles = ([*(tmp_path / role).iterdir()] for role in ("photos", "art"))
    jobs = [job_of(content, style, settings) for content in contents for style in styles]
    places = [shelf.inputs([job]) for job in jobs]
    assert sorted(put) == sorted(path.read_bytes() for path in (*contents, *styles))
    assert {each.sha256 for job in jobs for each in job.inputs} == set().union(*places)

    monkeypatch.setattr(ray_backend, "_KEPT_BYTES", 1)  # no room for more than one
    small, before = ray_backend._Shelf(), len(put)
    for _ in range(2):
        small.inputs(jobs[:1])
    assert len(put) == before + 4
    contents[0].unlink()
    assert "cannot be read" in str(small.inputs(jobs[:1])[jobs[0].inputs[0].sha256])


def test_a_cluster_that_does_not_answer_is_no_wait_of_minutes() -> None:
    with socket.socket() as taken:  # and nobody listens
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="refused"):
            ray_backend._knock(f"127.0.0.1:{taken.getsockname()[1]}")
    ray_backend._knock("auto")
    with pytest.raises(ValueError, match="HOST:PORT, on a machine of the cluster, or auto"):
        ray_backend._knock("ray://127.0.0.1:10001")


def test_devices_are_given_out_by_ray() -> None:
    with pytest.raises(InputError, match="--device cuda:1: Ray gives each worker its GPUs"):
        ray_backend.work(None, Execution(device="cuda:1"), None)


@pytest.mark.slow
def test_a_machine_that_is_lost_costs_no_pair(nst: Start, tmp_path: Path) -> None:
    from ray.cluster_utils import Cluster

    quick = {"health_check_period_ms": 300, "health_check_failure_threshold": 3}
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "_system_config": quick},
    )
    try:
        nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
        process = nst(*BATCH, *LONG, "--steps", 1000, "--address", cluster.address)
        wait_for("ready", 2, tmp_path, process)  # one on each
        cluster.remove_node(nodes[1], allow_graceful=False)
        ends(process, 0)
    finally:
        cluster.shutdown()
    everything_is_made_once(tmp_path)


@pytest.mark.slow
def test_workers_and_drivers_that_are_killed_cost_no_pair(nst: Start, tmp_path: Path) -> None:
    process = nst(*BATCH, *LONG)
    wait_for("started", 1, tmp_path, process)
    family = psutil.Process(process.pid).children(recursive=True)
    (worker,) = [each for each in family if "_Mailbox" in " ".join(each.cmdline())]
    worker.kill()
    wait_for("done", 1, tmp_path, process)
    os.kill(process.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(family, timeout=PATIENCE)
    assert alive == []

    again = nst(*BATCH, *LONG)
    wait_for("started", 1, tmp_path, again)
    os.killpg(again.pid, signal.SIGINT)  # as a terminal does
    assert "stopping; what is finished is safe" in ends(again, 130)

    ends(nst(*BATCH, *LONG), 0)
    everything_is_made_once(tmp_path)
