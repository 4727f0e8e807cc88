"""Mixtures of networks: the normalisations' means, of networks that share all else."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nstcli.errors import InputError
from nstcli.networks.mixing import mixed
from nstcli.networks.transformation import TransformationNetwork
from tests.nstcli.networks.test_multistyle import CONTENT, style

IMAGE = torch.rand(1, 3, 16, 12)


def transformation(seed: int, width: int = 2) -> TransformationNetwork:
    torch.manual_seed(seed)
    return TransformationNetwork(width, 1).requires_grad_(False)


@given(st.floats(0, 1))
@settings(max_examples=15)
def test_normalisations_are_means_and_convolutions_stay(share: float) -> None:
    one, other = style(0), style(1)
    found = mixed([one, other], [share, 1 - share]).state_dict()
    for name, tensor in found.items():
        a, b = one.state_dict()[name], other.state_dict()[name]
        wanted = share * a + (1 - share) * b if ".norm." in name else a
        torch.testing.assert_close(tensor, wanted)


def test_a_mixture_of_all_of_one_is_that() -> None:
    one, other = style(0), style(2)
    assert torch.equal(mixed([one, other], [1.0, 0.0])(IMAGE), one(IMAGE))
    assert mixed([one], [1.0]) is one


def test_what_was_mixed_is_as_it_was() -> None:
    one, before = style(0), style(0)(IMAGE)
    mixed([one, style(1)], [0.5, 0.5])
    assert torch.equal(one(IMAGE), before)
    assert CONTENT["expand.2.norm.beta"].shape == (3, 3)


def test_networks_that_differ_in_more_are_refused() -> None:
    with pytest.raises(InputError, match=r"differ in conv1\.conv2d\.weight"):
        mixed([transformation(0), transformation(1)], [0.5, 0.5])
    with pytest.raises(InputError, match=r"differ in conv1\.conv2d\.weight"):
        mixed([transformation(0), transformation(0, 3)], [0.5, 0.5])
    with pytest.raises(InputError, match="of different kinds"):
        mixed([style(0), transformation(0)], [0.5, 0.5])


def test_trained_networks_that_share_convolutions_mix_as_well() -> None:
    one, other = transformation(0), transformation(0)
    other.in2.weight.add_(1)
    found = mixed([one, other], [0.5, 0.5]).state_dict()
    torch.testing.assert_close(found["in2.weight"], one.in2.weight + 0.5)
