"""Charts: the line goes where the values go, whatever they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nstcli.images.charts import curve


def rows_of_ink(pixels: np.ndarray) -> tuple[float, float]:
    """Return the mean rows of the blue line in the leftmost and rightmost tenth that have it."""
    red, _, blue = (pixels[..., channel].astype(int) for channel in range(3))
    rows, columns = np.nonzero(blue - red > 60)
    tenth = (columns.max() - columns.min()) / 10
    first = rows[columns <= columns.min() + tenth]
    last = rows[columns >= columns.max() - tenth]
    return float(first.mean()), float(last.mean())


@pytest.mark.parametrize("falls", [True, False])
def test_a_line_falls_where_values_fall(falls: bool) -> None:
    values = [100.0, 30.0, 10.0, 3.0, 1.0]
    points = [*enumerate(values if falls else values[::-1], 1)]
    left, right = rows_of_ink(curve(points, 300, 120, "loss"))
    assert (left < right) is falls  # rows are counted from the top


def test_it_is_straight_on_a_logarithmic_scale() -> None:
    left, right = rows_of_ink(curve([(1, 1000.0), (3, 1.0)], 300, 160, "loss"))
    middle = curve([(1, 1000.0), (2, 1000.0**0.5), (3, 1.0)], 300, 160, "loss")
    assert rows_of_ink(middle) == pytest.approx((left, right), abs=1.5)


@given(
    st.lists(st.floats(0, 1e30), min_size=1, max_size=5),
    st.integers(40, 200),
    st.integers(40, 120),
)
def test_any_values_have_a_chart_of_the_size(values: list[float], width: int, height: int) -> None:
    pixels = curve([*enumerate(values)], width, height, "a title that is longer than the chart")
    assert pixels.shape == (height, width, 3)
    assert pixels.dtype == np.uint8
