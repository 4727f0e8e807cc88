"""Which part of a picture is painted, and in which sizes. Without torch."""

from __future__ import annotations

from dataclasses import dataclass

from nstcli import images
from nstcli.recipe import Recipe

# How many times `--size` the last scale may be of a result that keeps the size of its photo: no
# more than scales differ by elsewhere. What a photo has beyond that is enlarged. So the recipe
# alone decides, and not what memory happens to be free.
FINISH = 2


@dataclass(frozen=True)
class Sizes:
    """What is made of a photo, as (width, height) in pixels.

    Attributes:
        painted: at the recipe's size.
        finished: at the last scale; as painted, unless the result keeps the size of its photo.
        result: of the file.
    """

    painted: tuple[int, int]
    finished: tuple[int, int]
    result: tuple[int, int]


def sizes_of(width: int, height: int, recipe: Recipe) -> Sizes:
    """Return what is made of a photo of so many pixels."""
    if recipe.aspect:
        width, height = images.cropped_size(width, height, recipe.aspect)
    painted = images.shrunk_size(width, height, recipe.size)
    if not recipe.keep_size:
        return Sizes(painted, painted, painted)
    finished = images.shrunk_size(width, height, FINISH * recipe.size)
    return Sizes(painted, finished, (width, height))


def canvas_of(recipe: Recipe) -> tuple[int, int]:
    """Return the width and height, in pixels, of a result that has no photo: as of a square one."""
    return sizes_of(recipe.size, recipe.size, recipe).painted
