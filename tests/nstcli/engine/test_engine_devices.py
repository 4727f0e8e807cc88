"""A step on another device takes nothing from the CPU: it would wait, and no graph records that.

The meta device stands for a GPU: its tensors have shapes and no values.
"""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from backbones.hooks import FeatureExtractor
from nstcli.engine.guidance import Guidance, Region
from nstcli.engine.objective import Part, batched, evaluate, parts, weighted
from nstcli.engine.targets import read_content, read_style
from nstcli.recipe import Recipe
from nstcli.terms import TERMS
from tests.nstcli.engine.scene import recipe

EVERYTHING = {term.weight_option: 1.0 for term in TERMS.values()}


class OnTheCpu(TorchDispatchMode):
    """Lists the functions that return a tensor of the CPU while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        for each in result if isinstance(result, tuple | list) else (result,):
            if isinstance(each, Tensor) and each.device.type == "cpu":
                self.names.append(str(function))
        return result


def image(seed: float = 0.5) -> Tensor:
    return torch.full((1, 3, 64, 64), seed, device="meta")


def of_pair(
    extractor: FeatureExtractor, asked: Recipe, regions: int, *, unseen: bool
) -> list[Part]:
    content = read_content(extractor, image(), asked)
    style = read_style(extractor, [image()], asked)
    if unseen:  # as where a mask is too small
        style = replace(style, unseen=frozenset(asked.layers_of_terms["style"]))
    masks = [torch.ones_like(image()[:, :1]) for _ in range(regions + 2)]
    held = tuple(Region(mask, style) for mask in masks[2:])
    guidance = Guidance(masks[0], masks[1], held) if regions else Guidance()
    return parts(extractor, content, style, asked, guidance=guidance)


@pytest.mark.parametrize("padding", ["own", "circular"])
@pytest.mark.parametrize("regions", [0, 2])
@pytest.mark.parametrize("unseen", [False, True])
def test_a_step_takes_nothing_from_the_cpu(
    extractor: FeatureExtractor, padding: str, regions: int, unseen: bool
) -> None:
    asked = recipe(**EVERYTHING, padding=padding)
    extractor = (extractor.pad_by(padding) if padding != "own" else extractor).to("meta")
    pairs = [of_pair(extractor, asked, regions, unseen=each) for each in (False, unseen)]
    objective, pictures = batched(pairs), image().repeat(2, 1, 1, 1).requires_grad_()
    evaluate(extractor, pictures, objective)  # what is made once for all steps is made here
    with OnTheCpu() as found:
        loss = weighted(evaluate(extractor, pictures, objective), asked).sum()
        (gradient,) = torch.autograd.grad(loss, pictures)
    assert gradient.device.type == "meta"
    assert found.names == []
