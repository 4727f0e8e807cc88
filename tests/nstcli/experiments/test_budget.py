from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbones import BackboneError
from nstcli.experiments.budget import Pace, budget_key, seconds_per_step, share_seconds, with_steps
from nstcli.experiments.run import RunContext, VariantStarted
from nstcli.recipe import DEFAULT, resolve
from nstcli.results.records import Form
from nstcli.run.job import Execution, Settings
from tests.nstcli.experiments.comparisons import experiment
from tests.tiny import TINY


def settings(**choices: object) -> Settings:
    recipe = resolve(TINY, "0" * 64, {**DEFAULT, **choices})
    return Settings(TINY, TINY.weight_set(), recipe, Form())


@given(fixed=st.floats(0, 10), step=st.floats(0.001, 1), steps=st.integers(1, 1000))
def test_the_steps_fill_the_seconds(fixed: float, step: float, steps: int) -> None:
    assert Pace(fixed, step).steps_in(fixed + steps * step) == steps


def test_there_is_always_a_step() -> None:
    assert Pace(5.0, 1.0).steps_in(2.0) == 1


@given(
    paces=st.lists(st.floats(0.01, 1), min_size=1, max_size=4),
    late=st.floats(0, 100),
    every=st.sampled_from([1, 2, 4]),
)
def test_a_step_costs_the_mean_of_the_scales_whatever_one_of_them_took(
    paces: list[float], late: float, every: int
) -> None:
    each = 16
    costs = [4.0**scale for scale in range(len(paces)) for _ in range(each)]
    spans = [pace for pace in paces for _ in range(each)]
    spans[-1] += late  # the machine had something else to do for a moment
    done = accumulate(cost / sum(costs) for cost in costs)
    steps = zip(range(1, each * len(paces) + 1), done, accumulate(spans), strict=True)
    # A GPU is looked at after every few steps alone.
    times = [step for step in steps if not step[0] % every]
    # Of the first scale, the first look has no beginning that was seen.
    weighed = [(pace, each - every * (scale == 0)) for scale, pace in enumerate(paces)]
    expected = sum(pace * n for pace, n in weighed) / sum(n for _, n in weighed)
    assert seconds_per_step(times) == pytest.approx(expected)


def test_the_steps_hold_for_one_recipe_and_one_machine_part() -> None:
    plain = budget_key(settings(), Execution(), 5.0)
    assert budget_key(settings(steps=7), Execution(), 5.0) == plain
    assert len({
        plain,
        budget_key(settings(size=100), Execution(), 5.0),
        budget_key(settings(), Execution(device="cpu"), 5.0),
        budget_key(settings(), Execution(precision="float32"), 5.0),
        budget_key(settings(), Execution(), 6.0),
    }) == 5  # fmt: skip


def test_only_the_steps_change() -> None:
    before, after = settings().recipe, with_steps(settings(), 7).recipe
    assert after.steps == 7
    assert replace(after, steps=before.steps) == before


def test_who_cannot_be_measured_is_given_up(tmp_path: Path) -> None:
    found = experiment(tmp_path, "a", "b")
    found.variants = [replace(variant, settings=settings()) for variant in found.variants]
    found.counts.put(f"steps {budget_key(settings(), Execution(), 5.0)}", 7)
    first, second = found.variants
    found.variants[0] = replace(first, settings=settings(size=100))

    def tell(event: object) -> None:
        assert isinstance(event, VariantStarted)
        raise BackboneError(f"no weights of {event.variant.title}")

    context = RunContext(Execution(), [tell], stop=lambda: False, downloading=pytest.fail)
    share_seconds(found, 5.0, context)
    lost, measured = found.variants
    assert (lost.error, lost.settings) == ("no weights of a:random", None)
    assert measured == replace(second, settings=with_steps(settings(), 7))
