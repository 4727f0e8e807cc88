import operator
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nstcli.errors import InputError
from nstcli.experiments.where import Facts, where

KEYS = ("style-weight", "model", "content", "tv-weight")
FACTS: Facts = {
    "style-weight": ["30", 30.0],
    "model": ["vgg16-torchvision", "vgg16"],
    "content": ["my cat.png", "my cat"],
    "tv-weight": [],
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("style-weight=30", True),
        ("style_weight == 3e1", True),
        ("style-weight>=30 and model=vgg16", True),
        ("model=vgg16-torchvision", True),
        ("model=vgg19", False),
        ("model!=vgg19", True),
        ("model!=vgg16", False),
        ("content='my cat'", True),
        ('content="my cat.png"', True),
        ("content=cat", False),
        ("style-weight<30 or style-weight>30", False),
        ("style-weight<=30 and style-weight>=30", True),
        ("not model=vgg19 and style-weight>3", True),
        ("not (model=vgg16 and style-weight>3)", False),
        # `and` binds more than `or`, whichever is first.
        ("model=vgg16 or model=vgg19 and style-weight>99", True),
        ("(model=vgg16 or model=vgg19) and style-weight>99", False),
        ("tv-weight=1", False),
        ("tv-weight!=1", True),
        ("style-weight=nan", False),
    ],
)
def test_what_an_expression_means(text: str, wanted: bool) -> None:
    assert where(text, KEYS)(FACTS) is wanted


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it ends where a key is expected"),
        ("style-wieght=3", "unknown key 'style-wieght'.*style-weight"),
        ("style-weight", "it ends where =, .* after style-weight is expected"),
        ("style-weight=", "it ends where a value after style-weight= is expected"),
        ("style-weight>strong", "should be compared with a number"),
        ("style-weight>inf", "should be compared with a number"),
        ("(model=vgg19", "a bracket is not closed"),
        ("model=vgg19)", r"'\)' is not expected"),
        ("model=vgg19 style-weight=3", "'style-weight' is not expected; join with and, or"),
        ("model='vgg19", "cannot read ''vgg19'"),
        ("=3", "'=' stands where a key is expected"),
        ("model=vgg19 and", "it ends where a key is expected"),
        ("(" * 5000 + "model=a" + ")" * 5000, "too many brackets"),
        ("not " * 5000 + "model=a", "too many brackets"),
        ("__import__('os').system('x')", "unknown key"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        where(text, KEYS)


def test_an_order_of_what_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="model is 'vgg16-torchvision', which is no number"):
        where("model>3", KEYS)(FACTS)
    with pytest.raises(InputError, match="tv-weight is 'nothing'"):
        where("tv-weight>3", KEYS)(FACTS)


SIGNS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
    ">=": operator.ge,
}  # fmt: skip
COMPARISONS = st.builds(
    lambda sign, value: (
        f"style-weight{sign}{value!r}",
        lambda known: SIGNS[sign](known, value),
    ),
    st.sampled_from(sorted(SIGNS)),
    st.floats(-1e6, 1e6),
)
EXPRESSIONS = st.recursive(
    COMPARISONS,
    lambda inner: (
        st.builds(lambda a: (f"not ({a[0]})", lambda x: not a[1](x)), inner)
        | st.builds(
            lambda a, b: (f"({a[0]}) and ({b[0]})", lambda x: a[1](x) and b[1](x)), inner, inner
        )
        | st.builds(
            lambda a, b: (f"({a[0]}) or ({b[0]})", lambda x: a[1](x) or b[1](x)), inner, inner
        )
    ),
    max_leaves=8,
)


@given(EXPRESSIONS, st.floats(-1e6, 1e6))
def test_any_expression_means_what_python_would(
    expression: tuple[str, Callable[[float], bool]], known: float
) -> None:
    text, holds = expression
    assert where(text, KEYS)({"style-weight": [known]}) is holds(known)


@given(st.text(st.sampled_from("()<>=!\"' andotmel-_3"), max_size=40) | st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InputError):
        where(text, KEYS)
