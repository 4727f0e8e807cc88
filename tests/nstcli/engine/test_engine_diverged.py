"""When the loss becomes NaN or infinite or explodes, and how often that is looked at."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from backbones.hooks import FeatureExtractor
from nstcli.engine import descent as module
from nstcli.engine.picture_optimizer import OPTIMIZERS
from nstcli.engine.steps import Step
from nstcli.errors import DivergedError
from tests import tiny
from tests.nstcli.engine.scene import paint, recipe, watch


class Poison(nn.Module):
    """Works until its `at`-th call, counting those that read the two images."""

    def __init__(self, at: int, effect: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.at, self.effect, self.calls = at, effect, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.effect(x) if self.calls >= self.at else x


def poisoned(at: int, effect: Callable[[Tensor], Tensor]) -> FeatureExtractor:
    network = tiny.build()
    network.load_state_dict(tiny.random_state())
    assert isinstance(network, nn.Sequential)
    network[1] = nn.Sequential(nn.ReLU(), Poison(at + 2, effect))
    return FeatureExtractor(tiny.TINY, network, tiny.IMAGENET)


EFFECTS: dict[str, Callable[[Tensor], Tensor]] = {
    "nan": lambda x: x * torch.nan,
    "inf": lambda x: x * torch.inf,
    "exploded": lambda x: x * 1e3,  # Gram matrices a million times as large
}


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("at", [4, 6])
def test_divergence_is_told_and_no_step_of_it(
    extractor: FeatureExtractor, optimizer: str, effect: str, at: int
) -> None:
    asked = recipe(steps=5, optimizer=optimizer)
    seen: list[Step] = []
    with pytest.raises(DivergedError, match=f"diverged at step {min(at, 5)} of 5: ") as error:
        paint(poisoned(at, EFFECTS[effect]), asked, seen.append)
    assert [step.number for step in seen] == list(range(1, at))
    advice = "--learning-rate" if OPTIMIZERS[optimizer].rated else "--optimizer adam"
    assert advice in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert "another --seed" not in str(error.value)  # there is no noise to seed
    _, healthy = watch(extractor, asked)
    assert seen == healthy[: at - 1]


@pytest.mark.parametrize("effect", ["nan", "inf"])
def test_divergence_from_the_start_has_no_step(effect: str) -> None:
    seen: list[Step] = []
    with pytest.raises(DivergedError, match=r"at step 1 of 5: .*another --seed"):
        paint(poisoned(1, EFFECTS[effect]), recipe(steps=5, init="noise"), seen.append)
    assert seen == []


def test_a_loss_that_rises_for_a_while_is_no_divergence() -> None:
    result, steps = watch(poisoned(3, lambda x: 2 * x), recipe(steps=5))
    assert steps[2].loss > 10 * steps[0].loss
    assert result.image.isfinite().all()


def test_losses_need_not_be_read_at_every_step(
    extractor: FeatureExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = recipe(steps=8)
    expected, every = watch(extractor, asked)
    monkeypatch.setattr(module, "_READ_EVERY", {"cpu": 3})
    result, steps = watch(extractor, asked)
    assert steps == [every[2], every[5], every[7]]
    assert torch.equal(result.image, expected.image)
    with pytest.raises(DivergedError, match="at step 6 of 8"):
        paint(poisoned(4, EFFECTS["nan"]), asked)


def test_tolerance_is_measured_over_steps_however_rarely_they_are_read(
    extractor: FeatureExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = recipe(steps=200, tolerance=0.1)
    expected = paint(extractor, asked).steps
    monkeypatch.setattr(module, "_READ_EVERY", {"cpu": 5})
    assert 0 <= paint(extractor, asked).steps - expected < 10
