from pathlib import Path

import pytest

from nstcli.errors import InputError
from nstcli.plan.pair import Pair
from nstcli.recipe import DEFAULT, resolve
from nstcli.report.grid import Grid, read_grid
from nstcli.report.recipes import described, differing, value_of
from nstcli.report.varying import UNKNOWN, ordered, write_order
from nstcli.results.folder import Store
from nstcli.results.records import Failure, Measured
from tests.nstcli.report.output_folders import RECIPE, batch, make, sha256, write
from tests.tiny import TINY


def labels(grid: Grid) -> tuple[list[str], list[str]]:
    return [i.label for i in grid.contents], [i.label for i in grid.styles]


def test_every_pair_has_its_cell(tmp_path: Path) -> None:
    grid = read_grid(batch(tmp_path, ["b.png", "A.png"], ["x.png", "y.png", "z.png"]).folder)
    assert labels(grid) == (["A.png", "b.png"], ["x.png", "y.png", "z.png"])
    for row, content in enumerate("Ab"):
        for column, style in enumerate("xyz"):
            (pair,) = grid.cells[row, column]
            assert pair.output == f"{content}__{style}.png"
            assert pair.variant == ""


def test_pictures_of_one_name_are_told_apart(tmp_path: Path) -> None:
    store = batch(tmp_path, ["cat.png"], ["ink.png"])
    other = write(tmp_path / "more/cat.png", 36, 48, 7)
    make(store, other, tmp_path / "art/ink.png", "other.png")
    assert labels(read_grid(store.folder))[0] == [
        str(tmp_path / "more/cat.png"),
        str(tmp_path / "photos/cat.png"),
    ]


def test_a_picture_that_changed_between_two_pairs_is_two(tmp_path: Path) -> None:
    store = batch(tmp_path, ["cat.png"], ["ink.png"])
    before = sha256((tmp_path / "photos/cat.png").read_bytes())
    write(tmp_path / "photos/cat.png", 36, 48, 8)
    make(store, tmp_path / "photos/cat.png", tmp_path / "art/ink.png", "later.png")
    grid = read_grid(store.folder)
    assert len(grid.contents) == 2
    assert {i.label[-9:-1] for i in grid.contents} == {
        before[:8],
        sha256((tmp_path / "photos/cat.png").read_bytes())[:8],
    }


def test_one_picture_under_two_paths_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = batch(tmp_path, ["cat.png"], ["ink.png"])
    monkeypatch.chdir(tmp_path)
    make(store, Path("photos/cat.png"), Path("art/ink.png"), "again.png")
    grid = read_grid(store.folder)
    assert labels(grid) == (["cat.png"], ["ink.png"])
    assert len(grid.cells[0, 0]) == 2


def test_a_failure_joins_the_row_of_its_path_or_name(tmp_path: Path) -> None:
    store = batch(tmp_path, ["cat.png", "dog.png"], ["ink.png"])
    art = tmp_path / "art/ink.png"
    for name, path in [("1.png", "photos/dog.png"), ("2.png", "dog.png"), ("3.png", "new.png")]:
        store.fail(Pair.of(tmp_path / path, art, name), "why", 1.0)
    grid = read_grid(store.folder)
    assert labels(grid) == (["cat.png", "dog.png", "new.png"], ["ink.png"])
    assert [e.output for e in grid.cells[1, 0]] == ["dog__ink.png", "1.png", "2.png"]
    (lost,) = grid.cells[2, 0]
    assert isinstance(lost.known, Failure)
    assert grid.contents[2].sha256 == ""


def test_failures_alone_make_a_grid(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.prepare()
    store.fail(Pair.of(Path("a/x.png"), Path("s.png"), "1.png"), "why", 0.0)
    store.fail(Pair.of(Path("b/x.png"), Path("s.png"), "2.png"), "why", 0.0)
    assert labels(read_grid(tmp_path)) == (["a/x.png", "b/x.png"], ["s.png"])


def test_results_of_a_cell_say_what_differs(tmp_path: Path) -> None:
    store = batch(tmp_path, ["cat.png"], ["ink.png"])
    pair = tmp_path / "photos/cat.png", tmp_path / "art/ink.png"
    make(store, *pair, "s.png", recipe={"model": "squeezenet", "weights": "1" * 64})
    make(store, *pair, "w.png", recipe={"style_weight": 200.0})
    assert [e.variant for e in read_grid(store.folder).pairs] == [
        "squeezenet · style weight 30",
        "vgg19 · style weight 30",
        "vgg19 · style weight 200",
    ]


def test_folders_of_an_experiment_name_the_settings_in_the_order_of_its_file(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path / "out")
    store.prepare()
    content, style = write(tmp_path / "a.png", 9, 9, 1), write(tmp_path / "b.png", 9, 9, 2)
    for weight in (100, 3, 30):
        for layers in ("fine", "coarse"):
            folder = f"style-weight={weight},style-layers={layers},size=64"
            make(store, content, style, f"{folder}/a__b.png", recipe={"style_weight": weight})
    failed = "style-weight=7,style-layers=fine,size=64/a__b.png"
    store.fail(Pair.of(content, style, failed), "why", 0.0)
    lost = Pair.of(content, style, "elsewhere.png")
    store.fail(lost, "why", 0.0)
    grid = read_grid(store.folder)
    # What is the same for all does not vary; where nobody says how texts stand, it is by name.
    assert [axis.key for axis in grid.settings] == ["style-weight", "style-layers"]
    assert grid.settings[0].values == ("3", "7", "30", "100", UNKNOWN)
    assert grid.settings[1].values == ("coarse", "fine", UNKNOWN)
    assert [e.settings for e in grid.pairs if isinstance(e.known, Failure)] == [(1, 1), (4, 2)]
    assert grid.pairs[0].variant == "style weight 3 · style layers coarse"
    write_order(store.layout, {"style-weight": ["100", "30", "7", "3"], "style-layers": ["fine"]})
    assert read_grid(store.folder).settings[0].values == ("100", "30", "7", "3", UNKNOWN)
    assert read_grid(store.folder).settings[1].values == ("coarse", "fine", UNKNOWN)


def test_values_stand_as_they_were_given_or_by_size_or_by_name() -> None:
    assert ordered({"10", "9", "1e1"}) == ("9", "10", "1e1")
    assert ordered({"b", "10", "a"}) == ("10", "a", "b")
    assert ordered({"b", "a"}, ["b", "c", "a"]) == ("b", "a")
    assert ordered({"2", "10", "3"}, ["10", "2"]) == ("2", "3", "10")


def test_what_goes_with_the_backbone_is_no_difference_of_its_own() -> None:
    other = {**RECIPE, "model": "other", "weights": "f" * 64, "style_layers": {"a": 1}}
    assert differing([RECIPE, other]) == ["model"]
    assert differing([RECIPE, RECIPE]) == []
    assert differing([]) == []
    older = {k: v for k, v in RECIPE.items() if k != "seed"}
    assert differing([RECIPE, older]) == ["seed"]


def test_recipes_in_words() -> None:
    words = dict(described(RECIPE))
    assert words["style layers"] == "relu1_1, relu5_1=0.5"
    assert words["style weight"] == "30"
    assert words["weights"] == "0" * 8
    assert words["backbone"] == "vgg19"
    assert "version" not in words
    assert value_of(None) == "None"


def test_every_option_of_today_has_words() -> None:
    recipe = resolve(TINY, "0" * 64, {**DEFAULT, "optimizer": "adam", "init": "noise"})
    words = dict(described(recipe.dump()))
    assert (words["learning rate"], words["schedule"]) == ("0.05", "cosine")
    assert (words["dense stem"], words["style weight"]) == ("no", "30")
    assert not {"True", "False"} & set(words.values())
    assert not any("_" in name for name in words)


def test_options_without_effect_are_neither_told_nor_told_apart() -> None:
    made = resolve(TINY, "0" * 64, DEFAULT).dump()
    assert not {"seed", "learning rate", "schedule", "TV norm"} & set(dict(described(made)))
    assert differing([made, {**made, "seed": 7, "learning_rate": 0.1}]) == []
    noise = {**made, "init": "noise"}
    assert differing([noise, {**noise, "seed": 7}]) == ["seed"]


def test_measurements_come_along_unless_the_result_is_another(tmp_path: Path) -> None:
    store = batch(tmp_path, ["cat.png"], ["ink.png"])
    (name, record) = next(store.records())
    store.save_measured(
        name, Measured(output_sha256="another", judge="vgg16", values={"lpips": 0.5})
    )
    assert read_grid(store.folder).pairs[0].measured is None
    mine = Measured(output_sha256=record.output_sha256, judge="vgg16", values={"lpips": 0.5})
    store.save_measured(name, mine)
    assert read_grid(store.folder).pairs[0].measured == mine


def test_a_folder_without_records_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no record of any result.*nst batch"):
        read_grid(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        read_grid(tmp_path / "no")
