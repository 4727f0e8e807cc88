import tomllib

from hypothesis import given
from hypothesis import strategies as st

from nstcli.config.toml import dump

texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
plain = texts | numbers | st.booleans()
tables = st.dictionaries(texts, plain, min_size=1)


@given(st.dictionaries(texts, plain | st.lists(plain) | tables))
def test_what_is_written_reads_the_same(settings: dict[str, object]) -> None:
    assert tomllib.loads(dump(settings)) == settings


def test_del_is_escaped_everywhere() -> None:
    settings = {"\x7f": ["\x7f"], "a\x7f": {"b\x7f": "c\x7f"}}
    assert tomllib.loads(dump(settings)) == settings


def test_it_looks_as_one_would_write_it() -> None:
    table = {"model": "vgg19", "style-layers": {"relu1_1": 1.0, "a b": 2}, "dense": True}
    assert dump(table) == (
        'model = "vgg19"\ndense = true\n\n[style-layers]\nrelu1_1 = 1.0\n"a b" = 2\n'
    )
