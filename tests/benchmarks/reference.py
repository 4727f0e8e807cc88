"""The loop of the usual tools, to compare with: float32, NCHW, autograd, torch's own L-BFGS.

It is written the way that the PyTorch tutorial and the ports of neural-style are: a truncated
network with forward hooks, Gram matrices by `torch.mm(f, f.t()) / f.numel()`, mean squared errors,
`torch.optim.LBFGS` with its usual history of 100 and learning rate of 1, and none of our tricks:
no bounded steps, no best picture kept, no clamping but at the end.

Three things are chosen so that the comparison is fair:

* Its layer weights are constants, computed once, that turn mean squared errors into our relative
  ones. So its loss equals our J = content weight · content + style weight · style under the
  convention `relative`, and both work towards the same. Users of those tools set such constants by
  hand, as 1e6 or the like.
* The tolerances of its optimizer are off, or it would end early, in silence.
* Its optimizer is given the loss times the number of values, as large as with the usual weights,
  since it drops curvature pairs whose product is below 1e-10. (At 192 px any factor from 1 to 1e6
  gave the same losses within the noise; a larger picture only has the more need of it.)
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from backbones.spec import Preprocessing
from nstcli.recipe import Recipe

# (evaluations so far, the picture after them, not clamped) -> nothing.
Watch = Callable[[int, Tensor], None]


class Reference:
    """The loss of one pair, as the usual tools compute it."""

    def __init__(
        self,
        network: nn.Module,
        preprocessing: Preprocessing,
        layers: Mapping[str, str],
        recipe: Recipe,
        content: Tensor,
        style: Tensor,
    ):
        """Compute the targets.

        Args:
            network: frozen; it is used as it was built, in-place activations included.
            preprocessing: what its weights expect.
            layers: public name to module path, in forward order.
            recipe: the layers and weights; its loss must be `relative`, without total variation.
            content: (1, 3, H, W), RGB in [0, 1].
            style: likewise.
        """
        if recipe.loss != "relative" or recipe.tv_weight:
            raise ValueError("the reference knows the relative loss without total variation alone")
        wanted = {*recipe.content_layers, *recipe.style_layers}
        deepest = [name for name in layers if name in wanted][-1]
        self._network = truncated(network, layers[deepest].split("."))
        self._flip = preprocessing.channels == "bgr"
        self._scale = preprocessing.scale
        self._mean = torch.tensor(preprocessing.mean).view(1, 3, 1, 1)
        self._std = torch.tensor(preprocessing.std).view(1, 3, 1, 1)
        self._features: dict[str, Tensor] = {}
        modules = dict(network.named_modules())
        for name in wanted:
            modules[layers[name]].register_forward_hook(self._captures(name))
        with torch.no_grad():
            found = self._read(content)
            self._contents = {name: found[name].clone() for name in recipe.content_layers}
            found = self._read(style)
            self._grams = {name: gram(found[name]) for name in recipe.style_layers}
        self._content_weights = {
            name: _constant(target, recipe.content_weight * share)
            for (name, target), share in zip(
                self._contents.items(), _shares(recipe.content_layers), strict=True
            )
        }
        self._style_weights = {
            name: _constant(target, recipe.style_weight * share)
            for (name, target), share in zip(
                self._grams.items(), _shares(recipe.style_layers), strict=True
            )
        }

    def loss(self, image: Tensor) -> Tensor:
        """Return J (scalar) of a picture (1, 3, H, W)."""
        found = self._read(image)
        loss = torch.zeros(())
        for name, target in self._contents.items():
            loss = loss + self._content_weights[name] * mse_loss(found[name], target)
        for name, target in self._grams.items():
            loss = loss + self._style_weights[name] * mse_loss(gram(found[name]), target)
        return loss

    def _read(self, image: Tensor) -> dict[str, Tensor]:
        image = image.flip(1) if self._flip else image
        self._features.clear()
        self._network((image * self._scale - self._mean) / self._std)
        return dict(self._features)

    def _captures(self, name: str) -> Callable[[nn.Module, object, Tensor], None]:
        def capture(module: nn.Module, inputs: object, output: Tensor) -> None:
            self._features[name] = output

        return capture


def gram(features: Tensor) -> Tensor:
    """Correlate feature maps: (1, C, H, W) -> (C, C), divided by C·H·W."""
    flat = features.view(features.shape[1], -1)
    return torch.mm(flat, flat.t()) / flat.numel()


def truncated(module: nn.Module, path: list[str], *, root: bool = True) -> nn.Module:
    """Cut a network off behind the module at `path`, where its children run one after another.

    They do so in every `nn.Sequential`, and at the root of the networks that are compared. A
    module of another kind stays whole.
    """
    if not path or not (root or isinstance(module, nn.Sequential)):
        return module
    children = dict(module.named_children())
    before = list(children)[: list(children).index(path[0])]
    last = truncated(children[path[0]], path[1:], root=False)
    return nn.Sequential(*(children[name] for name in before), last)


def optimize(reference: Reference, start: Tensor, evaluations: int, watch: Watch) -> Tensor:
    """Run L-BFGS for exactly so many evaluations and return its last picture, clamped.

    Raises:
        RuntimeError: it ended early, so that figures would not mean what they say.
    """
    image = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [image],
        lr=1,
        max_iter=evaluations,
        max_eval=evaluations,
        tolerance_grad=-1,
        tolerance_change=-1,
        history_size=100,
    )
    done = 0

    def closure() -> Tensor:
        nonlocal done
        watch(done, image)
        optimizer.zero_grad()
        loss = reference.loss(image) * image.numel()
        loss.backward()
        done += 1
        return loss

    optimizer.step(closure)
    if done != evaluations:
        raise RuntimeError(f"the reference ended after {done} of {evaluations} evaluations")
    watch(done, image)
    return image.detach().clamp(0, 1)


def _shares(layers: Mapping[str, float]) -> list[float]:
    total = sum(layers.values())
    return [weight / total for weight in layers.values()]


def _constant(target: Tensor, weight: float) -> float:
    """Return what a mean squared error is multiplied by to become a weighted relative one."""
    return weight * target.numel() / target.square().sum().item()
