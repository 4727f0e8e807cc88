"""Summaries of folders without a network: drawn pictures and their records."""

import csv
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nstcli.errors import InputError
from nstcli.experiments import summary_files
from nstcli.experiments.summary import Summary, baselines, summarized, to_judge
from nstcli.experiments.summary_files import SummaryFiles, as_csv, as_json, as_markdown
from nstcli.experiments.summary_plots import write_plots
from nstcli.experiments.summary_sheet import axes_of, write_sheets
from nstcli.images import decode
from nstcli.plan.layout import Layout
from nstcli.plan.pair import Pair
from nstcli.report.varying import write_order
from nstcli.results.folder import Store
from nstcli.results.records import Measured
from tests.nstcli.report.output_folders import make, write

WEIGHTS, MODELS = (100, 3, 30), ("vgg19", "squeezenet")
BASELINES = {
    "content": {"content_error": 0.0, "style_error": 0.9},
    "style": {"content_error": 1.5, "style_error": 0.01},
}


def swept(folder: Path, contents: tuple[str, ...] = ("cat.png", "dog.png"), **more: Any) -> Store:
    """Make what `nst run` would of a sweep over weights and models."""
    store = Store(folder / "out")
    store.prepare()
    style = write(folder / "art/ink.png", 40, 30, 9)
    for seed, name in enumerate(contents):
        content = write(folder / "photos" / name, 36, 48, seed)
        for weight in WEIGHTS:
            for model in MODELS:
                made = f"style-weight={weight},model={model}/{content.stem}__ink.png"
                recipe = {
                    "style_weight": float(weight),
                    "nearest_weight": weight / 2,
                    "model": model,
                }
                make(store, content, style, made, recipe=recipe, seconds=1.0 + seed, **more)
    return store


def judge(store: Store, **changes: Any) -> None:
    """Note what a judge would say: the stronger, the nearer to the style."""
    for name, record in store.records():
        weight = record.recipe["style_weight"]
        values = {"content_error": weight / 100, "style_error": 0.5 / weight, "lpips": weight / 200}
        known: dict[str, Any] = {
            "output_sha256": record.output_sha256,
            "judge": "vgg16",
            "witness": "mobilenet",
            "values": values,
            "baselines": BASELINES,
            **changes,
        }
        store.save_measured(name, Measured(**known))


def write_all(summary: Summary, folder: Path) -> None:
    SummaryFiles(summary, folder).write()
    write_sheets(summary, folder)


def written(summary: Summary) -> dict[str, Any]:
    return json.loads(as_json(summary))


def test_settings_are_those_of_the_folders_in_the_order_of_their_values(tmp_path: Path) -> None:
    found = summarized(swept(tmp_path).folder)
    assert found.keys == ("style-weight", "model")
    assert found.values == (("3", "30", "100"), ("squeezenet", "vgg19"))
    assert [setting.labels for setting in found.settings] == [
        (weight, model) for weight in ("3", "30", "100") for model in ("squeezenet", "vgg19")
    ]
    assert [len(setting.pictures) for setting in found.settings] == [2] * 6
    names = [picture.file for picture in found.pictures]
    assert names == sorted(names)
    assert names[0] == "cat__ink__1_style-weight=3,model=squeezenet.png"
    assert names[-1] == "dog__ink__6_style-weight=100,model=vgg19.png"
    write_order(Layout(found.folder), {"style-weight": ["100", "30", "3"], "model": [*MODELS]})
    assert summarized(found.folder).values == (("100", "30", "3"), MODELS)


def test_without_such_folders_settings_are_what_recipes_differ_in(tmp_path: Path) -> None:
    store = swept(tmp_path)
    make(
        store,
        tmp_path / "photos/cat.png",
        tmp_path / "art/ink.png",
        "other/cat__ink.png",
        recipe={"style_weight": 7.0, "nearest_weight": 3.5, "model": "alexnet"},
    )
    found = summarized(store.folder)
    # The nearest term's weight follows from the style's.
    assert found.keys == ("model", "style-weight")
    assert found.values == (("alexnet", "squeezenet", "vgg19"), ("3", "7", "30", "100"))
    assert len({picture.file for picture in found.pictures}) == len(found.pictures) == 13


def test_a_plain_batch_is_one_setting_without_a_name(tmp_path: Path) -> None:
    store = Store(tmp_path / "out")
    store.prepare()
    inputs = write(tmp_path / "a.png", 36, 48, 1), write(tmp_path / "b.png", 36, 48, 2)
    make(store, *inputs, "a__b.png")
    make(store, *inputs, "sub/a__b.png")
    make(store, *inputs, "sub__a__b.png")  # would have the name of the one before
    found = summarized(store.folder)
    assert (found.keys, [s.labels for s in found.settings]) == ((), [()])
    names = [picture.file for picture in found.pictures]
    assert names[0] == "a__b.png"
    assert len(set(names)) == 3
    assert "| pictures | seconds |" in as_markdown(found)
    SummaryFiles(found, tmp_path / "s").write()
    assert [p.name for p in write_sheets(found, tmp_path / "s")] == ["sheet.png"]


def test_figures_are_medians_with_half_the_distance_of_their_quartiles(tmp_path: Path) -> None:
    store = swept(tmp_path, tuple(f"{n}.png" for n in range(5)))
    judge(store)
    setting = summarized(store.folder).settings[0]
    assert (setting.figures["seconds"].value, setting.figures["seconds"].spread) == (3.0, 1.0)
    assert setting.figures["style_error"].value == pytest.approx(0.5 / 3)
    assert setting.figures["own.style_error"].value == 0.0125
    assert setting.judge == "vgg16"


def test_what_several_judges_said_has_no_median(tmp_path: Path) -> None:
    store = swept(tmp_path)
    judge(store)
    name, record = next(store.records())
    store.save_measured(
        name,
        Measured(output_sha256=record.output_sha256, judge="vgg19", values={"style_error": 9}),
    )
    found = summarized(store.folder)
    mixed = [setting for setting in found.settings if not setting.judge]
    assert len(mixed) == 1
    assert "style_error" not in mixed[0].figures
    assert "seconds" in mixed[0].figures


def test_every_picture_lies_in_one_folder_and_takes_no_room(tmp_path: Path) -> None:
    store = swept(tmp_path)
    found = summarized(store.folder)
    SummaryFiles(found, store.layout.summary).write()
    pictures = store.layout.summary / "pictures"
    assert sorted(path.name for path in pictures.iterdir()) == [p.file for p in found.pictures]
    for picture in found.pictures:
        assert (pictures / picture.file).samefile(store.folder / picture.output)
    assert summarized(store.folder) == found  # the summary's own pictures are no results


def test_where_no_links_can_be_pictures_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("another disk")

    monkeypatch.setattr(os, "link", refuse)
    store = swept(tmp_path)
    found = summarized(store.folder)
    for _ in range(2):
        SummaryFiles(found, tmp_path / "s").write()
    for picture in found.pictures:
        copy, source = tmp_path / "s/pictures" / picture.file, store.folder / picture.output
        assert not copy.samefile(source)
        assert copy.read_bytes() == source.read_bytes()


def test_a_summary_that_is_written_again_follows_its_results(tmp_path: Path) -> None:
    store = swept(tmp_path)
    place = tmp_path / "s"
    SummaryFiles(summarized(store.folder), place).write()
    name = "style-weight=3,model=vgg19/cat__ink.png"
    gone = "style-weight=30,model=vgg19/cat__ink.png"
    (store.folder / gone).unlink()
    pair = Pair.of(tmp_path / "photos/cat.png", tmp_path / "art/ink.png", name)
    record = store.load(name)
    assert record
    data = (store.folder / "style-weight=100,model=vgg19/dog__ink.png").read_bytes()
    sha256 = store.digests.digest(store.folder / "style-weight=100,model=vgg19/dog__ink.png")
    store.save(pair, data, record.model_copy(update={"output_sha256": sha256}))
    found = summarized(store.folder)
    assert found.left_out == (gone,)
    SummaryFiles(found, place).write()
    assert {path.name for path in (place / "pictures").iterdir()} == {
        p.file for p in found.pictures
    }
    again = next(picture for picture in found.pictures if picture.output == name)
    assert (place / "pictures" / again.file).read_bytes() == data
    assert gone in (place / "summary.md").read_text("utf-8").replace("\\", "")


@pytest.mark.parametrize(
    "name", ["summary.json", "summary.csv", "summary.md", "pictures/{}", "sheet.png"]
)
def test_nothing_of_somebody_else_is_written_over(tmp_path: Path, name: str) -> None:
    found = summarized(swept(tmp_path).folder)
    theirs = tmp_path / "s" / name.format(found.pictures[0].file)
    theirs.parent.mkdir(parents=True)
    theirs.write_text('{"mine": true}')
    with pytest.raises(InputError, match="choose another -o"):
        write_all(found, tmp_path / "s")
    assert theirs.read_text() == '{"mine": true}'


def test_results_are_not_summarized_into_their_own_folder(tmp_path: Path) -> None:
    store = swept(tmp_path)
    with pytest.raises(InputError, match="is the folder of the results"):
        SummaryFiles(summarized(store.folder), store.folder / "x" / "..")


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"kind": "nst summarize", "pictures": [1, {"file": "../x"}]}']
)
def test_a_list_that_was_tampered_with_takes_nothing_away(tmp_path: Path, text: str) -> None:
    path = tmp_path / "summary.json"
    path.write_text(text)
    assert summary_files._listed(path) == set()


def test_the_csv_has_a_line_a_picture_with_all_that_is_known(tmp_path: Path) -> None:
    store = swept(tmp_path)
    judge(store)
    found = summarized(store.folder)
    lines = list(csv.DictReader(as_csv(found).splitlines()))
    assert len(lines) == 12
    assert lines[0]["file"] == found.pictures[0].file
    assert (lines[0]["setting.style-weight"], lines[0]["setting.model"]) == ("3", "squeezenet")
    assert (lines[0]["content"], lines[0]["style"], lines[0]["judge"]) == (
        "cat.png",
        "ink.png",
        "vgg16",
    )
    assert float(lines[0]["style_error"]) == pytest.approx(0.5 / 3)
    assert (lines[0]["own.loss"], lines[0]["own.style_error"]) == ("0.5", "0.0125")


def test_the_json_has_settings_baselines_and_pictures(tmp_path: Path) -> None:
    store = swept(tmp_path)
    judge(store)
    document = written(summarized(store.folder))
    assert document["axes"]["style-weight"] == ["3", "30", "100"]
    first = document["settings"][0]
    assert first["setting"] == {"style-weight": "3", "model": "squeezenet"}
    assert first["figures"]["content_error"] == {"value": 0.03, "spread": 0.0}
    assert document["baselines"] == [
        {"judge": "vgg16", "picture": which, "figures": values}
        for which, values in BASELINES.items()
    ]
    assert len(document["pictures"]) == 12
    assert document["pictures"][0]["baselines"] == BASELINES


def test_figures_that_are_no_numbers_leave_valid_files(tmp_path: Path) -> None:
    found = summarized(swept(tmp_path, loss=float("nan")).folder)
    assert "own.loss" not in found.figures
    assert "NaN" not in as_json(found)
    assert "nan" not in as_csv(found)


def test_the_markdown_has_medians_and_every_picture(tmp_path: Path) -> None:
    store = swept(tmp_path, ("a_b.png",))
    judge(store)
    lost = tmp_path / "photos/lost.png"
    store.fail(Pair.of(lost, tmp_path / "art/ink.png", "x/lost__ink.png"), "bad file", 1.0)
    text = as_markdown(summarized(store.folder))
    assert "| style-weight | model | pictures | seconds |" in text
    assert re.search(r"^\| 30 \| vgg19 \| 1 \| 1\.0 \|.*\| vgg16 \|$", text, re.MULTILINE)
    assert r"| a\_b\_\_ink\_\_" in text
    assert "bad file" in text
    tables = [block for block in text.split("\n\n") if block.startswith("| ")]
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


@pytest.mark.parametrize("loss", ["pictures", "records"])
def test_a_folder_without_results_is_refused(tmp_path: Path, loss: str) -> None:
    store = swept(tmp_path)
    for name, _ in list(store.records()):
        (store.folder / name if loss == "pictures" else store.layout.record(name)).unlink()
    with pytest.raises(InputError, match=r"no re(sult|cord)"):
        summarized(store.folder)


def test_pictures_are_judged_as_they_were_painted(tmp_path: Path) -> None:
    store = swept(tmp_path)
    experiment = to_judge(summarized(store.folder))
    waiting = experiment.unjudged()
    assert set(waiting) == {"vgg16"}
    assert len(waiting["vgg16"]) == 12
    assert experiment.witness == "mobilenet"
    pair = waiting["vgg16"][0][1]
    assert pair.path("content").read_bytes()
    judge(store)
    assert to_judge(summarized(store.folder)).unjudged() == {}
    judge(store, witness="alexnet")
    assert len(to_judge(summarized(store.folder)).unjudged()["vgg16"]) == 12


def test_baselines_are_told_by_judge(tmp_path: Path) -> None:
    store = swept(tmp_path)
    assert list(baselines(summarized(store.folder).pictures)) == []
    judge(store)
    assert list(baselines(summarized(store.folder).pictures)) == [
        ("vgg16", which, values) for which, values in BASELINES.items()
    ]


def test_numbers_are_columns_of_the_sheet_and_the_rest_rows(tmp_path: Path) -> None:
    store = swept(tmp_path)
    found = summarized(store.folder)
    assert axes_of(found).columns == 0
    assert axes_of(found).rows == 1
    (path,) = write_sheets(found, tmp_path)
    drawn = decode(path.read_bytes(), "sheet")
    # Nothing is enlarged: photo, three weights, artwork; two pairs under two models.
    assert drawn.width == 5 * 64 + 6 * 4
    heights = 4 * (36 + 4)
    assert heights < drawn.height < 2 * heights + 60
    # From the photo on the left to the artwork on the right.
    left, right = drawn.rgb[:, 4:52], drawn.rgb[:, -68:-4]
    assert (left.std(), right.std()) > (10, 10)


def test_more_axes_become_pages_and_old_pages_go(tmp_path: Path) -> None:
    store = Store(tmp_path / "out")
    store.prepare()
    content, style = write(tmp_path / "a.png", 36, 48, 1), write(tmp_path / "b.png", 36, 48, 2)
    for weight in (3, 30):
        for model in ("vgg16", "vgg19"):
            for seed in (0, 1):
                make(
                    store,
                    content,
                    style,
                    f"style-weight={weight},model={model},seed={seed}/a__b.png",
                    recipe={"style_weight": weight, "model": model, "seed": seed},
                )
    found = summarized(store.folder)
    assert [path.name for path in write_sheets(found, tmp_path)] == ["sheet-1.png", "sheet-2.png"]
    assert axes_of(found).pages == (1,)
    write_sheets(summarized(swept(tmp_path / "second").folder), tmp_path)
    assert sorted(path.name for path in tmp_path.glob("sheet*")) == ["sheet.png"]


def test_plots_are_drawn_of_what_varies_and_what_judges_said(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    store = swept(tmp_path)
    found = summarized(store.folder)
    names = {path.name for path in write_plots(found, tmp_path / "plots")}
    over = {f"over-{key}.{kind}" for key in found.keys for kind in ("svg", "png")}
    assert names == over
    judge(store)
    paths = write_plots(summarized(store.folder), tmp_path / "plots")
    assert {path.name for path in paths} == over | {"trade-off.svg", "trade-off.png"}
    bytes_ = {path.name: path.read_bytes() for path in paths}
    write_plots(summarized(store.folder), tmp_path / "plots")
    assert {path.name: path.read_bytes() for path in paths} == bytes_
    (tmp_path / "plots/mine.png").write_bytes(b"mine")
    write_plots(found, tmp_path / "plots")  # nobody had judged
    assert {path.name for path in (tmp_path / "plots").iterdir()} == over | {"mine.png"}
    (tmp_path / "plots/trade-off.svg").write_text("<svg/>")
    with pytest.raises(InputError, match="no plot of nst"):
        write_plots(summarized(store.folder), tmp_path / "plots")
    picture = decode(bytes_["trade-off.png"], "plot").rgb
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_hostile_names_of_values_are_drawn_as_they_are(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    store = Store(tmp_path / "out")
    store.prepare()
    inputs = write(tmp_path / "a.png", 36, 48, 1), write(tmp_path / "b.png", 36, 48, 2)
    for name in ("$x_{", "emoji 😀", "_hidden"):
        make(store, *inputs, f"style-layers={name},size=64/a__b.png")
    judge(store)
    assert len(write_plots(summarized(store.folder), tmp_path / "plots")) == 4
