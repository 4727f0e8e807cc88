"""The benchmark still runs, and compares what it says. No time is asserted."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from unittest.mock import DEFAULT, patch

import pytest
import torch

from nstcli.engine.objective import evaluate
from tests.benchmarks import case, contention, memory, startup
from tests.benchmarks.__main__ import main
from tests.benchmarks.clock import interleaved
from tests.benchmarks.objective import Mark, Race, run_ours
from tests.benchmarks.reference import optimize, truncated
from tests.benchmarks.scope import ROOT
from tests.benchmarks.speed import convolution_flops
from tests.conftest import Plugin
from tests.nstcli.engine.scene import CONTENT, OTHER, STYLE
from tests.tiny import build

PAIR = case.Pair(CONTENT, STYLE)

pytestmark = pytest.mark.usefixtures("tiny_plugin")


@pytest.mark.parametrize("image", [CONTENT, OTHER, 0.5 * CONTENT + 0.25])
def test_the_loss_of_the_reference_is_ours(image: torch.Tensor) -> None:
    asked = case.settings("tiny")
    reference, extractor = case.reference(asked, PAIR), case.plain(asked)
    found = evaluate(extractor, image, case.objective(extractor, asked.recipe, PAIR))
    ours = (
        asked.recipe.content_weight * found["content"] + asked.recipe.style_weight * found["style"]
    )
    assert reference.loss(image).item() == pytest.approx(ours.item(), rel=1e-4)
    assert case.Judge(asked, PAIR)(image) == pytest.approx(ours.item(), rel=1e-4)


def test_the_gradient_of_the_reference_is_ours() -> None:
    asked = case.settings("tiny")
    reference, extractor = case.reference(asked, PAIR), case.plain(asked)
    terms = case.objective(extractor, asked.recipe, PAIR)
    image = OTHER.clone().requires_grad_()
    (theirs,) = torch.autograd.grad(reference.loss(image), image)
    (ours,) = torch.autograd.grad(case.weighted(extractor, image, terms, asked.recipe), image)
    assert torch.allclose(theirs, ours, rtol=1e-3, atol=1e-4 * ours.abs().max().item())


def test_the_judge_calculates_in_float32() -> None:
    judge = case.Judge(case.settings("tiny"), PAIR)
    dtypes = {parameter.dtype for parameter in judge.extractor.parameters()}
    features = judge.extractor(CONTENT, ["relu3"])["relu3"]
    assert dtypes == {torch.float32} == {features.dtype}


def test_the_reference_evaluates_as_often_as_asked() -> None:
    asked = case.settings("tiny")
    reference = case.reference(asked, PAIR)
    looks: list[int] = []
    calls: list[torch.Tensor] = []

    def watch(done: int, image: torch.Tensor) -> None:
        assert done == len(calls)
        looks.append(done)

    with patch.object(reference, "loss", wraps=reference.loss) as loss:
        loss.side_effect = lambda image: calls.append(image) or DEFAULT
        optimize(reference, CONTENT, 7, watch)
    assert looks == list(range(8))


def test_ours_evaluates_once_a_step() -> None:
    asked = case.settings("tiny", steps=6, scales=1)
    extractor = case.plain(asked)
    race = run_ours(extractor, asked, PAIR, case.Judge(asked, PAIR), [Mark(1, 1.0, 0.0)])
    assert (race.evaluations, race.at_full_size) == (6, 6)
    assert len(race.looks) == 7
    # A hook that stayed would count the next run's evaluations, too.
    assert not extractor._forward_pre_hooks


def test_coarse_pictures_do_not_count() -> None:
    asked = case.settings("tiny", steps=6, scales=2)
    race = run_ours(case.plain(asked), asked, PAIR, case.Judge(asked, PAIR), [Mark(1, 1.0, 0.0)])
    assert (race.evaluations, race.at_full_size) == (6, 3)
    assert len(race.looks) == 4


def test_seconds_until_is_the_first_picture_as_good() -> None:
    race = Race(looks=[(1.0, 5.0), (2.0, 3.0), (3.0, 4.0), (4.0, 2.0)])
    assert [race.seconds_until(j) for j in (3.5, 2.0, 1.0)] == [2.0, 4.0, None]


def test_the_reference_runs_no_layer_in_vain() -> None:
    network = torch.nn.Sequential(build(), torch.nn.ReLU())
    cut = truncated(network, ["0", "4"])
    assert [type(module).__name__ for module in cut[0]] == [  # type: ignore[index]
        "Conv2d",
        "ReLU",
        "MaxPool2d",
        "Conv2d",
        "ReLU",
    ]


def test_flops_are_those_of_forward_and_of_backward_to_the_input() -> None:
    layer = torch.nn.Conv2d(3, 8, 3, padding=1).requires_grad_(False)
    image = torch.zeros(1, 3, 10, 20, requires_grad=True)
    once = 2 * 3 * 8 * 9 * 10 * 20
    assert convolution_flops(lambda: layer(image).sum().backward()) == 2 * once


# Finds the peak of a side that also takes and frees 400 MiB, in a process without a past.
_PEAK = """
import json, sys, torch
from tests.benchmarks import memory
side, task = sys.argv[1], memory.Task(**json.loads(sys.argv[2]))
make = getattr(memory, side)
def greedy(task):
    make(task)
    torch.ones(100 * 2**20)
setattr(memory, side, greedy)
print(memory.peak(task) / 2**20)
"""


@pytest.mark.parametrize(("side", "dtype"), [("_ours", "float32"), ("_reference", "")])
def test_the_peak_of_either_side_is_found(tmp_path: Path, side: str, dtype: str) -> None:
    torch.save(list(PAIR), tmp_path / "pair.pt")
    task = memory.Task("tiny", 32, str(tmp_path / "pair.pt"), 2, dtype, dtype and "channels_last")
    command = [sys.executable, "-c", _PEAK, side, json.dumps(asdict(task))]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert 400 <= float(ended.stdout) < 600


def test_memory_is_compared_with_what_was_predicted(
    tmp_path: Path, write_picture: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    main(
        [
            *("--quick", "--models", "tiny", "--sizes", "32", "--sections", "memory"),
            *("--content", str(write_picture("a.png", seed=1))),
            *("--style", str(write_picture("b.png", 30, 30, seed=2))),
            *("--memory-evaluations", "2", "--json", str(tmp_path / "found.json")),
        ]
    )
    assert "| predicted MiB | real ÷ predicted |" in capsys.readouterr().out
    sections = json.loads((tmp_path / "found.json").read_bytes())["sections"]
    (row,) = sections["memory"]["tables"][0]["rows"]
    assert 0 < row["predicted_mib"] < 10
    assert row["real_to_predicted"] == pytest.approx(row["ours_mib"] / row["predicted_mib"])


def test_a_process_is_timed(tmp_path: Path) -> None:
    best = interleaved({"pass": startup.python(["-c", "pass"], tmp_path)}, 1)
    assert 0 < best["pass"] < 60


def test_the_command_writes_a_report(
    tiny_plugin: Plugin,
    write_picture: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    content, style = write_picture("a.png", seed=1), write_picture("b.png", 30, 30, seed=2)
    main(
        [
            *("--quick", "--models", "tiny", "--sizes", "24,32", "--rounds", "1"),
            *("--content", str(content), "--style", str(style)),
            *("--sections", "speed,objective,growth", "--json", str(tmp_path / "found.json")),
        ]
    )
    printed = capsys.readouterr().out
    assert "`python -m tests.benchmarks --quick --models tiny" in printed
    for line in ("- CPU: ", "- versions: Python", "## Speed of one", "## Seconds to", "## Growth"):
        assert line in printed
    found = json.loads((tmp_path / "found.json").read_bytes())["sections"]
    assert list(found) == ["speed", "objective", "growth"]
    rows = found["speed"]["tables"][0]["rows"]
    assert [row["picture"] for row in rows] == ["24×18", "32×24"]
    for row in rows:
        assert row["ratio"] == pytest.approx(row["reference_ms"] / row["ours_ms"])


def test_a_crowd_is_driven(tmp_path: Path) -> None:
    main(
        [
            *("--quick", "--models", "tiny", "--sections", "crowd", "--crowd", "4"),
            *("--json", str(tmp_path / "found.json")),
        ]
    )
    found = json.loads((tmp_path / "found.json").read_bytes())["sections"]["crowd"]
    (driver,), steps, on_disk = (table["rows"] for table in found["tables"])
    # Announcement and result are files in folders, and the first becomes the record in another.
    assert (driver["pairs"], int(driver["syncs"])) == (16, 5)
    assert driver["pair_ms"] > driver["disk_ms"] > 0
    assert len(steps) == 7
    assert all(row["bytes"] > 0 for row in on_disk)


def test_contention_times_every_choice_beside_busy_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contention, "_BUSY", (0, 1))
    monkeypatch.setattr(contention, "_CHOICES", contention._CHOICES[-2:])
    main(
        [
            *("--quick", "--models", "tiny", "--sizes", "32", "--sections", "contention"),
            *("--json", str(tmp_path / "found.json")),
        ]
    )
    found = json.loads((tmp_path / "found.json").read_bytes())["sections"]["contention"]
    rows, worst = (table["rows"] for table in found["tables"])
    assert [row["busy"] for row in rows] == [0, 1]
    for row in rows:
        assert row["best"] in {"passive", "one"}
        assert row[row["best"]] == min(row["passive"], row["one"]) > 0
    assert [row["choice"] for row in worst] == ["OMP_WAIT_POLICY=PASSIVE", "OMP_NUM_THREADS=1"]


def test_busy_programs_end_with_what_they_disturb(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    begin = subprocess.Popen

    def noted(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        started.append(begin(arguments))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", noted)
    disturbed = contention._busy(2)
    disturbed.__enter__()
    assert [program.poll() for program in started] == [None, None]
    problem = RuntimeError()
    assert not disturbed.__exit__(RuntimeError, problem, None)
    assert all(program.poll() is not None for program in started)
