"""The multi-style network: the layout of Magenta's file, pictures of any size, styles that mix."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nstcli.errors import InputError
from nstcli.networks.multistyle import MultiStyleNetwork, of_style

# A layer of every sort as the file has them: output, input, edge of the kernel.
CONVOLUTIONS = {
    "contract.0": (32, 3, 9),
    **{f"contract.{number}": (32, 32, 3) for number in (1, 2)},
    **{f"res.{block}.{number}": (32, 32, 3) for block in range(6) for number in range(2)},
    "expand.0": (8, 32, 3),
    "expand.1": (4, 8, 3),
    "expand.2": (3, 4, 9),
}
STYLES = 3


def content() -> dict[str, Any]:
    """Random tensors under the names of the file, with three styles."""
    random, found = np.random.default_rng(0), {}
    for name, (outputs, inputs, kernel) in CONVOLUTIONS.items():
        shapes = {"w": (outputs, inputs, kernel, kernel)}
        shapes |= {f"norm.{each}": (STYLES, outputs) for each in ("gamma", "beta")}
        for part, shape in shapes.items():
            found[f"{name}.{part}"] = random.normal(0, 0.3, shape).astype(np.float32)
    return found


CONTENT = content()


def style(number: int) -> MultiStyleNetwork:
    return MultiStyleNetwork.of(of_style(CONTENT, number), "a.safetensors")


def test_styles_share_convolutions_and_have_normalisations_of_their_own() -> None:
    one, other = (style(number).state_dict() for number in (0, 2))
    differing = {name for name in one if not torch.equal(one[name], other[name])}
    assert differing == {name for name in one if ".norm." in name}
    assert sum(one[name].numel() for name in differing) == 990
    np.testing.assert_array_equal(one["res.1.0.norm.bias"], CONTENT["res.1.0.norm.beta"][0])


@given(st.integers(1, 23), st.integers(1, 23))
@settings(max_examples=20)
def test_a_picture_of_any_size_keeps_it(height: int, width: int) -> None:
    painted = style(1)(torch.rand(1, 3, height, width))
    assert painted.shape == (1, 3, height, width)
    assert painted.min() >= 0
    assert painted.max() <= 1


def test_a_layer_that_does_not_fit_is_named() -> None:
    state = of_style(CONTENT, 0)
    state["expand.1.norm.weight"] = torch.zeros(5)
    problem = r"a\.safetensors: .* expand\.1\.norm\.weight is \(5,\), not \(4,\)"
    with pytest.raises(InputError, match=problem):
        MultiStyleNetwork.of(state, "a.safetensors")
