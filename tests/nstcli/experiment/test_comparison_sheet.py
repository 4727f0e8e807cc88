from dataclasses import replace
from pathlib import Path

import pytest

from nstcli.errors import InputError
from nstcli.experiment.experiment import Contest
from nstcli.experiment.sheet import NAME, draw_sheet, write_sheet
from nstcli.images import decode
from nstcli.plan.pair import Pair
from tests.nstcli.experiment.made import contest, tell
from tests.nstcli.experiment.test_judging import Write


@pytest.fixture
def made(tmp_path: Path, write_picture: Write) -> Contest:
    content, style = write_picture("c.png", 60, 120, seed=1), write_picture("s.png", 90, 90, seed=2)
    found = contest(tmp_path / "out", "a", "b")
    for number, entry in enumerate(found.entries):
        pair = Pair(content, style, entry.pairs[0].output)
        found.entries[number] = replace(entry, pairs=(pair,))
        write_picture(f"out/{pair.output}", 60, 120, seed=5 + number)
    tell(found, "a", {"style_error": 0.5, "lpips": 0.1}, width=120, height=60)
    return found


def test_content_style_and_a_column_for_every_backbone(made: Contest) -> None:
    pixels = draw_sheet(made)
    gap, cell = 6, 120
    assert pixels.shape[1] == 4 * cell + 5 * gap

    def column(number: int) -> object:
        left = gap + number * (cell + gap)
        return pixels[gap : gap + 60, left : left + cell]

    pair = made.entries[0].pairs[0]
    for number, path in ((0, pair.content), (2, made.store.path(pair))):
        assert (column(number) == decode(path.read_bytes(), "").rgb).all()
    # What was not made is an empty field, though a file of that name is there.
    assert (column(3) == 243).all()  # type: ignore[attr-defined]


def test_it_replaces_its_own_kind_and_nothing_else(made: Contest, write_picture: Write) -> None:
    path = write_sheet(made)
    assert path.name == NAME
    assert write_sheet(made) == path
    write_picture(f"out/{NAME}")
    before = path.read_bytes()
    with pytest.raises(InputError, match="move it away"):
        write_sheet(made)
    assert path.read_bytes() == before
