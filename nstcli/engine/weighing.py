"""What the pixels of a pair weigh: an evaluation of one is tried out, and its tensors added up."""

import copy
import weakref
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from backbones.hooks import FeatureExtractor
from nstcli.engine.objective import evaluate, parts, weighted
from nstcli.engine.targets import read_content, read_style
from nstcli.recipe import Recipe

# Edge of the picture that is weighed, in pixels: large enough that what does not grow with it,
# Gram matrices above all, counts for nothing. The other one is for networks that must compute.
_EDGE = 1024
_EDGE_COMPUTED = 128


class Balance(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the tensors that come and go while it is active, those of autograd included.

    Attributes:
        now: bytes of those that are there.
        peak: the most that were there at a time.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call a function of torch, and take note of what it returns."""
        result = function(*args, **(kwargs or {}))
        for each in result if isinstance(result, tuple | list) else (result,):
            if isinstance(each, Tensor):
                self._add(each.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        if storage in self._known:  # a view, or changed in place
            return
        self._known.add(storage)
        self._grow(storage.nbytes())
        weakref.finalize(storage, self._grow, -storage.nbytes())

    def _grow(self, size: int) -> None:
        self.now += size
        self.peak = max(self.peak, self.now)


def weigh(extractor: FeatureExtractor, recipe: Recipe) -> tuple[Balance, Balance, int]:
    """Weigh what reading a style takes, and what optimizing a picture takes.

    Returns both, and the pixels that either of them is for.
    """
    try:
        # Tensors of this device have shapes and no content, so that it takes no time.
        return _weighed(copy.deepcopy(extractor).to("meta"), recipe, _EDGE)
    except RuntimeError:  # a network that looks at the content
        return _weighed(extractor, recipe, _EDGE_COMPUTED)


def _weighed(
    extractor: FeatureExtractor, recipe: Recipe, edge: int
) -> tuple[Balance, Balance, int]:
    edge = max(edge, extractor.backbone.minimum_size)
    image = torch.full((1, 3, edge, edge), 0.5, device=extractor.gain.device)
    with Balance() as reading:
        style = read_style(extractor, [image], recipe)
    with Balance() as optimizing:
        content = read_content(extractor, image.clone(), recipe)
        coarser = optimizing.now // 3  # of all scales together, a quarter each of the next
        every = parts(content, style, recipe)
        objective = [part for part in every if recipe.weights_of_terms[part.term]]
        picture = image.clone().requires_grad_()
        loss = weighted(evaluate(extractor, picture, objective), recipe)
        torch.autograd.grad(loss.sum(), picture)
    optimizing.peak += coarser
    return reading, optimizing, edge**2
