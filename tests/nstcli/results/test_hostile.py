"""Result files and records that others wrote, or that were damaged: none breaks what reads them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from backbones.safe_json import parse_json
from nstcli.images import encode
from nstcli.report.gallery import write_gallery
from nstcli.report.inventory import take_inventory
from nstcli.results.folder import Store
from nstcli.results.records import Record
from nstcli.results.state import State, embedded_key, state_by_itself
from tests.conftest import draw
from tests.nstcli.report.output_folders import batch

DEEP = "[" * 50_000


@pytest.mark.parametrize("format", ["png", "jpg", "webp", "tiff"])
@pytest.mark.parametrize("text", [DEEP, '{"key":' * 5000, "{", "[]", "1" * 5000, "NaN", '"x"'])
def test_no_text_in_a_picture_breaks_the_search_for_its_key(
    tmp_path: Path, text: str, format: str
) -> None:
    data = encode(draw(), format=format, metadata={"nst": text})
    assert embedded_key(data) is None
    path = tmp_path / f"a.{format}"
    path.write_bytes(data)
    assert state_by_itself(path, "key") is State.FOREIGN


def test_a_comment_that_is_deeply_nested_itself_breaks_nothing(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0" + DEEP[:30_000].encode()
    path = tmp_path / "a.jpg"
    Image.fromarray(draw()).save(path, exif=exif)
    assert embedded_key(path.read_bytes()) is None


@pytest.mark.parametrize("text", [DEEP, DEEP.encode(), '{"a":' * 50_000, "9" * 5000, b"\xff", ""])
def test_whatever_is_wrong_with_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"deep|column|digits|decode"):
        parse_json(text)


def rewrite(store: Store, name: str, **told: Any) -> None:
    path = store.layout.record(name)
    path.write_text(json.dumps(json.loads(path.read_bytes()) | told), "utf-8")


_ODD = st.sampled_from(
    [float("nan"), float("inf"), -float("inf"), 1e308, -1.0, -1, 0, 10**400, 2**63, None, "x", True]
)
_NUMBERS = ["seconds", "width", "height", "steps", "peak_memory", "quality"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e308, -1.0])
def test_seconds_that_cannot_be_break_no_gallery(tmp_path: Path, value: float) -> None:
    store = batch(tmp_path, ["cat.png", "dog.png"], ["ink.png"])
    for name, _ in list(store.records()):
        rewrite(store, name, seconds=value)
    assert write_gallery(store.folder)
    assert [record.seconds for _, record in store.records()] == [0.0, 0.0]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(_NUMBERS), _ODD, min_size=1),
    st.dictionaries(st.sampled_from(["loss", "style_error", "step_seconds"]), _ODD),
    st.lists(st.tuples(_ODD, _ODD), max_size=3),
)
def test_no_number_in_a_record_breaks_the_gallery(
    tmp_path: Path, told: dict[str, Any], figures: dict[str, Any], curve: list[Any]
) -> None:
    folder = tmp_path / "made"
    store = (
        Store(folder / "out")
        if folder.exists()
        else batch(_new(folder), ["a.png", "c.png"], ["b.png"])
    )
    names = [path.name for path in store.recorded()]
    before = store.layout.record(names[0]).read_bytes()
    try:
        rewrite(store, names[0], **told, figures=figures, curve=curve)
        assert write_gallery(store.folder)
        for _, record in store.records():
            assert Record.model_validate_json(record.model_dump_json()).seconds == record.seconds
    finally:
        store.layout.record(names[0]).write_bytes(before)


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_foreign_picture_with_deep_text_is_told_by_the_survey(tmp_path: Path) -> None:
    store = batch(tmp_path, ["cat.png"], ["ink.png"])
    info = PngImagePlugin.PngInfo()
    info.add_text("nst", DEEP)
    ((name, _),) = store.records()
    Image.fromarray(draw()).save(store.folder / name, pnginfo=info)
    store.layout.record(name).unlink()
    assert store.compared(name, None) is State.FOREIGN
    assert take_inventory(store.folder)
