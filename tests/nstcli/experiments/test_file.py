from pathlib import Path
from typing import Any

import pytest

from backbones import BackboneError
from nstcli.config import yaml12
from nstcli.config.option import settings_of
from nstcli.config.options import SETTINGS
from nstcli.errors import InputError
from nstcli.experiments.file import SWEPT, ExperimentFile, read
from nstcli.experiments.starter import starter
from nstcli.experiments.sweep import Range
from nstcli.experiments.variant import variants_of
from nstcli.recipe import DEFAULT, Choices

PICTURES = 'content = "photos"\nstyle = ["art", "more/*.png"]\n'


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what reads an experiment of this text from a file."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, *changes: str, name: str = "x.toml", pictures: str = PICTURES) -> Any:
        Path(name).write_text(pictures + text, "utf-8")
        return read(Path(name), changes)

    return write


def names(found: ExperimentFile) -> list[str]:
    return [found.sweep.name(point) for point in found.sweep.points()]


def test_pictures_settings_sweep_and_what_backbones_have_of_their_own(written: Any) -> None:
    found = written(
        """
        size = 256
        [sweep]
        style_weight = [3, 1e2]
        model = ["vgg19", "squeezenet"]
        [backbone.squeezenet]
        content-weight = 2
        style-layers = {fire2 = 1, fire5 = 0.5}
        """
    )
    assert (found.contents, found.styles) == (("photos",), ("art", "more/*.png"))
    assert found.document.table == {"size": 256}
    assert names(found)[:2] == ["style-weight=3,model=vgg19", "style-weight=3,model=squeezenet"]
    assert found.own == {
        "squeezenet": {"content_weight": 2.0, "style_layers": "fire2=1.0,fire5=0.5"}
    }
    variants = variants_of(found.sweep, DEFAULT, found.own)
    assert variants[0].changes == {"style_weight": 3.0, "model": "vgg19"}
    assert variants[3].changes == {
        "content_weight": 2.0,
        "style_layers": "fire2=1.0,fire5=0.5",
        "style_weight": 100.0,
        "model": "squeezenet",
    }


def test_yaml_says_the_same(written: Any) -> None:
    found = written(
        "content: photos\nstyle: art\nsweep:\n  how: zip\n  size: [96, 128]\n  steps: [5, 6]\n",
        name="x.yaml",
        pictures="",
    )
    assert names(found) == ["size=96,steps=5", "size=128,steps=6"]


def test_every_option_of_the_recipe_may_vary() -> None:
    assert list(SWEPT) == [setting.key for setting in settings_of(Choices)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("style-weight = [1, 2.5, 1e6, 1000000.5]", ["1", "2.5", "1e+06", "1000000.5"]),
        ('style-weight = {from = 1, to = 100, count = 3, spacing = "log"}', ["1", "10", "100"]),
        ("size = {from = 100, to = 200, count = 3}", ["100", "150", "200"]),
        ("dense = [true, false]", ["true", "false"]),
        ('scales = ["auto", 1]', ["auto", "1"]),
        ('style-layers = ["relu1_1, relu2_1=0.5"]', ["relu1_1+relu2_1=0.5"]),
        ('style-layers = [["relu1_1", "relu2_1"]]', ["relu1_1+relu2_1"]),
        ('style-layers = {fine = ["relu1_1"], coarse = "relu4_1"}', ["fine", "coarse"]),
        ("style-weight = {weak = 3, strong = 300}", ["weak", "strong"]),
        (
            'model = ["vgg19", "vgg19:torchvision", "vgg16"]',
            ["vgg19", "vgg19-torchvision", "vgg16"],
        ),
        ("seed = [1, 2]", ["1", "2"]),
    ],
)
def test_values_have_names(written: Any, line: str, expected: list[str]) -> None:
    (axis,) = written(f"[sweep]\n{line}").sweep.axes
    assert [value.label for value in axis.values] == expected


def test_a_weight_set_comes_with_its_backbone(written: Any) -> None:
    (axis,) = written('[sweep]\nmodel = ["vgg16", "vgg19:torchvision"]').sweep.axes
    assert [value.changes for value in axis.values] == [
        {"model": "vgg16"},
        {"model": "vgg19", "weights": "torchvision"},
    ]


def test_random_draws_from_ranges_without_a_count(written: Any) -> None:
    text = """
        [sweep]
        how = "random"
        samples = 3
        seed = 5
        style-weight = {from = 1, to = 1000, spacing = "log"}
        steps = {from = 10, to = 20}
        tv-weight = {from = 0, to = 1, count = 2}
        """
    found = written(text)
    assert (found.sweep.samples, found.sweep.seed) == (3, 5)
    first, second, third = found.sweep.axes
    assert isinstance(first, Range)
    assert (second.whole, [value.label for value in third.values]) == (True, ["0", "1"])
    assert names(found) == names(written(text))
    for point in found.sweep.points():
        assert isinstance(point[1].changes["steps"], int)


def test_a_setting_for_all_wins_over_what_varies_and_over_backbones(written: Any) -> None:
    text = "size = 9\n[sweep]\nstyle-weight = [3, 30]\n[backbone.vgg19]\nsteps = 5\n"
    found = written(text, "style_weight=30", "steps = 7", "size=64", "content=a.png")
    assert names(found) == ["style-weight=30"]
    assert found.document.table == {"size": 64, "steps": 7}
    assert found.own == {"vgg19": {}}
    assert found.contents == ("a.png",)


def test_changes_reach_into_the_tables(written: Any) -> None:
    found = written(
        "size = 9\n",
        "sweep.size=[32, 64]",
        "sweep.how=grid",
        "backbone.vgg19.style_layers=relu1_1,relu2_1",
    )
    assert names(found) == ["size=32", "size=64"]
    assert found.own == {"vgg19": {"style_layers": "relu1_1,relu2_1"}}


@pytest.mark.parametrize("change", ["size", "=3", "a.b=3", "backbone.size=3", "sweep=3", "..=1"])
def test_other_changes_are_refused(written: Any, change: str) -> None:
    with pytest.raises(InputError, match=r"--set|should be a table|unknown key"):
        written("", change)


SWEEP = "[sweep]\n"
RANDOM = '[sweep]\nhow = "random"\nsamples = 2\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stile-weight = 3", "x.toml: unknown key 'stile-weight' (did you mean 'style-weight'?)"),
        ("[swep]", "unknown key 'swep' (did you mean 'sweep'?)"),
        ("sweep = 3", "sweep should be a table"),
        ("[backbone]\nvgg19 = 3", "should hold a table a backbone"),
        (SWEEP + "style-wieght = [3]", "unknown key 'style-wieght' (did you mean 'style-weight'?)"),
        (SWEEP + "sampels = 3\nsize = [3]", "unknown key 'sampels' (did you mean 'samples'?)"),
        (SWEEP + "format = ['png']", "'format' is no option of the recipe"),
        (SWEEP + "preset = ['draft']", "'preset' is no option of the recipe"),
        (SWEEP + "style-weight = []", "[sweep] style-weight has no values"),
        (SWEEP + "style-weight = {}", "[sweep] style-weight has no values"),
        (SWEEP, "no key has several values"),
        (SWEEP + "style-weight = 30", "style-weight = 30: should be a list of values, a range"),
        (SWEEP + "style-weight = [3, -1]", "style-weight = -1: should be greater than or equal"),
        (SWEEP + "style-weight = ['x']", 'style-weight = "x": should be a valid number'),
        (SWEEP + "style-weight = [true]", "should not be true or false"),
        (SWEEP + "style-weight = [3, 3.0]", "style-weight has 3 twice"),
        (SWEEP + "model = ['vgg19', 'vgg19:gatys']", "both be called 'vgg19'"),
        (SWEEP + "style-layers = ['a,b', 'a+b']", "both be called 'a+b'"),
        (SWEEP + "optimizer = ['sgd']", "optimizer"),
        (SWEEP + "size = {form = 1, to = 9, count = 2}", "unknown key 'form' of a range (did you"),
        (SWEEP + "size = {from = 1, to = 9}", "size: count is missing"),
        (SWEEP + "size = {from = 1, count = 3}", "size: to is missing"),
        (SWEEP + "size = {from = 1, to = 'x', count = 3}", 'to = "x": should be a number'),
        (SWEEP + "size = {from = 1, to = nan, count = 3}", "should be a number"),
        (SWEEP + "size = {from = 9, to = 9, count = 3}", "should differ"),
        (SWEEP + "size = {from = 1, to = 9, count = 1}", "from 2 on"),
        (SWEEP + "size = {from = 1, to = 3, count = 9}", "count = 9: there are not so many"),
        (SWEEP + "size = {from = 0, to = 9, count = 3}", "size = 0: should be greater"),
        (SWEEP + "size = {from = 1, to = 9, count = 999999}", "100000 at most"),
        (SWEEP + "size = {from = 1, to = 9, count = 3, spacing = 'lin'}", "linear or log"),
        (SWEEP + "tv-weight = {from = 0, to = 9, count = 3, spacing = 'log'}", "be above 0"),
        (SWEEP + "loss = {from = 1, to = 9, count = 3}", "no numbers for values"),
        (SWEEP + "how = 'gird'\nsize = [3]", "one of grid, zip, random (did you mean 'grid'?)"),
        (SWEEP + "how = 3\nsize = [3]", "how = 3: should be one of"),
        (SWEEP + "samples = 3\nsize = [3]", "samples = 3 and how = 'grid' exclude each other"),
        (SWEEP + "seed = 3\nsize = [3]", "seed = 3 and how = 'grid' exclude each other"),
        (SWEEP + "how = 'random'\nsize = [3]", "samples is missing"),
        (SWEEP + "how = 'random'\nsamples = 0\nsize = [3]", "samples = 0: should be a whole"),
        (SWEEP + "how = 'random'\nsamples = true\nsize = [3]", "samples = true: should be a whole"),
        (RANDOM + "seed = -1\nsize = [3, 4]", "seed = -1: should be a whole"),
        (RANDOM + "size = {from = 0, to = 9}", "size = 0: should be greater"),
        ("style-weight = 3\n[sweep]\nstyle_weight = [3]", "exclude each other"),
        (
            "[sweep]\nsteps = [3]\n[backbone.vgg19]\nsteps = 4",
            "[backbone.vgg19] steps and [sweep] steps exclude each other",
        ),
        (
            SWEEP + "model = ['vgg19:gatys', 'vgg16']\nweights = ['a']",
            "[sweep] weights and [sweep] model with the weights of vgg19 exclude each other",
        ),
        ("weights = 'a'\n[sweep]\nmodel = ['vgg19:gatys']", "exclude each other"),
        ("[backbone.vgg19]\nmodel = 'vgg16'", "unknown key 'model'"),
        ("[backbone.vgg19]\ngallery = true", "'gallery' is no option of the recipe"),
        ("[backbone.vgg19]\nsteps = 0", "[backbone.vgg19]: steps = 0: should be greater"),
        ("[backbone.vgg19]\ntv_weight = 1\ntv-weight = 1", "the key 'tv-weight' is given twice"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_looked_for(
    written: Any, text: str, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        written(text)
    assert message in str(caught.value)
    assert str(caught.value).startswith("x.toml: ")


@pytest.mark.parametrize(
    "text",
    [
        "[backbone.vgg91]\nsteps = 1",
        "[sweep]\nmodel = ['vgg91']",
        "[sweep]\nmodel = ['vgg19:gatis']",
    ],
)
def test_unknown_backbones_are_told_with_the_closest(written: Any, text: str) -> None:
    with pytest.raises(BackboneError, match="did you mean"):
        written(text)


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ('style = "art"', 'no content is named; write content = "FOLDER"'),
        ('content = "photos"', "no style is named"),
        ('content = []\nstyle = "art"', "content = []: should be a path"),
        ('content = ["a", 3]\nstyle = "art"', "should be a path, or a list of them"),
        ('contents = "a"\nstyle = "art"', "unknown key 'contents' (did you mean 'content'?)"),
    ],
)
def test_pictures_have_to_be_named(written: Any, pictures: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        written("", pictures=pictures)
    assert message in str(caught.value)


def test_what_is_resolved_is_read_as_the_same_experiment(written: Any) -> None:
    found = written("size = 9\n[sweep]\nstyle-weight = [3, 30]\n[backbone.vgg19]\nsteps = 5\n")
    table = found.resolved({"size": 9, "style-weight": 30.0, "tv-weight": 1e-20, "init": "noise"})
    Path("again.yaml").write_text(yaml12.dump(table), "utf-8")
    again = read(Path("again.yaml"))
    assert again.sweep.points() == found.sweep.points()
    assert again.own == found.own
    assert (again.contents, again.styles) == (found.contents, found.styles)
    assert again.document.table == {"size": 9, "tv-weight": 1e-20, "init": "noise"}


def test_the_file_to_start_from_is_an_experiment(tmp_path: Path) -> None:
    text, missing = starter("my.toml", tmp_path)
    assert missing == ["content", "style"]
    (tmp_path / "my.toml").write_text(text, "utf-8")
    found = read(tmp_path / "my.toml")
    assert names(found) == [f"style-weight={weight}" for weight in (3, 10, 30, 100)]
    for key in SWEPT:
        assert f"\n#   {key}: " in text
    # Each of its examples means something.
    for line in text.splitlines():
        if line.startswith(("# style-", "# model = ")):
            key = line[2:].partition(" ")[0]
            plain = text.replace("style-weight = [3", "tv-weight = [3").replace(line, line[2:])
            (tmp_path / "my.toml").write_text(plain, "utf-8")
            assert read(tmp_path / "my.toml").sweep.axes[1].key == key


def test_folders_are_found_by_their_names(tmp_path: Path, write_picture: Any) -> None:
    write_picture("b/photos/x.png")
    write_picture("art/x.png")
    (tmp_path / "style").mkdir()
    text, missing = starter("my.toml", tmp_path)
    assert missing == []
    assert '\ncontent = "b/photos"' in text
    assert '\nstyle = "art"' in text


def test_keys_of_experiments_are_no_settings() -> None:
    assert not {"content", "style", "sweep", "backbone"} & {setting.key for setting in SETTINGS}
