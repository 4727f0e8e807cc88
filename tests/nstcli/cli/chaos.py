"""Kill running batches at random instants, look at what they leave, and let them go on.

    python -m tests.nstcli.cli.chaos --rounds 100 --seed 0

torch is imported once: each batch is a fork of this process, which has started no threads. It ends
at the first thing that is wrong; the folder is kept then, and named.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tests.nstcli.cli.strikes import Accident, kill, striking, tear_and_kill

CONTENTS, STYLES = 4, 3
PAIRS = CONTENTS * STYLES
RUN = (
    *("batch", "photos", "art", "-o", "out", "-m", "tiny", "--precision", "float32"),
    *("--steps", "4", "--device", "cpu", "--offline"),
)
BARE = ("--no-metadata",)
MIRRORED = ("--name", "{style}/{content}")
PATIENCE = 120.0


class Place:
    """A folder with pictures, in which forks of this process run batches into `out`."""

    def __init__(self, folder: Path):
        from nstcli.images import encode
        from tests.conftest import draw

        self.folder = folder
        self.out = folder / "out"
        for role, count in (("photos", CONTENTS), ("art", STYLES)):
            (folder / role).mkdir(parents=True)
            for n in range(count):
                picture = encode(draw(24 + 8 * (n % 2), 32, seed=10 * len(role) + n))
                (folder / role / f"{role}{n}.png").write_bytes(picture)

    def start(
        self,
        *arguments: str,
        group: int = 0,
        within: AbstractContextManager[object] | None = None,
    ) -> int:
        """Start `nst` as a process of that group, or of its own; return its id."""
        process = os.fork()
        if process:
            os.setpgid(process, group or process)  # whoever comes first, it or the child itself
            return process
        code = 1
        try:
            os.setpgid(0, group)
            os.chdir(self.folder)
            log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            code = _main(arguments, within or nullcontext())
        finally:
            sys.stderr.flush()
            os._exit(code)

    def run(self, *arguments: str) -> None:
        """Run `nst` to its end, which must be a good one."""
        code = self.end(self.start(*arguments))
        assert code == 0, f"exit code {code}; see {self.folder / 'log.txt'}"

    def end(self, process: int) -> int:
        """Wait for a process; return its exit code, negative for a signal."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        os.killpg(process, signal.SIGKILL)
        raise AssertionError(f"a batch in {self.folder} hangs")

    def results(self) -> dict[str, bytes]:
        """Read the results, by their paths below the folder."""
        pictures = (p.relative_to(self.out) for p in self.out.rglob("[!.]*.png"))
        return {p.as_posix(): (self.out / p).read_bytes() for p in pictures if p.parts[0] != ".nst"}

    def fail_all(self, names: Iterable[str]) -> None:
        """Leave a failure of each of these results."""
        from nstcli.plan.pair import Pair
        from nstcli.results.folder import Store

        for name in names:
            store = Store(self.out)
            store.prepare()
            store.fail(Pair.of(Path("content"), Path("style"), name), "why", 1.0)

    def clear(self) -> None:
        shutil.rmtree(self.out, ignore_errors=True)


def _main(arguments: Sequence[str], within: AbstractContextManager[object]) -> int:
    from nstcli.cli.app import main

    sys.argv = ["nst", *arguments]
    try:
        with within:
            main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0


def look_at_folder(out: Path, *, replacing: bool = False) -> dict[str, tuple[int, int]]:
    """Look at what a batch left; return what is complete, with inode and time.

    Nothing under a final name may be torn, and no record may be of other bytes, unless they are
    `replacing` older results: then a record is that of the old ones until its successor comes.
    """
    from nstcli.results.records import Failure, Record

    complete = {}
    for path in sorted(p for p in out.rglob("*") if p.is_file()):
        if path.name.startswith(".nst-") or path.name == "locks":
            continue
        data = path.read_bytes()
        _check_form(path, data)
        kind, *below = path.relative_to(out / ".nst").parts if ".nst" in path.parts else ("",)
        if kind == "failures":
            Failure.model_validate_json(data)
        if kind in {"pairs", "coming"}:
            record = Record.model_validate_json(data)
            name = "/".join(below).removesuffix(".json")
            if kind == "pairs":
                result = out / name
                found = hashlib.sha256(result.read_bytes()).hexdigest()
                assert replacing or found == record.output_sha256, f"{path} is a false record"
                if found == record.output_sha256:
                    known = result.stat()
                    complete[name] = (known.st_ino, known.st_mtime_ns)
    return complete


def _check_form(path: Path, data: bytes) -> None:
    from nstcli.images import decode

    assert data, f"{path} is empty"
    if path.suffix in {".png", ".jpg", ".webp"}:
        decode(data, path.name)
    elif path.suffix == ".json":
        json.loads(data)
    elif path.suffix == ".jsonl":
        for line in data.decode().splitlines():
            json.loads(line)
    elif path.suffix == ".html":
        assert data.rstrip().endswith(b"</html>"), f"{path} is torn"


def check_whole(place: Place, reference: dict[str, bytes], *, once: bool = True) -> None:
    """Check a folder that is done: the results of an undisturbed run, and nothing besides.

    Where results were made `once`, none was announced that did not come.
    """
    results = place.results()
    assert set(results) == set(reference)
    wrong = [name for name, data in results.items() if data != reference[name]]
    assert not wrong, f"other bytes: {wrong}"
    assert set(look_at_folder(place.out)) == set(reference)
    left = [p for p in place.out.rglob("*") if p.name.startswith(".nst-")]
    left += (place.out / ".nst" / "failures").rglob("*.json")
    assert not left, f"left behind: {left}"
    if once:
        assert not list((place.out / ".nst" / "coming").rglob("*.json"))
        twice = [name for name, count in made(place).items() if count > 1]
        assert not twice, f"made twice: {twice}"


def made(place: Place) -> Counter[str]:
    """Count how often each result was made, by the journal."""
    journal = place.out / ".nst" / "events.jsonl"
    lines = journal.read_text("utf-8").splitlines() if journal.exists() else []
    events = [json.loads(line) for line in lines]
    return Counter(event["result"] for event in events if event["event"] == "done")


@dataclass(frozen=True)
class Kind:
    """A way to run batches: the options, how many at once, and what lies there before.

    `survivors` of the processes are not killed, and make the rest. With `failed`, every pair has
    failed before.
    """

    name: str
    options: tuple[str, ...] = ()
    processes: int = 1
    survivors: int = 0
    before: tuple[str, ...] = ()
    failed: bool = False


KINDS = (
    Kind("one process"),
    Kind("without metadata", BARE),
    Kind("two processes", processes=2),
    Kind("one of two", processes=2, survivors=1),
    Kind("over older results", ("--overwrite",), before=("--seed", "1", "--init", "noise")),
    Kind("over the same", ("--force",)),
    Kind("after failures", failed=True),
    Kind("over the same, after failures", ("--force",), failed=True),
    Kind("into folders", MIRRORED),
)
WORKERS = Kind("two workers", ("-j", "2"))


def round_of(place: Place, kind: Kind, reference: dict[str, bytes], chance: random.Random) -> int:
    """Start, kill, look, go on, compare; return how many results were complete at the kill."""
    place.clear()
    if kind.before or "--force" in kind.options:
        place.run(*RUN, *kind.before)
    old = place.results()
    if kind.failed:
        place.fail_all(reference)
    survivors = [place.start(*RUN, *kind.options) for _ in range(kind.survivors)]
    leader = place.start(*RUN, *kind.options)
    others = [
        place.start(*RUN, *kind.options, group=leader)
        for _ in range(kind.processes - kind.survivors - 1)
    ]
    _wait_for_a_moment(place, leader, chance, len(old))
    for process in (leader, *others):
        os.kill(process, signal.SIGSTOP)  # so that none sees another die and goes on
    os.killpg(leader, signal.SIGKILL)
    for process in (leader, *others):
        place.end(process)
    if survivors:
        assert [place.end(process) for process in survivors] == [0] * len(survivors)
        assert place.results() == reference
        place.run(*RUN)  # removes temporary files of the dead, which only those before could
        check_whole(place, reference)
        return len(reference)
    for name, data in place.results().items():
        assert data in (reference[name], old.get(name)), f"{name} is neither old nor new"
    complete = look_at_folder(place.out, replacing=bool(old))
    untouched = {n: s for n, s in complete.items() if place.results()[n] == reference[n]}
    again = tuple(option for option in kind.options if option != "--force")
    place.run(*RUN, *again)
    check_whole(place, reference, once=not old)
    after = look_at_folder(place.out)
    assert {name: after[name] for name in untouched} == untouched, "made again what was complete"
    return len(complete)


def _wait_for_a_moment(place: Place, process: int, chance: random.Random, old: int) -> None:
    """Wait until so many results are there, and a little longer."""
    wanted = chance.randrange(PAIRS)
    deadline = time.monotonic() + chance.choice([0.2, PATIENCE])
    while not old and len(place.results()) < wanted:
        if os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        if time.monotonic() > deadline:
            break
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.5 if old else 0.06))


def at_every_write(place: Place, accident: Accident, *options: str) -> int:
    """Kill at every call that writes to the folder in turn; return how many there are."""
    first = (*RUN, *options, "--limit", "1")
    place.clear()
    place.run(*first)
    reference = place.results()
    for n in range(1, 1000):
        place.clear()
        place.fail_all(reference)
        code = place.end(place.start(*first, within=striking(place.out, accident, n, n)))
        look_at_folder(place.out)
        if code == 0:
            return n - 1
        assert code == -signal.SIGKILL, code
        place.run(*first)
        check_whole(place, reference)
    raise AssertionError("it never ends")


def together(place: Place, count: int, reference: dict[str, bytes]) -> None:
    """Let so many processes share one folder: each pair is made once."""
    place.clear()
    processes = [place.start(*RUN) for _ in range(count)]
    assert [place.end(process) for process in processes] == [0] * count
    check_whole(place, reference)
    assert made(place) == dict.fromkeys(reference, 1)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--workers", type=int, help="rounds of them with two workers (a tenth)")
    parser.add_argument("--short", action="store_true", help="fewer kills at writes")
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="nst-chaos-"))
    _prepare(folder / "site")
    os.environ["NST_CACHE"] = str(folder / "cache")
    place = Place(folder / "place")
    references = {options: _reference(place, *options) for options in ((), BARE, MIRRORED)}
    every = [(tear_and_kill, (*BARE, *MIRRORED)), (kill, ()), (tear_and_kill, ()), (kill, BARE)]
    for accident, options in every[:1] if wanted.short else every:
        points = at_every_write(place, accident, *options)
        say(f"{accident.__name__} at each of {points} writes {' '.join(options)}: ok")
    for count in (2, 4):
        together(place, count, references[()])
        say(f"{count} processes at once: each pair made once")
    chance = random.Random(wanted.seed)
    workers = wanted.rounds // 10 if wanted.workers is None else wanted.workers
    kinds = [WORKERS] * workers + [KINDS[n % len(KINDS)] for n in range(wanted.rounds - workers)]
    found: Counter[int] = Counter()
    for kind in kinds:
        reference = references.get(kind.options, references[()])
        found[round_of(place, kind, reference, chance)] += 1
    say(f"{len(kinds)} rounds: {dict(Counter(kind.name for kind in kinds))}")
    say(f"complete at the kill, of {PAIRS}: {dict(sorted(found.items()))}")
    shutil.rmtree(folder)


def _prepare(site: Path) -> None:
    """Import what batches import, and offer the backbone `tiny` from the folder `site`."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch
    import torch._dynamo  # which the first step of any optimizer imports

    from tests import tiny
    from tests.conftest import install

    for name in ("run.backends.local", "run.backends.process", "cli.app", "cli.making"):
        import_module(f"nstcli.{name}")
    torch.set_num_threads(1)
    install(site, "tiny", Path(tiny.__file__).read_text("utf-8"))
    sys.path.insert(0, str(site))


def _reference(place: Place, *options: str) -> dict[str, bytes]:
    place.clear()
    online = tuple(option for option in RUN if option != "--offline")
    place.run(*online, *options)
    assert len(place.results()) == PAIRS
    return place.results()


if __name__ == "__main__":
    main()
