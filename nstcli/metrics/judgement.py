"""A judged picture next to the baselines, and which network judges which. Without torch."""

from collections.abc import Collection
from dataclasses import dataclass

from nstcli.measures import Metrics


@dataclass(frozen=True)
class Comparison:
    """A picture next to the two baselines.

    Attributes:
        picture: the one in question.
        content: the unchanged content.
        style: the style, resized until it covers the content's shape, its middle.
    """

    picture: Metrics
    content: Metrics
    style: Metrics


def judge_of(model: str) -> str:
    """Return the name of the backbone that judges the pictures of another by default.

    Never the same one: an optimizer finds what its own network overlooks. VGG-16 judges all, as
    it is LPIPS's network, too, and so costs nothing more; VGG-19 judges VGG-16.
    """
    return "vgg19" if model == "vgg16" else "vgg16"


# Witnesses, the first of which that painted nothing is asked: far from the VGGs that judge.
_WITNESSES = ("mobilenet", "squeezenet")


def witness_of(painters: Collection[str], judge: str) -> str:
    """Return the name of the backbone that is the witness where these painted.

    It sees for what the judge should not: structure, and the distribution of activations. All
    pictures that are compared have the same one, or their figures would not compare; where both
    painted, the judge is its own witness.
    """
    return next((name for name in _WITNESSES if name not in painters), judge)
