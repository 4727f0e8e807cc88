"""What every backend does, whatever it is made of; and how workers that die are replaced."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import re
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from backbones import BackboneError
from nstcli.errors import InputError, StoppedError
from nstcli.plan.pair import Pair
from nstcli.recipe import DEFAULT
from nstcli.results.digests import Digests
from nstcli.results.records import Form, stopped_key
from nstcli.run import backends
from nstcli.run.backends import BACKENDS, process
from nstcli.run.backends.messages import Ended, Ready
from nstcli.run.backends.pool import Pool
from nstcli.run.events import Failed, Made, Outcome, Stage
from nstcli.run.job import Execution, Job, Settings, settings_for
from nstcli.run.worker import Worker
from tests.conftest import Plugin

# A backend that needs a package of its own is tested where that is installed.
OPTIONAL = {"ray"}


@pytest.fixture(params=BACKENDS)
def name(request: pytest.FixtureRequest) -> str:
    """Every row of the table."""
    if request.param in OPTIONAL:
        pytest.importorskip(request.param)
        request.getfixturevalue("ray_cluster")
    return str(request.param)


@dataclass(frozen=True)
class Scene:
    """Two contents of one shape with two styles, and what they are made with."""

    jobs: list[Job]
    with_steps: Callable[[int], Settings]


@pytest.fixture
def scene(tiny_plugin: Plugin, write_picture: Callable[..., Path]) -> Scene:
    contents = [write_picture(f"photos/{n}.png", seed=n) for n in range(2)]
    styles = [write_picture(f"art/{n}.png", seed=9 + n) for n in range(2)]
    settings = settings_of(3)
    jobs = [job_of(content, style, settings) for content in contents for style in styles]
    return Scene(jobs, settings_of)


def settings_of(steps: int, **others: Any) -> Settings:
    choices = {**DEFAULT, "model": "tiny", "steps": steps, "tolerance": 0.0, **others}
    return settings_for(choices, Form())


def job_of(content: Path, style: Path, settings: Settings) -> Job:
    known = Digests(None)
    digests = known.digest(content), known.digest(style)
    pair = Pair.of(content, style, f"{content.stem}__{style.stem}.png")
    return Job.of(pair, settings, *digests)


def by(name: str, **options: Any) -> Execution:
    return Execution(device="cpu", precision="float32", backend=name, **options)


class Recorder:
    """A driver that hands out jobs and remembers what it is told, and by which thread.

    Args:
        naps: times that it has nothing now, before each of its answers.
        until: the step of a pair from which on it wants an end.
        fails: raises at the first pair that has ended.
    """

    def __init__(
        self, jobs: Sequence[Job], naps: int = 0, until: float = float("inf"), fails: bool = False
    ):
        self.calls: list[tuple[str, Any]] = []
        self.outcomes: list[tuple[Job, Outcome]] = []
        self.threads: set[int] = set()
        self.stops = False
        self._open = list(jobs)
        self._naps = self._pause = naps
        self._until = until
        self._fails = fails

    def next_jobs(self, most: int) -> Sequence[Job] | None:
        if self._pause:
            self._pause -= 1
            return self._told("next_jobs", [])
        self._pause = self._naps
        taken, self._open = self._open[:most], self._open[most:]
        return self._told("next_jobs", None if self.stops or not taken else taken)

    def stopping(self) -> bool:
        return self.stops

    def ready(self, device: str, precision: str) -> None:
        self._told("ready", (device, precision))

    def fewer_workers(self, why: str) -> None:
        self._told("fewer_workers", why)

    def started(self, jobs: Sequence[Job]) -> None:
        self._told("started", list(jobs))

    def stepped(self, jobs: Sequence[Job], steps: Sequence[Any]) -> bool:
        self._told("stepped", list(jobs))
        assert len(jobs) == len(steps)
        self.stops = self.stops or steps[0].number >= self._until
        return self.stops

    def staged(self, job: Job, stage: Stage) -> None:
        self._told("staged", (job, stage))

    def ended(self, job: Job, outcome: Outcome) -> None:
        self._told("ended", job)
        self.outcomes.append((job, outcome))
        if self._fails:
            raise ZeroDivisionError("a driver's own")

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.calls]

    def _told(self, kind: str, what: Any) -> Any:
        self.threads.add(threading.get_ident())
        self.calls.append((kind, what))
        return what


def run(execution: Execution, settings: Settings, driver: Recorder) -> None:
    backends.get(execution)(settings, execution, driver)


def no_process_is_left() -> bool:
    return multiprocessing.active_children() == []


def test_each_job_ends_once_with_the_same_bytes_and_a_bad_one_leaves_the_rest(
    name: str, scene: Scene
) -> None:
    settings = scene.with_steps(3)
    gone = Pair.of(Path("gone.png"), scene.jobs[0].pair.path("style"), "gone.png")
    missing = Job.of(gone, scene.jobs[0].settings, "0" * 64, scene.jobs[0].inputs[1].sha256)
    other = replace(scene.jobs[1].pair, output="other.png")
    changed = Job.of(other, scene.jobs[1].settings, "0" * 64, scene.jobs[1].inputs[1].sha256)
    jobs = [scene.jobs[0], missing, changed, *scene.jobs[1:]]
    driver = Recorder(jobs, naps=1)
    run(by(name, jobs=2), settings, driver)

    assert Counter(job for job, _ in driver.outcomes) == Counter(jobs)
    failed = {job.pair.output: o.error for job, o in driver.outcomes if isinstance(o, Failed)}
    assert set(failed) == {"gone.png", "other.png"}
    assert failed["gone.png"].startswith("gone.png: cannot be read")
    assert "changed while the batch was running" in failed["other.png"]

    worker = Worker("cpu", by("local"))
    alone = {
        job: outcome.data
        for each in scene.jobs
        for job, outcome in worker.make([each], lambda *_: None)
        if isinstance(outcome, Made)
    }
    made = {job: o for job, o in driver.outcomes if isinstance(o, Made)}
    assert {job: outcome.data for job, outcome in made.items()} == alone
    for job, outcome in made.items():
        assert outcome.record.key == job.key
        assert outcome.record.output_sha256 == hashlib.sha256(outcome.data).hexdigest()

    assert driver.threads == {threading.get_ident()}
    (called, (device, precision)) = driver.calls[0]
    assert (called, precision) == ("ready", "float32 channels_last")
    assert re.fullmatch(r"cpu \(\d+ threads?\)", device)
    for job in jobs:
        started = driver.calls.index(("started", [job]))
        ended = driver.calls.index(("ended", job))
        steps = [n for n, call in enumerate(driver.calls) if call == ("stepped", [job])]
        assert len(steps) == (3 if job in made else 0)
        assert all(started < n < ended for n in steps)
        assert started < ended
    assert no_process_is_left()


def test_several_at_once_end_with_the_best_so_far_when_the_driver_wants_it(
    name: str, scene: Scene
) -> None:
    settings = scene.with_steps(1_000_000)  # so that none is done before it hears of the end
    jobs = [replace(job, settings=settings) for job in scene.jobs[:3]]
    driver = Recorder(jobs, until=2)
    run(by(name, pairs_per_step=2), settings, driver)
    first = jobs[:2]
    assert ("stepped", first) in driver.calls
    assert [job for job, _ in driver.outcomes] == first  # the third is not begun
    for job, outcome in driver.outcomes:
        assert isinstance(outcome, Made)
        assert outcome.record.key == stopped_key(job.key)
        assert 1 <= outcome.record.steps < 1_000_000


def test_what_the_driver_raises_ends_it_at_once(name: str, scene: Scene) -> None:
    driver = Recorder(scene.jobs, fails=True)
    with pytest.raises(ZeroDivisionError):
        run(by(name), scene.with_steps(3), driver)
    assert driver.kinds()[-1] == "ended"
    assert driver.kinds().count("ended") == 1
    assert no_process_is_left()


def test_a_pair_that_takes_too_long_fails_with_advice(name: str, scene: Scene) -> None:
    driver = Recorder(scene.jobs[:1])
    run(by(name, timeout=1e-6), scene.with_steps(3), driver)
    ((_, outcome),) = driver.outcomes
    assert isinstance(outcome, Failed)
    assert "at step 1 of 3; try a longer --timeout" in outcome.error


def test_what_keeps_a_worker_from_loading_is_told_before_anything_is_begun(
    name: str, scene: Scene
) -> None:
    settings = scene.with_steps(3)
    other = replace(settings.recipe, weights="f" * 64)
    driver = Recorder(scene.jobs)
    with pytest.raises(BackboneError, match="tiny:random changed while"):
        run(by(name), replace(settings, recipe=other), driver)
    assert driver.calls == []
    with pytest.raises(InputError, match="no device 'abacus' here"):
        run(replace(by(name), device="abacus"), settings, driver)
    assert driver.calls == []


def test_an_end_wanted_before_anything_is_ready_begins_nothing(name: str, scene: Scene) -> None:
    driver = Recorder(scene.jobs)
    driver.stops = True
    run(by(name, jobs=2), scene.with_steps(3), driver)
    assert {"started", "ended"}.isdisjoint(driver.kinds())
    assert no_process_is_left()


def test_several_devices_or_jobs_choose_processes() -> None:
    assert backends.get(Execution()).__module__ == BACKENDS["local"]
    assert backends.get(Execution(jobs=2)).__module__ == BACKENDS["process"]
    assert backends.get(Execution(device="cpu,cpu")).__module__ == BACKENDS["process"]
    assert backends.get(Execution(jobs=2, backend="local")).__module__ == BACKENDS["local"]


def test_an_address_chooses_ray() -> None:
    assert backends.name_of(Execution(address="auto")) == "ray"
    assert backends.name_of(Execution(address="auto", backend="local")) == "local"


def test_a_backend_whose_package_is_missing_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, BACKENDS["ray"], raising=False)
    with pytest.raises(InputError, match=r"needs the package ray: .*'\.\[ray\]' brings it"):
        backends.get(Execution(backend="ray"))


class Puppet:
    """A worker without a process; `fates` says of each gift of jobs, in turn, what comes of it."""

    fates: list[str]
    alive: list[Puppet]
    started: int

    shares: list[float]
    gpu_shares: list[tuple[str, float]]

    def __init__(self, settings: object, execution: Execution, device: str, workers: int):
        Puppet.shares.append(execution.memory)
        Puppet.gpu_shares.append((device, execution.gpu_share))
        self.connection, self.theirs = multiprocessing.Pipe()
        self.device = device
        self.ready = False
        self.jobs: dict[str, Job] = {}
        self.since = time.monotonic()
        Puppet.started += 1
        Puppet.alive.append(self)
        if Puppet.fates[:1] == ["is stillborn"]:
            Puppet.fates.pop(0)
            self.theirs.close()
        else:
            self.theirs.send(Ready(device, "float32"))

    def give(self, jobs: Sequence[Job]) -> None:
        self.jobs = {job.pair.output: job for job in jobs}
        other = Puppet.fates[:1] not in ([], ["is stillborn"])
        fate = Puppet.fates.pop(0) if other else "makes"
        if fate == "makes":
            for output in self.jobs:
                self.theirs.send(Ended(output, Failed("made, so to say", 0.0)))
        if fate == "dies in a message":
            os.write(self.theirs.fileno(), struct.pack("!i", 1000) + b"half of it")
        if fate != "makes":
            self.theirs.close()

    def stop(self) -> None:
        """Nothing takes any time here."""

    def kill(self) -> None:
        Puppet.alive.remove(self)

    def ending(self) -> str:
        self.kill()
        return "was killed by signal 9"


@pytest.fixture
def puppets(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Puppet]]:
    Puppet.fates, Puppet.alive, Puppet.shares, Puppet.started = [], [], [], 0
    Puppet.gpu_shares = []
    monkeypatch.setattr(process, "WorkerProcess", Puppet)
    monkeypatch.setattr(process, "_POLL_SECONDS", 0.001)
    yield Puppet
    assert Puppet.alive == []


# Of a driver that looks at names alone.
NO_SETTINGS: Any = None


def plain_jobs(count: int) -> list[Job]:
    pairs = [Pair.of(Path("a"), Path("b"), f"{n}.png") for n in range(count)]
    return [Job(pair, NO_SETTINGS, (), "k") for pair in pairs]


def with_puppets(driver: Recorder, **options: Any) -> dict[str, str]:
    process.work(None, by("process", **options), driver)  # type: ignore[arg-type]
    errors = {job.pair.output: o.error for job, o in driver.outcomes if isinstance(o, Failed)}
    assert len(errors) == len(driver.outcomes)
    return errors


@pytest.mark.parametrize("fate", ["dies", "dies in a message"])
def test_a_job_whose_worker_dies_is_made_by_another(puppets: type[Puppet], fate: str) -> None:
    puppets.fates = [fate]
    driver = Recorder(plain_jobs(3))
    assert set(with_puppets(driver).values()) == {"made, so to say"}
    assert driver.kinds().count("started") == 3  # the second try is no other beginning
    assert puppets.started == 2


def test_a_job_whose_workers_die_twice_fails_with_advice(puppets: type[Puppet]) -> None:
    puppets.fates = ["dies", "dies"]
    errors = with_puppets(Recorder(plain_jobs(3)))
    assert errors["0.png"] == (
        "the process that made it was killed by signal 9, twice; perhaps there is too little "
        "memory: try fewer --jobs or a smaller --size"
    )
    assert [errors["1.png"], errors["2.png"]] == ["made, so to say"] * 2


def test_jobs_that_died_together_are_tried_alone(puppets: type[Puppet]) -> None:
    puppets.fates = ["dies", "makes", "dies"]
    errors = with_puppets(Recorder(plain_jobs(2)), pairs_per_step=2)
    assert errors["0.png"] == "made, so to say"
    assert "twice" in errors["1.png"]


def test_workers_that_all_die_at_their_start_stop_the_batch(puppets: type[Puppet]) -> None:
    puppets.fates = ["is stillborn"] * 3
    with pytest.raises(StoppedError, match=r"die at their start \(was killed by signal 9\)"):
        with_puppets(Recorder(plain_jobs(1)))
    assert puppets.started == 3


def test_a_place_whose_workers_all_die_at_their_start_is_done_without(
    puppets: type[Puppet],
) -> None:
    puppets.fates = ["makes", *["is stillborn"] * 3]
    driver = Recorder(plain_jobs(9))
    assert set(with_puppets(driver, jobs=2).values()) == {"made, so to say"}
    assert puppets.started == 4
    (why,) = [what for kind, what in driver.calls if kind == "fewer_workers"]
    assert why.startswith("workers die at their start (was killed by signal 9); try fewer --jobs")


def test_workers_that_are_not_ready_for_long_are_told_of_once(
    puppets: type[Puppet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nstcli.run.backends.pool._LATE", -1.0)
    real = process.Staff
    monkeypatch.setattr(process, "Staff", lambda *_, **named: real(*_, **named, late="no room"))
    driver = Recorder(plain_jobs(3), naps=2)
    assert len(with_puppets(driver, jobs=2)) == 3
    told = [what for kind, what in driver.calls if kind == "fewer_workers"]
    assert told == ["1 worker not ready after -1 s: no room"]


@pytest.mark.parametrize(("count", "jobs"), [(1, 4), (2, 4), (9, 3)])
def test_no_worker_is_started_without_work_for_it(
    puppets: type[Puppet], count: int, jobs: int
) -> None:
    assert len(with_puppets(Recorder(plain_jobs(count)), jobs=jobs)) == count
    assert puppets.started <= min(count, jobs)


def test_an_end_that_is_wanted_tries_nothing_again(puppets: type[Puppet]) -> None:
    puppets.fates = ["dies"]
    driver = Recorder(plain_jobs(2))
    bury = Pool._replace

    def then_stop(pool: Pool[Any], hand: Any) -> None:
        bury(pool, hand)
        driver.stops = True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pool, "_replace", then_stop)
        assert with_puppets(driver) == {}


def test_workers_on_the_cpu_share_what_is_free_at_first(
    puppets: type[Puppet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "free_bytes", lambda device: 1200)
    monkeypatch.setattr(process, "choose", str)
    with_puppets(Recorder(plain_jobs(9)), jobs=4)
    assert set(puppets.shares) == {300}
    puppets.shares.clear()
    execution = replace(by("process", jobs=4), device="cuda:0,cpu")
    process.work(None, execution, Recorder(plain_jobs(9)))  # type: ignore[arg-type]
    assert set(puppets.shares) == {600}


def test_workers_on_one_gpu_share_its_memory(
    puppets: type[Puppet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "choose", str)
    execution = replace(by("process", jobs=3), device="cuda:0,cuda:1")
    process.work(None, execution, Recorder(plain_jobs(9)))  # type: ignore[arg-type]
    assert set(puppets.gpu_shares) == {("cuda:0", 0.5), ("cuda:1", 1.0)}


@pytest.mark.parametrize(("memory", "share"), [(1000.0, 250), (5000.0, 300)])
def test_workers_on_the_cpu_share_what_they_may_take(
    puppets: type[Puppet], monkeypatch: pytest.MonkeyPatch, memory: float, share: float
) -> None:
    monkeypatch.setattr(process, "free_bytes", lambda device: 1200)
    with_puppets(Recorder(plain_jobs(9)), jobs=4, memory=memory)
    assert set(puppets.shares) == {share}
