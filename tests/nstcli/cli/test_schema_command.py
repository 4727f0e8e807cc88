"""The schemas say what the files hold."""

import json
from pathlib import Path

import pytest

from nstcli.recipe import DEFAULT
from nstcli.report.manifest_schema import Manifest
from nstcli.results.records import Record
from tests.nstcli.cli.conftest import Nst


def test_a_recipe_has_every_option_with_its_bounds_and_its_help(nst: Nst) -> None:
    schema = json.loads(nst("schema", "recipe").out)
    known = schema["properties"]
    assert set(known) == {name.replace("_", "-") for name in DEFAULT}
    assert schema["additionalProperties"] is False
    assert known["size"]["minimum"] == 1
    assert known["size"]["default"] == DEFAULT["size"]
    assert known["size"]["description"] == "Longest edge in pixels"
    assert known["loss"]["enum"] == ["relative", "gatys", "sum", "mean"]
    kinds = {kind["type"] for kind in known["style-layers"]["anyOf"]}
    assert kinds == {"string", "array", "object", "null"}
    assert {kind["type"] for kind in known["scales"]["anyOf"]} == {"integer", "string"}


@pytest.mark.usefixtures("folders")
def test_records_and_manifests_are_as_their_schemas_say(nst: Nst) -> None:
    Path("photos/broken.png").write_bytes(b"none")
    make = ("batch", "photos", "art", "-m", "tiny", "--size", "32", "--steps", "3", "-o", "out")
    assert nst(*make).code == 1
    record = json.loads(Path("out/.nst/pairs/cat__ink.png.json").read_text())
    schema = json.loads(nst("schema", "record").out)
    assert record.keys() == schema["properties"].keys()
    assert set(schema["required"]) <= record.keys()
    manifest = json.loads(Path("out/manifest.json").read_text())
    schema = json.loads(nst("schema", "manifest").out)
    assert manifest.keys() == schema["properties"].keys() == set(schema["required"])
    Manifest.model_validate_json(json.dumps(manifest), strict=True)
    result = schema["$defs"]["Result"]
    figures = Record.model_validate(record).figures.keys()
    inputs = {"init", "init_sha256"}  # only of results that started from a picture
    for each in manifest["results"]:
        assert each.keys() | inputs == result["properties"].keys() | figures
    assert result["properties"]["state"]["enum"] == ["made", "stopped", "missing"]
    assert len(manifest["failures"]) == 2


def test_there_are_three(nst: Nst) -> None:
    ended = nst("schema", "recipes")
    assert (ended.code, "recipe" in ended.err) == (2, True)
