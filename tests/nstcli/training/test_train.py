"""Training from end to end: what is written, what a stop leaves, what cannot go on says why."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import backbones
from backbones import atomic
from nstcli import images
from nstcli.errors import DivergedError, InputError, StoppedError
from nstcli.networks import file
from nstcli.networks.transformation import TransformationNetwork
from nstcli.recipe import DEFAULT
from nstcli.recipe import resolve as resolve_loss
from nstcli.training import checkpoint
from nstcli.training import loop as training_loop
from nstcli.training import train as training
from nstcli.training.loop import Step, rate, style_share
from nstcli.training.recipe import TrainingOptions, choices_of, resolve
from nstcli.training.train import Checked, Order, Ready, Remark, Saved, Standing, check, run
from tests.nstcli.training.conftest import Orders

STEPS = 6


def trained(order: Order) -> tuple[dict[str, torch.Tensor], file.Notes]:
    assert run(check(order))
    network, notes = file.read(order.output)
    return dict(network.state_dict()), notes


def stopped_after(steps: int, checked: Checked) -> None:
    """Train so many steps, and have it stopped."""
    taken: list[int] = []

    def listen(event: Any) -> None:
        if isinstance(event, Step):
            taken.append(event.number)

    assert not run(checked, listen, stop=lambda: len(taken) >= steps)
    assert len(taken) == steps


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_what_a_training_leaves(tmp_path: Path, order: Orders) -> None:
    events: list[Any] = []
    wanted = order(tmp_path / "new/ink.safetensors", licence="CC0")
    checked = check(wanted)
    assert run(checked, events.append)
    assert isinstance(events[0], Ready)
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.number for step in steps] == [*range(1, STEPS + 1)]
    assert [step.progress for step in steps][-1] == 1
    assert set(steps[0].terms) == {"content", "style"}
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "ink.safetensors",
        "ink.training.png",
    ]
    network, notes = file.read(wanted.output)
    assert isinstance(network, TransformationNetwork)
    assert (network.width, notes.style, notes.steps, notes.photos) == (2, "ink", STEPS, 3)
    assert notes.recipe == checked.recipe.dump()
    assert notes.loss == pytest.approx(sum(step.loss for step in steps) / STEPS, rel=1e-5)
    assert notes.licence == "CC0; trained by tiny:random (CC0)"
    assert images.decode(notes.thumbnail, "ink.jpg").width == 24
    assert images.decode((tmp_path / "new/ink.training.png").read_bytes(), "s").height > 256


def test_the_same_again_is_up_to_date(tmp_path: Path, order: Orders) -> None:
    wanted = order(tmp_path / "ink.safetensors")
    first, _ = trained(wanted)
    before = wanted.output.stat().st_mtime_ns
    checked = check(wanted)
    assert checked.standing is Standing.UP_TO_DATE
    assert run(checked, lambda event: pytest.fail("nothing was to be done"))
    assert wanted.output.stat().st_mtime_ns == before
    anew = order(wanted.output, force=True)
    assert check(anew).standing is Standing.NEW
    assert same(trained(anew)[0], first)


def test_stopped_and_gone_on_it_is_as_if_undisturbed(tmp_path: Path, order: Orders) -> None:
    undisturbed, notes = trained(order(tmp_path / "a/ink.safetensors"))
    wanted = order(tmp_path / "b/ink.safetensors")
    for standing, steps in ((Standing.NEW, 2), (Standing.STARTED, 1)):
        checked = check(wanted)
        assert checked.standing is standing
        stopped_after(steps, checked)
        assert not wanted.output.exists()
    gone_on, others = trained(wanted)
    assert same(gone_on, undisturbed)
    assert notes.content_sha256 == others.content_sha256
    assert (notes.loss, notes.steps) == (others.loss, others.steps)
    assert not checkpoint.path_of(wanted.output).exists()


def test_ended_before_its_first_step_it_begins_again(
    tmp_path: Path, order: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = order(tmp_path / "ink.safetensors")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(training, "train", killed)
        with pytest.raises(KeyboardInterrupt):
            run(check(wanted))
    checked = check(wanted)
    assert checked.standing is Standing.STARTED
    assert run(checked)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"steps": 9}, "steps 6 → 9"),
        ({"steps": None, "minutes": 1.0}, "minutes – → 1.0"),
        ({"width": 3}, "width 2 → 3"),
        ({"chosen": {"style_weight": 4.0}}, "style-weight 15.0 → 4.0"),
        ({"chosen": {"style_layers": "relu1"}}, "other style-layers"),
        ({"chosen": {"seed": 4}}, "seed 0 → 4"),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_another_recipe_is_no_successor(
    tmp_path: Path, order: Orders, change: dict[str, Any], told: str, finished: bool
) -> None:
    output = tmp_path / "ink.safetensors"
    if finished:
        trained(order(output))
    else:
        stopped_after(1, check(order(output)))
    with pytest.raises(InputError, match=f"other settings.*{told}.*--force trains anew"):
        check(order(output, **change))
    assert check(order(output, force=True, **change)).standing is Standing.NEW


def test_other_photos_and_another_style_are_another_recipe(
    tmp_path: Path, order: Orders, photos: Path, write_picture: Callable[..., Path]
) -> None:
    output = tmp_path / "ink.safetensors"
    trained(order(output))
    write_picture("photos/d.png", 30, 30, seed=5)
    write_picture("art/ink.png", 20, 24, seed=10)
    with pytest.raises(InputError, match="other style, other photos"):
        check(order(output))


def test_what_is_not_ours_is_never_replaced(tmp_path: Path, order: Orders) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"somebody's")
    (tmp_path / "b.training.png").write_bytes(b"somebody's")
    (tmp_path / "c.safetensors").mkdir()
    for name, problem in {
        "a.safetensors": "no network",
        "b.safetensors": "no sheet of nst",
        "c.safetensors": "is a folder",
        "d.pth": r"end the name of a network in \.safetensors",
    }.items():
        with pytest.raises(InputError, match=problem):
            check(order(tmp_path / name, force=True))
    assert (tmp_path / "a.safetensors").read_bytes() == b"somebody's"


def test_a_damaged_checkpoint_says_what_to_do(tmp_path: Path, order: Orders) -> None:
    wanted = order(tmp_path / "ink.safetensors")
    stopped_after(1, check(wanted))
    place = checkpoint.path_of(wanted.output)
    place.write_bytes(place.read_bytes()[:-50])
    with pytest.raises(InputError, match="damaged one; --force starts anew"):
        check(wanted)
    assert run(check(order(wanted.output, force=True)))


def test_a_full_disk_leaves_the_checkpoint_before(
    tmp_path: Path, order: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = order(tmp_path / "ink.safetensors", checkpoint_seconds=0.0)
    writes: list[Path] = []
    real = atomic.write_atomic

    def full(path: Path, data: bytes) -> None:
        writes.append(path)
        if path.suffix == ".checkpoint" and len(writes) > 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, data)

    saved: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "write_atomic", full)
        patched.setattr(training, "write_atomic", full)
        with pytest.raises(StoppedError, match="No space left on device; the checkpoint") as told:
            run(check(wanted), lambda event: isinstance(event, Saved) and saved.append(event.step))
    assert f"checkpoint of step {saved[-1]} stays" in str(told.value)
    begun = checkpoint.load(checkpoint.path_of(wanted.output), check(wanted).recipe, "cpu")
    assert begun.step == saved[-1]


def test_a_disk_that_is_full_at_once_is_told_before_the_first_step(
    tmp_path: Path, order: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_atomic", full)
    with pytest.raises(StoppedError, match="nothing was trained yet"):
        run(check(order(tmp_path / "ink.safetensors")))


def test_a_sheet_that_cannot_be_written_ends_nothing(
    tmp_path: Path, order: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(training, "write_atomic", full)
    events: list[Any] = []
    assert run(check(order(tmp_path / "ink.safetensors")), events.append)
    (remark,) = [event for event in events if isinstance(event, Remark)]
    assert "ink.training.png': No space left" in remark.text
    assert (tmp_path / "ink.safetensors").exists()


def test_a_loss_that_is_no_number_ends_it_and_leaves_the_checkpoint(
    tmp_path: Path, order: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = order(tmp_path / "ink.safetensors", checkpoint_seconds=0.0)
    real = training_loop.rate
    monkeypatch.setattr(
        training_loop, "rate", lambda progress: float("nan") if progress >= 0.5 else real(progress)
    )
    with pytest.raises(DivergedError, match=r"diverged at step 5.*checkpoint of step 4.*--force"):
        run(check(wanted))
    begun = checkpoint.load(checkpoint.path_of(wanted.output), check(wanted).recipe, "cpu")
    assert begun.step == 4
    assert not wanted.output.exists()


def test_minutes_end_it_by_the_clock(
    tmp_path: Path, order: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10**6))
    monkeypatch.setattr(training_loop.time, "perf_counter", lambda: float(next(clock)))
    events: list[Any] = []
    wanted = order(tmp_path / "ink.safetensors", steps=None, minutes=0.1)
    assert run(check(wanted), events.append)
    steps = [event for event in events if isinstance(event, Step)]
    assert (len(steps), steps[2].remaining) == (6, 3)
    assert file.read_notes(wanted.output).recipe["minutes"] == 0.1


def test_the_rate_rises_and_falls() -> None:
    at = [rate(step / 100) for step in range(101)]
    top = at.index(max(at))
    assert at[top] == 1
    assert at[: top + 1] == sorted(at[: top + 1])
    assert at[top:] == sorted(at[top:], reverse=True)
    assert 0 < at[-1] < 0.05


@pytest.mark.parametrize(
    ("device", "decided"),
    [("cpu", ("squeezenet", 16, 1, 8000)), ("cuda:0", ("vgg19", 32, 8, 20000))],
)
def test_the_device_decides_what_nobody_said(device: str, decided: tuple[Any, ...]) -> None:
    options = TrainingOptions()
    choices = choices_of(options, DEFAULT, device)
    loss = resolve_loss(backbones.get(choices["model"]), "0" * 64, choices)
    recipe = resolve(options, loss, device, (("0" * 64, 1.0),), "")
    assert (loss.model, recipe.width, recipe.batch_size, recipe.steps) == decided


def test_the_style_grows_in() -> None:
    at = [style_share(step / 100) for step in range(101)]
    assert 0 < at[0] < 0.01
    assert at[:31] == sorted(at[:31])
    assert set(at[30:]) == {1.0}


def test_the_loss_that_is_told_counts_all_of_the_style(tmp_path: Path, order: Orders) -> None:
    steps: list[Step] = []
    checked = check(order(tmp_path / "ink.safetensors"))
    run(checked, lambda event: isinstance(event, Step) and steps.append(event))
    weights = checked.recipe.loss.weights_of_terms
    for step in steps:
        told = sum(weights[name] * term for name, term in step.terms.items())
        assert step.loss == pytest.approx(told, rel=1e-5)


def test_several_artworks_are_one_style(
    tmp_path: Path, order: Orders, write_picture: Callable[..., Path]
) -> None:
    from nstcli.plan import blends

    several = [write_picture(f"art/{n}.png", 20, 20, seed=n) for n in (1, 2)]
    style = blends.named([(several[0], 0.25), (several[1], 0.75)])
    wanted = order(tmp_path / "both.safetensors", style=style)
    _, notes = trained(wanted)
    assert notes.style == "1+2"
    assert [weight for _, weight in notes.recipe["styles"]] == [0.25, 0.75]


def test_what_leaves_nothing_to_train_for_is_refused(tmp_path: Path, order: Orders) -> None:
    output = tmp_path / "ink.safetensors"
    with pytest.raises(InputError, match="--style-weight 0"):
        check(order(output, chosen={"style_weight": 0.0}))
    with pytest.raises(InputError, match="two budgets"):
        check(order(output, minutes=1.0))


def test_the_nearest_term_is_none_of_a_network(tmp_path: Path, order: Orders) -> None:
    checked = check(order(tmp_path / "n.safetensors", chosen={"nearest_weight": 9.0}))
    assert checked.recipe.loss.weights_of_terms["nearest"] == 0
    assert "nearest_weight" not in checked.recipe.dump()


def test_learning_lowers_the_loss(tmp_path: Path, order: Orders) -> None:
    wanted = order(tmp_path / "ink.safetensors", steps=60, width=4)
    losses: list[float] = []
    run(check(wanted), lambda event: isinstance(event, Step) and losses.append(event.loss))
    assert sum(losses[-10:]) < 0.4 * sum(losses[:10])
