"""The structure figure against a brute-force count, and what it must and must not see."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nstcli.metrics.structure import similarities, structure


def features(height: int, width: int, channels: int = 6, seed: int = 0) -> Tensor:
    """Draw activations (1, C, H, W) that are never negative, as after a ReLU."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, channels, height, width, generator=generator)


def brute_force(a: Tensor, b: Tensor) -> float:
    """Compare every two positions of (1, C, 20, 20) one by one, in float64."""
    cells = [x[0].double().flatten(1).numpy().T for x in (a, b)]
    centred = [x - sum(x) / len(x) for x in cells]
    unit = [[row / sum(row * row) ** 0.5 for row in x] for x in centred]
    places = [(i, j) for i in range(400) for j in range(400)]
    return (
        sum(abs(sum(unit[0][i] * unit[0][j] - unit[1][i] * unit[1][j])) for i, j in places) / 400**2
    )


def test_it_is_the_formula() -> None:
    a, b = features(20, 20), features(20, 20, seed=1)
    found = structure(similarities(a), similarities(b))
    assert found == pytest.approx(brute_force(a, b), abs=1e-5)


def test_a_picture_is_as_itself_whatever_its_palette() -> None:
    """A rotation, a shift and a gain of all activations leave what belongs together."""
    content = features(20, 26)
    rotation = torch.linalg.qr(features(6, 6)[0, 0])[0]
    repainted = 3 * torch.einsum("dc,nchw->ndhw", rotation, content) + 5
    table = similarities(content)
    assert structure(table, table) == 0
    assert structure(similarities(repainted), table) == pytest.approx(0, abs=1e-4)


def test_things_that_moved_or_melted_are_seen() -> None:
    ground = 0.01 * features(20, 26)
    ground[:, 0] += 1
    photo = ground.clone()
    photo[:, :2, 5:12, 8:16] = torch.tensor([0.0, 1.0]).view(1, 2, 1, 1)
    moved = photo.roll(6, dims=3)
    table = similarities(photo)
    melted = structure(similarities(ground), table)
    assert min(melted, structure(similarities(moved), table)) > 0.2


@given(st.integers(1, 70), st.integers(1, 200), st.integers(0, 99))
def test_any_shape(height: int, width: int, seed: int) -> None:
    a, b = (similarities(features(height, width, seed=seed + k)) for k in (0, 1))
    assert len(a) <= 20 * 60
    assert 0 <= structure(a, b) <= 2
    assert structure(a, b) == pytest.approx(structure(b, a))
    turned = similarities(features(height, width, seed=seed).mT)
    assert turned.abs().mean() == pytest.approx(float(a.abs().mean()), abs=1e-4)


def test_a_network_that_sees_the_same_everywhere_finds_no_similarity() -> None:
    flat = torch.full((1, 6, 20, 20), 3.7)
    flat += 1e-7 * features(20, 20)  # rounding
    assert similarities(flat).abs().max() < 1e-3
    assert similarities(torch.zeros(1, 6, 5, 5)).abs().max() == 0
