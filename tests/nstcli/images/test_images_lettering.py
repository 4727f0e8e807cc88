import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nstcli.images import draw_text, lettering

INK = (200, 0, 0)


def test_a_line_is_as_wide_as_its_text_and_as_high_as_every_other() -> None:
    short, long = draw_text("cat", 16, 400, INK), draw_text("caterpillar", 16, 400, INK)
    assert short.shape[0] == long.shape[0]
    assert 10 < short.shape[1] < long.shape[1] < 200
    assert (short[..., 0] >= 200).all()  # ink on white, and mixtures of the two
    assert (short[..., 1] < 60).any()


@settings(max_examples=60)
@given(st.text(max_size=40), st.integers(10, 30), st.integers(12, 300))
def test_no_text_is_wider_than_allowed(text: str, size: int, longest: int) -> None:
    line = draw_text(text, size, longest, INK)
    assert 1 <= line.shape[1] <= longest
    assert line.shape[0] == draw_text("x", size, longest, INK).shape[0]


def test_a_long_line_loses_its_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    font = lettering._fonts(16)[-1]
    text = "IMG_20260101_first_of_many_aspects.jpg"
    cut = lettering._cut(text, font, 150)
    head, tail = cut.split("…")
    assert len(cut) < len(text)
    assert text.startswith(head)
    assert text.endswith(tail)
    assert abs(len(head) - len(tail)) <= 1
    assert font.getlength(cut) <= 150
    assert lettering._cut("short", font, 150) == "short"


def test_what_no_font_draws_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering, "_FONTS", ())
    lettering._fonts.cache_clear()
    try:
        _, line = lettering._for("漢a\n", 16)
        assert line == r"\u6f22a\n"
        assert not np.array_equal(draw_text("漢", 16, 99, INK), draw_text("字", 16, 99, INK))
    finally:
        lettering._fonts.cache_clear()


def test_letters_that_need_an_order_are_escaped_where_nothing_orders_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lettering.features, "check", lambda name: False)
    lettering._has.cache_clear()
    assert lettering._for("שa", 16)[1] == r"\u05e9a"
    lettering._has.cache_clear()
