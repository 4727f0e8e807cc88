"""The backend `ray`: workers on the machines of a Ray cluster, or of one that is started here.

A worker is an actor with a mailbox. What it makes comes back as bytes, and what it needs goes out
as bytes, by way of Ray's object store: a picture once for all the pairs it is in, weights once for
all machines that lack them. So no folder has to be shared, and the driver writes everything.
"""

from __future__ import annotations

import math
import os
import queue
import secrets
import signal
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backbones import weights
from backbones.atomic import make_folder, write_atomic
from backbones.paths import exists
from backbones.weights.sources import LocalFile
from nstcli.errors import InputError, StoppedError
from nstcli.run.backends import Driver
from nstcli.run.backends.messages import Message, crash, serve
from nstcli.run.backends.pool import Pool, Staff
from nstcli.run.job import Execution, Job, Settings, WeightsOf
from nstcli.run.reading import read_file

try:
    # Before it is imported: it would tell its makers of each cluster.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.exceptions import LocalRayletDiedError, RayError, RaySystemError, RayTaskError
except ModuleNotFoundError as error:
    raise InputError(
        "--backend ray needs the package ray: python -m pip install '.[ray]' brings it"
    ) from error

# Seconds in which a cluster has to answer at all.
_KNOCK_SECONDS = 10.0
# Seconds between two looks for new jobs, while none of the workers says anything.
_POLL_SECONDS = 0.2
# Workers that a pair may cost: machines of a cluster come and go, which is no fault of the pair's.
_TRIES = 3
# Bytes of inputs that are kept in the object store; those longest unused go first.
_KEPT_BYTES = 2**30


def work(settings: Settings, execution: Execution, driver: Driver) -> None:
    """Make the jobs of the driver on the machines of a cluster.

    There is a worker for each GPU, or for each share of one that is asked for; without GPUs, one
    for each machine; and no fewer than `jobs`. A job whose worker or machine is lost is tried
    again, alone.

    Raises:
        InputError: there is no such device or cluster.
        BackboneError: the weights cannot be had.
        StoppedError: the cluster is lost, or workers die before they make anything.
    """
    from nstcli.engine.device import at_once  # with torch, whose threads are a worker's affair

    if "," in execution.device or ":" in execution.device:
        raise InputError(
            f"--device {execution.device}: Ray gives each worker its GPUs; "
            "--backend ray takes auto, cpu or cuda"
        )
    with _cluster(execution.address):
        crew = _crew(execution)
        shelf = _Shelf()
        staff = Staff(
            ["cuda" if crew.gpus else "cpu"] * crew.count,
            start=lambda settings, device: _ActorWorker(settings, execution, device, crew, shelf),
            hear=_heard,
            most_together=lambda device: at_once(device, execution.pairs_per_step),
            one_by_one=False,
            tries=_TRIES,
            advice="try more --gpus-per-worker or a smaller --size",
            late="perhaps the cluster is busy, or has no machine with as much as each needs",
        )
        pool = Pool(settings, driver, staff)
        try:
            pool.run()
        except RayTaskError as error:
            raise RuntimeError(f"in a worker:\n{error}") from error
        except RayError as error:
            raise StoppedError(f"the Ray cluster fails: {error}") from error
        finally:
            with suppress(RayError):
                pool.close()


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """Join a cluster, or start one that ends with this; one that was joined before is used."""
    if ray.is_initialized():
        yield
        return
    with _own_signals():
        try:
            if address is None:
                _keep_token()
            else:
                _knock(address)
            ray.init(
                address or "local",
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level="ERROR",
            )
        except (RayError, OSError, RuntimeError, ValueError) as error:
            where = f"--address {address}" if address else "--backend ray"
            raise InputError(f"{where}: no Ray cluster can be used: {error}") from error
    try:
        yield
    finally:
        with _own_signals():
            ray.shutdown()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what signals do here, which Ray would change."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _knock(address: str) -> None:
    """See whether anybody listens at `HOST:PORT`; Ray itself would ask for minutes.

    Raises:
        OSError: nobody does.
        ValueError: it is the address of Ray's client, which has no workers of ours.
    """
    if "://" in address:
        raise ValueError("an address is HOST:PORT, on a machine of the cluster, or auto")
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_SECONDS).close()


def _keep_token() -> None:
    """Have a cluster of our own ask for a token that nobody else has, and leave it nowhere.

    Otherwise Ray writes one into the user's home, for all clusters to come.
    """
    if "RAY_AUTH_TOKEN_PATH" not in os.environ:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


@dataclass(frozen=True)
class _Crew:
    """How many workers there may be, and what each of them is given.

    Attributes:
        count: of workers.
        cpus, gpus: of each, as Ray counts them; parts of one, too.
        beside: workers on one machine, at most.
    """

    count: int
    cpus: float
    gpus: float
    beside: int


def _crew(execution: Execution) -> _Crew:
    """Share a cluster among workers.

    Raises:
        InputError: GPUs are asked for, and it has none.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    nodes = [each for each in nodes if each.get("CPU")]
    has_gpus = any(each.get("GPU") for each in nodes)
    if not has_gpus and (execution.device == "cuda" or execution.gpus_per_worker):
        raise InputError("the Ray cluster has no GPU; --device cpu does without")
    if has_gpus and execution.device != "cpu":
        share = execution.gpus_per_worker or 1.0
        if share > 1 and not share.is_integer():
            raise InputError(f"--gpus-per-worker {share:g}: above 1, Ray gives whole GPUs only")
        room = [int(each.get("GPU", 0) / share + 1e-9) for each in nodes]
        if not any(room):
            most = max(each.get("GPU", 0) for each in nodes)
            raise InputError(
                f"--gpus-per-worker {share:g}: no machine of the Ray cluster has so many GPUs; "
                f"the largest has {most:g}"
            )
        return _Crew(max(execution.jobs, sum(room)), 1, share, max(1, *room))
    machines = max(1, len(nodes))
    count = max(execution.jobs, machines)
    beside = math.ceil(count / machines)
    # Of which Ray tells torch, by OMP_NUM_THREADS.
    cpus = min((each["CPU"] for each in nodes), default=1.0) / beside
    return _Crew(count, math.floor(cpus) if cpus >= 1 else cpus, 0, beside)


class _Shelf:
    """Inputs and weights in the object store: put there once, whatever number of jobs needs them.

    Inputs go when others need the room; one that is needed again is read again.
    """

    def __init__(self) -> None:
        self._inputs: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._weights: dict[Path, Any] = {}

    def inputs(self, jobs: Sequence[Job]) -> dict[str, Any]:
        """Return where the inputs of jobs are, by their sha256; or why they cannot be had."""
        return {
            known.sha256: self._input(each.path, known.sha256)
            for job in jobs
            for each, known in zip(job.pair.inputs, job.inputs, strict=True)
        }

    def _input(self, path: Path, sha256: str) -> Any:
        if sha256 in self._inputs:
            self._inputs.move_to_end(sha256)
            return self._inputs[sha256][0]
        try:
            data = read_file(path, sha256)
        except InputError as error:
            return error
        self._inputs[sha256] = ray.put(data), len(data)
        while sum(size for _, size in self._inputs.values()) > max(_KEPT_BYTES, len(data)):
            self._inputs.popitem(last=False)
        return self._inputs[sha256][0]

    def weights(self, settings: Settings) -> list[tuple[WeightsOf, Any]]:
        """Return the weights that settings need, each with where its file's bytes are."""
        found = []
        for network, chosen in settings.needed:
            path = weights.cached_path(network, chosen)
            if isinstance(chosen.source, LocalFile) or not exists(path):
                continue  # a file of the user's is where its path says, on every machine
            if path not in self._weights:
                self._weights[path] = ray.put(path.read_bytes())
            found.append(((network, chosen), self._weights[path]))
        return found


class _ActorWorker:
    """A worker as the driver sees it; see `RemoteWorker`."""

    def __init__(
        self, settings: Settings, execution: Execution, device: str, crew: _Crew, shelf: _Shelf
    ):
        self.device = device
        self.ready = False
        self.jobs: dict[str, Job] = {}
        self.since = time.monotonic()
        self._shelf = shelf
        self._ending = "was lost"  # and why, as soon as that is known
        execution = replace(execution, gpu_share=min(1.0, crew.gpus or 1.0))
        actor: Any = ray.remote(_Mailbox)
        self._actor = actor.options(
            num_cpus=crew.cpus,
            num_gpus=crew.gpus,
            max_concurrency=4,  # one waits for news
            scheduling_strategy="SPREAD",
        ).remote(settings, execution, crew.beside, shelf.weights(settings))
        self.news = self._actor.news.remote()

    def give(self, jobs: Sequence[Job]) -> None:
        """Let it make these jobs."""
        self.jobs = {job.pair.output: job for job in jobs}
        self.since = time.monotonic()
        several = {id(job.settings): job.settings for job in jobs}.values()
        needed = [each for settings in several for each in self._shelf.weights(settings)]
        self._actor.give.remote(list(jobs), self._shelf.inputs(jobs), needed)

    def stop(self) -> None:
        """Let it end what it has in hand with the best pictures so far."""
        self._actor.stop.remote()

    def kill(self) -> None:
        """End it at once, whatever it has in hand."""
        ray.kill(self._actor)

    def ending(self) -> str:
        """Say how one ended that was heard to be dead."""
        with suppress(RayError):
            self.kill()
        return self._ending

    def heard(self) -> list[Message] | None:
        """Return what it has told, and ask for more; None where it or its machine is lost."""
        try:
            told: list[Message] = ray.get(self.news)
        except (RayTaskError, RaySystemError, LocalRayletDiedError):
            raise  # a bug, or what is lost is this end
        except RayError as error:  # the worker, its machine, or the memory that it had there
            self._ending = f"was lost: {str(error).strip().splitlines()[-1].strip()}"
            return None
        self.news = self._actor.news.remote()
        return told


def _heard(workers: Sequence[_ActorWorker]) -> Iterator[tuple[_ActorWorker, Message | None]]:
    """Yield what a worker has told; None for one that is lost.

    Bytes of results stay where they were made until they are asked for, one worker after the other:
    so the driver never holds more than one worker's, however many are done at once.
    """
    if not workers:
        time.sleep(_POLL_SECONDS)
        return
    by_news = {worker.news: worker for worker in workers}
    done, _ = ray.wait(list(by_news), timeout=_POLL_SECONDS, fetch_local=False)
    for each in done:
        worker = by_news[each]
        told = worker.heard()
        for message in (None,) if told is None else told:
            yield worker, message


class _Mailbox:
    """The worker's end, on whichever machine: the work goes on in a thread, between two queues."""

    def __init__(
        self,
        settings: Settings,
        execution: Execution,
        beside: int,
        needed: list[tuple[WeightsOf, Any]],
    ):
        self._told: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._asked: queue.SimpleQueue[tuple[list[Job], Mapping[str, Any], list[Any]] | None]
        self._asked = queue.SimpleQueue()
        self._inputs: Mapping[str, Any] = {}
        self._start = settings, execution, beside, needed
        threading.Thread(target=self._serve, daemon=True).start()

    def news(self) -> list[Message]:
        """Wait until there is something to tell, and return all there is."""
        told = [self._told.get()]
        while not self._told.empty():
            told.append(self._told.get())
        return told

    def give(self, jobs: list[Job], inputs: Mapping[str, Any], needed: list[Any]) -> None:
        """Take jobs, with where their inputs and weights are."""
        self._asked.put((jobs, inputs, needed))

    def stop(self) -> None:
        """End what is in hand with the best pictures so far."""
        self._asked.put(None)

    # The worker's line to the driver; see `nstcli.run.backends.messages.Line`.

    def send(self, message: Message) -> None:
        """Tell the driver."""
        self._told.put(message)

    def poll(self) -> bool:
        """Tell whether the driver has said something."""
        return not self._asked.empty()

    def recv(self) -> list[Job] | None:
        """Wait for jobs."""
        asked = self._asked.get()
        if asked is None:
            return None
        jobs, self._inputs, needed = asked
        _fetch(needed)
        return jobs

    def _serve(self) -> None:
        settings, execution, beside, needed = self._start
        try:
            _fetch(needed)
            free = min(_free_bytes(), execution.memory)
            execution = replace(execution, memory=free / beside)
            serve(self, settings, execution, execution.device, beside, self._read)
        except Exception as error:  # noqa: BLE001 - nobody else would ever hear of it
            self.send(crash(error))

    def _read(self, path: Path, sha256: str) -> bytes:
        found = self._inputs[sha256]
        if isinstance(found, InputError):
            raise found
        data: bytes = ray.get(found)
        return data


def _fetch(needed: Sequence[tuple[WeightsOf, Any]]) -> None:
    """Put weights into this machine's cache that are not there; whoever loads them checks them."""
    for (network, chosen), where in needed:
        path = weights.cached_path(network, chosen)
        if not exists(path):
            with suppress(OSError):  # loading them tells it better
                make_folder(path.parent)
                write_atomic(path, ray.get(where))


def _free_bytes() -> float:
    import torch

    from nstcli.engine.memory import free_bytes

    return free_bytes(torch.device("cpu"))
