from dataclasses import replace
from pathlib import Path

import pytest

from nstcli.errors import InputError
from nstcli.experiments.comparison_sheet import draw_sheet, write_sheet
from nstcli.experiments.experiment import Experiment
from nstcli.images import decode
from nstcli.plan.pair import Pair
from tests.nstcli.experiments.comparisons import experiment, tell
from tests.nstcli.experiments.test_judging import Write


@pytest.fixture
def made(tmp_path: Path, write_picture: Write) -> Experiment:
    content, style = write_picture("c.png", 60, 120, seed=1), write_picture("s.png", 90, 90, seed=2)
    found = experiment(tmp_path / "out", "a", "b")
    for number, variant in enumerate(found.variants):
        pair = Pair.of(content, style, variant.pairs[0].output)
        found.variants[number] = replace(variant, pairs=(pair,))
        write_picture(f"out/{pair.output}", 60, 120, seed=5 + number)
    tell(found, "a", {"style_error": 0.5, "lpips": 0.1}, width=120, height=60)
    return found


def test_content_style_and_a_column_for_every_backbone(made: Experiment) -> None:
    pixels = draw_sheet(made)
    gap, cell = 6, 120
    assert pixels.shape[1] == 4 * cell + 5 * gap

    def column(number: int) -> object:
        left = gap + number * (cell + gap)
        return pixels[gap : gap + 60, left : left + cell]

    pair = made.variants[0].pairs[0]
    for number, path in ((0, pair.path("content")), (2, made.store.path(pair))):
        assert (column(number) == decode(path.read_bytes(), "").rgb).all()
    # What was not made is an empty field, though a file of that name is there.
    assert (column(3) == 243).all()  # type: ignore[attr-defined]


def test_it_replaces_its_own_kind_and_nothing_else(made: Experiment, write_picture: Write) -> None:
    path = write_sheet(made)
    assert path.name == "comparison.png"
    assert write_sheet(made) == path
    write_picture("out/comparison.png")
    before = path.read_bytes()
    with pytest.raises(InputError, match="move it away"):
        write_sheet(made)
    assert path.read_bytes() == before
