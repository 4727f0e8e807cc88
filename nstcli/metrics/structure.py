"""Structure: whether what looked alike in the photo still looks alike, whatever it looks like now.

Every position of a picture, as a network sees it, is compared with every other by the cosine of
their centred activations. That table of similarities says what belongs together: wing to wing and
not to sky. It knows no colour and no texture of its own, so a stylization may change both and keep
it; a subject that melts into its ground does not. The figure is the mean absolute difference of
the tables of photo and picture (the self-similarity of Kolkin et al. 2019 and of Shechtman, Irani
2007, here as a measure): with s_ij = cos(F_i − F̄, F_j − F̄),

    structure = mean over i, j of |s_ij(picture) − s_ij(photo)|,

0 for the photo itself and at most 2. The other end of its scale is what the artwork has, resized
to the photo's shape: two pictures that have nothing to do with each other.

It cannot say whether a thing is *recognised*: a wing that became a leaf as a whole keeps its table.
Nor does it see what is smaller than a twentieth of the picture, or any style.
"""

from torch import Tensor
from torch.nn.functional import interpolate

# Cells along the shorter edge, and at most along the longer: as many similarities as cells squared.
_CELLS = 20
_MOST_CELLS = 60
# A cell that differs from the average by less than this share of the activations' usual length
# differs by rounding, which has no direction.
_FLOOR = 1e-5


def similarities(features: Tensor) -> Tensor:
    """Compare all positions with each other: (1, C, H, W) -> (P, P), cosines in [−1, 1].

    The positions are those of a grid of 20 cells along the shorter edge, so that pictures of all
    sizes and layers of all strides are looked at alike; strips longer than 3:1 get coarser ones.
    """
    features = features.float()
    features = interpolate(features, _grid(*features.shape[2:]), mode="bilinear", antialias=True)
    cells = features[0].flatten(1).mT
    usual = cells.square().sum(1).mean().sqrt()
    centred = cells - cells.mean(0)
    lengths = centred.norm(dim=1, keepdim=True).clamp(min=max(_FLOOR * float(usual), 1e-30))
    directions = centred / lengths
    table: Tensor = directions @ directions.mT
    return table


def structure(picture: Tensor, content: Tensor) -> float:
    """Compare the `similarities` of two pictures of one shape."""
    return float((picture - content).abs().mean())


def _grid(height: int, width: int) -> tuple[int, int]:
    scale = _CELLS / min(height, width)
    rows, columns = (min(_MOST_CELLS, round(edge * scale)) for edge in (height, width))
    return rows, columns
