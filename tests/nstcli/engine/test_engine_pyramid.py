import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nstcli.engine.pyramid import factors, resized, share_steps, shrunk
from tests.nstcli.engine.scene import picture, recipe


def shapes(scales: object, content: tuple[int, int], style: tuple[int, int]) -> list[float]:
    asked = recipe(scales=scales)
    return factors(asked, torch.empty(1, 3, *content), torch.empty(1, 3, *style), 32)


@pytest.mark.parametrize(
    ("longest", "count"), [(100, 1), (128, 1), (255, 1), (256, 2), (384, 2), (512, 3), (1024, 4)]
)
def test_auto_starts_at_128_to_255_pixels(longest: int, count: int) -> None:
    found = shapes("auto", (longest, longest), (longest, longest))
    assert found == [0.5**n for n in reversed(range(count))]
    assert longest * found[0] < 256
    assert longest < 256 or longest * found[0] >= 128


def test_a_number_is_taken_as_it_is() -> None:
    assert shapes(1, (512, 512), (512, 512)) == [1]
    assert shapes("4", (512, 512), (512, 512)) == [0.125, 0.25, 0.5, 1]


@pytest.mark.parametrize(("content", "style"), [((512, 100), (512, 512)), ((512, 512), (100, 512))])
def test_neither_image_goes_below_the_minimum(
    content: tuple[int, int], style: tuple[int, int]
) -> None:
    assert shapes(5, content, style) == [0.5, 1]


@given(st.integers(1, 10_000), st.integers(1, 16))
def test_steps_are_shared_out_whole(steps: int, count: int) -> None:
    shares = share_steps(steps, count)
    assert len(shares) == count
    assert sum(shares) == steps
    assert max(shares) == shares[-1]
    assert max(shares[:-1], default=0) - min(shares[:-1], default=0) == 0


def test_shrinking_keeps_the_aspect_and_the_range() -> None:
    image = picture(40, 60).round()  # hard edges, at which a cubic filter overshoots
    small = shrunk(image, 0.5)
    assert small.shape == (1, 3, 20, 30)
    assert small.min() >= 0
    assert small.max() <= 1
    assert small.is_contiguous()
    assert small.mean().item() == pytest.approx(image.mean().item(), abs=0.02)
    assert shrunk(image, 1) is image


def test_resizing_does_not_alias() -> None:
    stripes = (torch.arange(64) % 2).float().expand(1, 3, 64, 64)
    assert resized(stripes, 64, 16).std() < 0.02


@given(st.integers(1, 500), st.integers(1, 17))
def test_the_last_scale_of_a_result_that_keeps_its_size_has_a_tenth(steps: int, count: int) -> None:
    count = min(count, steps)
    shares = share_steps(steps, count, finishing=True)
    assert sum(shares) == steps
    assert len(shares) == count
    assert min(shares) >= 1
    if count > 1:
        assert shares[-1] <= max(1, steps // 10)
