"""What a batch leaves, says and returns, whatever happens to it."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.text import Text

from nstcli.cli.interruption import Interruption
from nstcli.cli.progress import Lines
from nstcli.cli.screen import Screen
from nstcli.plan.pair import Pair
from nstcli.results.folder import Store
from nstcli.run.events import PairStep, Waiting
from tests.nstcli.cli.chaos import look_at_folder
from tests.nstcli.cli.conftest import Ended, Nst
from tests.nstcli.cli.strikes import fill_up, read_only, striking

pytestmark = pytest.mark.usefixtures("folders")

RUN = ("batch", "photos", "art", "-o", "out", "-m", "tiny", "--steps", "3")
SAME = (*RUN, "--precision", "float32", "--no-gallery")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def results(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (folder / "out").glob("*__*")}


def summary(ended: Ended) -> dict[str, Any]:
    """Return the one line on the standard output."""
    assert ended.out.endswith("\n")
    (line,) = ended.out.splitlines()
    found = json.loads(line)
    assert found["exit_code"] == ended.code
    assert found["failed"] == len(found["failures"])
    return dict(found)


def events(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "out/.nst/events.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def at_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], object]], None]:
    """Return what lets something happen at the n-th step of the run, counted over all pairs."""

    from nstcli.engine.methods import optimize

    def arrange(number: int, happens: Callable[[], object]) -> None:
        stylize = optimize.stylize_together
        steps = [0]

        def with_accident(extractor: Any, scales: Any, recipe: Any, watch: Any) -> Any:
            def watched(each: Sequence[Any]) -> Any:
                steps[0] += 1
                if steps[0] == number:
                    happens()
                return watch(each)

            return stylize(extractor, scales, recipe, watched)

        monkeypatch.setattr(optimize, "stylize_together", with_accident)

    return arrange


AtStep = Callable[[int, Callable[[], object]], None]


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return what alone moves the clock that pairs are timed by, in seconds."""
    from nstcli.run import worker

    now = [0.0]

    def move(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(worker, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    return move


def signals(*numbers: signal.Signals) -> Callable[[], None]:
    def send() -> None:
        for number in numbers:
            os.kill(os.getpid(), number)

    return send


def test_the_summary_of_a_good_run_is_one_line(nst: Nst) -> None:
    found = summary(nst(*RUN, "--json"))
    assert (found["made"], found["cached"], found["failures"]) == (4, 0, [])
    assert (found["output"], found["exit_code"]) == ("out", 0)
    found = summary(nst(*RUN, "--json", "-q"))
    assert (found["made"], found["cached"], found["exit_code"]) == (0, 4, 0)


def test_failures_are_in_the_summary_and_grouped_by_cause_at_the_end(
    nst: Nst, tmp_path: Path
) -> None:
    (tmp_path / "photos" / "bad.png").write_bytes(b"\x89PNG no more")
    (tmp_path / "art" / "awful.png").write_text("none")
    ended = nst(*RUN, "--json")
    found = summary(ended)
    assert (found["exit_code"], found["made"], found["failed"]) == (1, 4, 5)
    first = found["failures"][0]
    assert (first["content"], first["style"]) == ("photos/bad.png", "art/awful.png")
    assert set(first) == {"content", "style", "result", "error"}
    end = ended.err.splitlines()
    end = end[next(n for n, line in enumerate(end) if line.startswith("Done: ")) :]
    assert end[0].startswith("Done: 4 made, 5 failed in ")
    assert sorted(line.split("   ")[0].strip() for line in end[1:-1]) == ["✗ 2 pairs", "✗ 3 pairs"]
    assert "photos/bad.png" in end[1]
    assert end[-1] == "Re-run the same command to retry only the failed pairs."


def test_nothing_is_said_on_the_standard_output_where_nothing_is_computed(nst: Nst) -> None:
    ended = nst(*RUN, "--json", "-m", "vgg18")
    assert (ended.code, ended.out) == (2, "")


def test_a_bug_has_its_traceback_and_its_code(nst: Nst, at_step: AtStep) -> None:
    at_step(2, lambda: {}["oops"])
    ended = nst(*RUN, "--json")
    assert (ended.code, ended.out) == (70, "")
    assert "KeyError: 'oops'" in ended.err


def test_fail_fast_stops_in_the_middle(nst: Nst, tmp_path: Path, at_step: AtStep) -> None:
    at_step(2, (tmp_path / "art" / "wave.png").unlink)
    ended = nst(*RUN, "--json", "--fail-fast")
    found = summary(ended)
    assert (found["exit_code"], found["made"], found["failed"]) == (3, 1, 1)
    assert "nst: stopped at the first failure: cat.png × wave.png: art/wave.png: " in ended.err
    assert set(results(tmp_path)) == {"cat__ink.png"}


def test_fail_fast_makes_nothing_where_a_picture_is_bad(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "photos" / "bad.png").write_bytes(b"\x89PNG no more")
    found = summary(nst(*RUN, "--json", "--fail-fast"))
    assert (found["exit_code"], found["made"], found["failed"]) == (3, 0, 2)
    assert results(tmp_path) == {}


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ((signal.SIGINT,), 130),
        ((signal.SIGTERM,), 143),
        ((signal.SIGINT, signal.SIGINT), 130),
    ],
)
def test_a_signal_drops_the_running_pair_and_keeps_the_rest(
    nst: Nst, tmp_path: Path, at_step: AtStep, sent: tuple[signal.Signals, ...], code: int
) -> None:
    at_step(5, signals(*sent))
    ended = nst(*SAME, "--json")
    found = summary(ended)
    assert (found["exit_code"], found["made"], found["failed"]) == (code, 1, 0)
    assert "stopping; what is finished is safe. Ctrl-C again stops at once" in ended.err
    assert "Interrupted: 1 made in " in ended.err
    assert set(results(tmp_path)) == {"cat__ink.png"}
    assert not list((tmp_path / "out/.nst/failures").iterdir())
    found = summary(nst(*SAME, "--json"))
    assert (found["exit_code"], found["made"], found["cached"]) == (0, 3, 1)


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_does_not_wait_for_the_next_step(
    nst: Nst, at_step: AtStep, second: signal.Signals
) -> None:
    after: list[str] = []

    def twice() -> None:
        signals(signal.SIGINT, second)()
        after.append("still here")

    at_step(5, twice)
    assert nst(*RUN).code == (130 if second == signal.SIGINT else 143)
    assert after == []


def test_a_signal_that_is_ignored_stays_so() -> None:
    """As a shell without job control starts what runs in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption(Screen(quiet=True), keeps_best=False) as interruption:
            signals(signal.SIGINT)()
            assert not interruption.asked
            signals(signal.SIGTERM)()
            assert interruption.exit_code == 143
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_before_anything_is_made(nst: Nst, monkeypatch: pytest.MonkeyPatch) -> None:

    from nstcli.run import check

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "survey", interrupted)
    assert nst(*RUN).code == 130


def test_a_signal_while_the_network_is_loaded_makes_nothing(
    nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backbones.hooks import FeatureExtractor

    load = FeatureExtractor.load

    def interrupted(*arguments: Any, **options: Any) -> FeatureExtractor:
        signals(signal.SIGTERM)()
        return load(*arguments, **options)

    monkeypatch.setattr(FeatureExtractor, "load", interrupted)
    ended = nst(*RUN, "--json")
    assert (summary(ended)["made"], ended.code) == (0, 143)
    assert "Interrupted: nothing made" in ended.err
    assert results(tmp_path) == {}


def test_a_signal_in_the_middle_of_a_line_is_heard_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Screen()

    def busy(text: object) -> None:
        raise RuntimeError("reentrant call inside <_io.BufferedWriter name='<stderr>'>")

    monkeypatch.setattr(screen, "complain", busy)
    with Interruption(screen, keeps_best=False) as interruption:
        signals(signal.SIGINT)()
        assert interruption.asked
    assert interruption.exit_code == 130


@needs_linux
def test_ctrl_c_in_a_save_leaves_nothing_torn(nst: Nst, tmp_path: Path) -> None:
    out = tmp_path / "out"
    nst(*SAME, "--limit", "2")
    reference = results(tmp_path)
    shutil.rmtree(out)
    nst(*SAME, "--limit", "1")

    def twice(name: str, arguments: object) -> bool:
        signals(signal.SIGINT, signal.SIGINT)()
        return True

    with striking(out, twice, 10_000) as calls:
        nst(*SAME, "--limit", "2")
    for n in (n for n, name in enumerate(calls, 1) if name in {"fsync", "replace"}):
        for name in ("cat__wave.png", ".nst/pairs/cat__wave.png.json"):
            (out / name).unlink(missing_ok=True)
        with striking(out, twice, n, n):
            code = nst(*SAME, "--limit", "2").code
        look_at_folder(out)
        assert not [p for p in out.rglob("*") if p.name.startswith(".nst-")]
        assert code == 130
        assert nst(*SAME, "--limit", "2").code == 0
        assert results(tmp_path) == reference


@needs_linux
@pytest.mark.parametrize("accident", [fill_up, read_only])
def test_a_disk_that_fills_up_at_any_write_loses_nothing(
    nst: Nst, tmp_path: Path, accident: Any
) -> None:
    """From the n-th write on, for every n. One pair is complete before."""
    out, before = tmp_path / "out", tmp_path / "before"
    assert nst(*SAME, "--limit", "2").code == 0
    reference = results(tmp_path)
    shutil.rmtree(out)
    assert nst(*SAME, "--limit", "1").code == 0
    shutil.copytree(out, before)
    codes = []
    for n in range(1, 1000):
        shutil.rmtree(out)
        shutil.copytree(before, out)
        with striking(out, accident, n) as calls:
            ended = nst(*SAME, "--limit", "2", "--json")
        codes.append(ended.code)
        complete = look_at_folder(out)
        assert "cat__ink.png" in complete
        assert ended.code != 0 or "cat__wave.png" in complete
        if ended.code == 3:
            assert summary(ended)["made"] == 0
            assert "nst: cannot write to 'out': " in ended.err
            if n % 3 == 0:  # enough of them, for the time that they take
                assert nst(*SAME, "--limit", "2").code == 0
                assert results(tmp_path) == reference
        if len(calls) < n:
            break
    assert set(codes) <= ({0, 3} if accident is fill_up else {0, 2, 3})
    assert codes.count(3) >= 8
    assert codes[-1] == 0


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Callable[..., None]]:
    """Mount a small disk in memory; yields what mounts it anew with other options."""
    folder.mkdir(exist_ok=True)

    def mount(*options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
        done = subprocess.run(command, check=False, capture_output=True)
        if done.returncode:
            pytest.skip(f"cannot mount a tmpfs: {done.stderr.decode(errors='replace').strip()}")

    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs Linux and root")
    mount(f"size={size}")
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_really_full_stops_and_goes_on_when_there_is_room(
    nst: Nst, tmp_path: Path
) -> None:
    nst(*SAME)
    reference = results(tmp_path)
    shutil.rmtree(tmp_path / "out")
    with mounted(tmp_path / "out", "28k") as mount:
        ended = nst(*SAME, "--json")
        assert ended.code == 3, ended.err
        assert "nst: cannot write to 'out': No space left on device" in ended.err
        made = look_at_folder(tmp_path / "out")
        assert summary(ended)["made"] == len(made)
        assert 0 < len(made) < 4
        mount("remount", "size=10m")
        found = summary(nst(*SAME, "--json"))
        assert (found["exit_code"], found["cached"]) == (0, len(made))
        assert results(tmp_path) == reference


def test_a_read_only_folder_is_told_before_anything_is_computed(
    nst: Nst, tmp_path: Path, at_step: AtStep
) -> None:
    at_step(1, lambda: pytest.fail("computed"))
    with mounted(tmp_path / "out", "1m") as mount:
        mount("remount", "ro")
        ended = nst(*RUN)
    assert ended.code == 2
    assert "nst: cannot write to 'out': Read-only file system" in ended.err


def test_a_folder_that_vanishes_stops_the_batch_and_does_not_come_back(
    nst: Nst, tmp_path: Path, at_step: AtStep
) -> None:
    at_step(5, lambda: shutil.rmtree(tmp_path / "out"))
    ended = nst(*RUN, "--json")
    assert summary(ended)["made"] == 1
    assert ended.code == 3
    assert "nst: cannot write to 'out': No such file or directory" in ended.err
    assert not (tmp_path / "out").exists()


def test_an_input_that_vanishes_fails_its_pairs(nst: Nst, tmp_path: Path, at_step: AtStep) -> None:
    at_step(2, (tmp_path / "photos" / "dog.png").unlink)
    found = summary(nst(*RUN, "--json"))
    assert (found["exit_code"], found["made"], found["failed"]) == (1, 2, 2)
    assert found["failures"][0]["error"].startswith("photos/dog.png: cannot be read: No such file")


def test_a_stranger_s_file_that_appears_is_left_alone(
    nst: Nst, tmp_path: Path, at_step: AtStep
) -> None:
    photo = tmp_path / "photos" / "cat.png"
    at_step(2, lambda: shutil.copy(photo, tmp_path / "out" / "cat__wave.png"))
    at_step(3, lambda: (tmp_path / "out" / "dog__ink.png").mkdir())
    found = summary(nst(*RUN, "--json"))
    assert (found["exit_code"], found["made"], found["failed"]) == (1, 2, 2)
    errors = {failure["result"]: failure["error"] for failure in found["failures"]}
    assert errors == {
        "cat__wave.png": "'out/cat__wave.png' appeared or changed while the batch was running; "
        "move it away",
        "dog__ink.png": "'out/dog__ink.png' is a folder where a result should go; move it away",
    }
    assert (tmp_path / "out" / "cat__wave.png").read_bytes() == photo.read_bytes()


@pytest.mark.parametrize("options", [(), ("--force",)])
def test_what_is_saved_under_the_name_of_the_running_pair_is_left_alone(
    nst: Nst, tmp_path: Path, at_step: AtStep, options: tuple[str, ...]
) -> None:
    photo, place = tmp_path / "photos" / "cat.png", tmp_path / "out" / "cat__ink.png"
    if options:
        nst(*RUN)
    at_step(2, lambda: place.write_bytes(photo.read_bytes()))
    found = summary(nst(*RUN, "--json", *options))
    assert (found["exit_code"], found["made"], found["failed"]) == (1, 3, 1)
    assert found["failures"][0]["result"] == "cat__ink.png"
    assert place.read_bytes() == photo.read_bytes()


def test_a_result_that_could_not_be_made_again_has_no_failure(
    nst: Nst, at_step: AtStep, pass_time: Callable[[float], None]
) -> None:
    nst(*RUN)
    at_step(2, lambda: pass_time(1.1))
    assert nst(*RUN, "--force", "--timeout", "1").code == 1
    assert nst("status", "out").code == 0
    assert summary(nst(*RUN, "--json"))["cached"] == 4


def test_a_dry_run_forgets_no_failure(nst: Nst, tmp_path: Path) -> None:
    store = Store(tmp_path / "out")
    store.prepare()
    store.fail(Pair.of(Path("cat.png"), Path("ink.png"), "cat__ink.png"), "why", 0.0)
    assert nst(*RUN, "-n").code == 0
    assert store.failure("cat__ink.png") == "why"


def test_a_file_where_a_mirrored_folder_belongs_is_told_before_anything_is_made(
    nst: Nst, tmp_path: Path
) -> None:
    (tmp_path / "photos" / "trip").mkdir()
    shutil.copy(tmp_path / "photos" / "cat.png", tmp_path / "photos" / "trip" / "cat.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "trip").write_text("notes")
    ended = nst(*RUN, "-r")
    assert ended.code == 2
    assert "'out/trip' is a file where a folder of results should go; move it away" in ended.err
    assert not results(tmp_path)


def test_a_pair_that_takes_too_long_fails_and_the_rest_has_its_own_time(
    nst: Nst, at_step: AtStep, pass_time: Callable[[float], None]
) -> None:
    at_step(2, lambda: pass_time(1.1))
    found = summary(nst(*RUN, "--json", "--timeout", "1"))
    assert (found["exit_code"], found["made"], found["failed"]) == (1, 3, 1)
    assert found["failures"][0]["error"] == (
        "not done after 1 s, at step 2 of 3; try a longer --timeout, fewer --steps or a smaller "
        "--size"
    )


def test_memory_that_runs_out_fails_the_pair(nst: Nst, at_step: AtStep) -> None:
    def exhausted() -> None:
        raise MemoryError

    at_step(1, exhausted)
    found = summary(nst(*RUN, "--json"))
    assert (found["exit_code"], found["made"], found["failed"]) == (1, 3, 1)
    assert found["failures"][0]["error"] == "out of memory at 512 px; try --size 256"


def test_shards_are_disjoint_and_make_everything(nst: Nst, tmp_path: Path) -> None:
    made: Counter[str] = Counter()
    for index in (1, 2, 3):
        assert nst(*RUN, "--shard", f"{index}/3").code == 0
        made.update(event["result"] for event in events(tmp_path)[-99:] if event["event"] == "done")
        shutil.rmtree(tmp_path / "out")
    assert set(made) == {"cat__ink.png", "cat__wave.png", "dog__ink.png", "dog__wave.png"}
    assert set(made.values()) == {1}


def test_force_makes_again_what_is_up_to_date(nst: Nst, tmp_path: Path) -> None:
    nst(*SAME)
    before = {p: p.stat().st_ino for p in (tmp_path / "out").glob("*.png")}
    data = results(tmp_path)
    found = summary(nst(*SAME, "--json", "--force"))
    assert (found["made"], found["cached"]) == (4, 0)
    assert all(p.stat().st_ino != inode for p, inode in before.items())
    assert results(tmp_path) == data


def test_the_journal_and_the_log_tell_what_happened(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "photos" / "dog.png").write_bytes(b"\x89PNG no more")
    nst(*RUN)
    (tmp_path / "art" / "wave.png").unlink()
    nst(*RUN, "--overwrite", "--steps", "4")
    told = events(tmp_path)
    assert all(isinstance(event["time"], float) for event in told)
    assert [event["event"] for event in told] == [
        *("ready", "failed", "failed", "started", "done", "started", "done"),
        *("ready", "failed", "started", "done"),
    ]
    assert len({event["run"] for event in told}) == 2
    done = told[4]
    assert (done["content"], done["style"]) == ("photos/cat.png", "art/ink.png")
    assert done["result"] == "cat__ink.png"
    assert done["seconds"] > 0
    assert done["loss"] > 0
    lines = [
        line.split(" ", 1)[1]
        for log in (tmp_path / "out/.nst").glob("run-*.log")
        for line in log.read_text("utf-8").splitlines()
    ]
    assert lines[0].startswith("worker on cpu (")
    assert "started cat.png × ink.png" in lines
    assert any(line.startswith("done cat.png × wave.png → cat__wave.png in ") for line in lines)


def test_readers_that_leave_cost_no_result(
    nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `nst batch … --json 2>&1 | head -0`."""
    streams = []
    for name in ("stdout", "stderr"):
        reader, writer = os.pipe()
        os.close(reader)
        streams.append(os.fdopen(writer, "w"))
        monkeypatch.setattr(sys, name, streams[-1])
    code = nst(*RUN, "--json").code
    for stream in streams:
        stream.write("the end")
        stream.close()  # as the interpreter does, which would complain
    assert code == 0
    assert len(results(tmp_path)) == 4


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("color", "environment", "terminal", "colored"),
    [
        ("auto", {}, True, True),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("never", {}, True, False),
        ("auto", {}, False, False),
        ("auto", {"FORCE_COLOR": "1"}, False, False),
        ("always", {}, False, True),
    ],
)
def test_colours_are_for_those_who_want_them(
    monkeypatch: pytest.MonkeyPatch,
    color: str,
    environment: dict[str, str],
    terminal: bool,
    colored: bool,
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    Screen(color=color).complain(Text("✗", "red"))
    assert ("\x1b[31m" in stream.getvalue()) == colored


@pytest.mark.parametrize(
    ("options", "animated"),
    [({}, True), ({"progress": False}, False), ({"quiet": True}, False)],
)
def test_bars_are_for_terminals_and_for_those_who_want_them(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, bool], animated: bool
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert Screen(**options).animated == animated
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not Screen(**options).animated


def test_quiet_tells_problems_alone(nst: Nst, tmp_path: Path) -> None:
    (tmp_path / "photos" / "bad.png").write_bytes(b"\x89PNG no more")
    ended = nst(*RUN, "-q")
    assert ended.code == 1
    lines = ended.err.splitlines()
    assert [line.split("   ")[0] for line in lines] == [
        "  ✗ 2 pairs",
        "Re-run the same command to retry only the failed pairs.",
    ]


def test_without_a_terminal_there_is_a_sign_of_life(capsys: pytest.CaptureFixture[str]) -> None:
    pair = Pair.of(Path("a.png"), Path("b.png"), "a__b.png")
    step = PairStep(pair, step=7, steps=10, loss=0.25, done=0.1)
    waiting = Waiting(3, first=False)
    for event in (step, waiting):
        Lines(Screen(), 4, heartbeat=3600.0)(event)
    assert capsys.readouterr().err == ""
    for event in (step, waiting):
        Lines(Screen(), 4, heartbeat=0.0)(event)
    assert capsys.readouterr().err.splitlines() == [
        "[1/4] a.png × b.png: step 7 of 10, loss 0.25",
        "waiting for 3 more that another nst has in hand",
    ]


def test_waiting_for_others_does_not_silence_the_sign_of_life(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others are looked at twice a second, which is no news."""
    clock = [0.0]
    monkeypatch.setattr("nstcli.cli.progress.time.monotonic", lambda: clock[0])
    lines = Lines(Screen(), 4)
    lines(Waiting(3, first=True))
    for _ in range(600):
        clock[0] += 0.5
        lines(Waiting(3, first=False))
    assert len(capsys.readouterr().err.splitlines()) == 1 + 5


@pytest.mark.slow
@needs_linux
def test_six_thousand_finished_pairs_are_looked_at_in_seconds_and_little_memory(
    nst: Nst, tmp_path: Path, write_picture: Callable[..., Path]
) -> None:
    """All results are one file under many names, each with a record of its own."""
    from nstcli.plan import product
    from nstcli.recipe import Recipe
    from nstcli.results.digests import Digests
    from nstcli.results.folder import Store
    from nstcli.results.records import Form, key_of, known_inputs

    photos = [write_picture(f"many/{n:03}.png", seed=n) for n in range(100)]
    art = [write_picture(f"works/{n:03}.png", seed=1000 + n) for n in range(60)]
    run = ("batch", "many", "works", *SAME[3:])
    assert nst(*run, "--limit", "1").code == 0
    store = Store(tmp_path / "out")
    pairs = product.planned(photos, art, product.Naming()).pairs
    record = store.load(pairs[0].output)
    assert record is not None
    known = Digests(None).of((*photos, *art))
    recipe = Recipe(**record.recipe)
    for pair in pairs[1:]:
        inputs = known_inputs(pair, [str(known[path]) for path in pair.paths])
        key = key_of(recipe, inputs, Form())
        other = record.model_copy(update={"inputs": inputs, "key": key})
        store.path(pair).hardlink_to(store.path(pairs[0]))
        (store.layout.hidden / "pairs" / f"{pair.output}.json").write_text(other.model_dump_json())

    code = """
        import sys, time
        from pathlib import Path
        from nstcli.cli.app import main
        try:
            main()
        except SystemExit as ended:
            most = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
            print(ended.code, most, time.process_time())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *run, "-q"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    ended, most, seconds = done.stdout.split()
    assert ended == "0"
    assert int(most) < 200_000  # KiB; torch alone would take more
    assert float(seconds) < 20
    assert len(events(tmp_path)) == 3  # of the first pair


def test_what_a_killed_process_left_beside_a_single_result_is_removed(
    nst: Nst, tmp_path: Path
) -> None:
    from backbones.atomic import _temporary_in

    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    name = _temporary_in(tmp_path).name.replace(f"-{os.getpid()}-", f"-{gone.pid}-")
    left = tmp_path / name
    left.write_bytes(b"half of a pict")
    assert nst("stylize", "photos/cat.png", "art/ink.png", *RUN[5:], "-o", "a.png").code == 0
    assert not left.exists()
