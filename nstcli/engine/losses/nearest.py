"""The nearest term: every place of the picture against the place of the style it was matched with.

After the method of Kolkin et al. 2022 ("Neural Neighbor Style Transfer"). The style's Gram matrix
says which features go together and not where; this term says where, since the places were chosen
by what the content shows there (`nstcli.engine.matching`). So the subject stays whole.

F are the activations of the picture (N, C, H, W), brought to the grid of the target (1 or N, C,
h, w), whose vectors T are activations of the style image. One number per picture, (N,).
"""

from torch import Tensor

from nstcli.engine.losses.grid import on_grid
from nstcli.engine.losses.statistics import PLACES, full_precision
from nstcli.engine.losses.target import Target

STATISTIC = PLACES

# Vectors with less than this share of the target's mean square have no direction to speak of.
_FAINT = 1e-4


def cosine(x: Tensor, target: Target) -> Tensor:
    """Mean over positions, as they count, of 1 − cos(F, T), a cosine for each layer.

    The paper takes one cosine of all layers side by side. With one for each, layers count as much
    as their weights say, on every network, and a layer needs no other to be compared.
    """
    value = full_precision(target.value)
    places = target.count // value.shape[1]
    floor = _FAINT * target.energy.view(-1, 1, 1, 1) / places
    x = full_precision(on_grid(x, value.shape[-2], value.shape[-1]))
    difference = _unit(x, floor) - _unit(value, floor)
    distances = difference.square().sum(1)
    if target.weights is not None:
        distances = distances * target.weights[:, 0]
    return distances.sum((1, 2)) / (2 * places)


def _unit(x: Tensor, floor: Tensor) -> Tensor:
    """Divide every vector (N, C, h, w) by its length, faint ones by a little more."""
    return x * (x.square().sum(1, keepdim=True) + floor).clamp(min=1e-30).rsqrt()


DISTANCES = {"relative": cosine, "gatys": cosine, "sum": cosine, "mean": cosine}
