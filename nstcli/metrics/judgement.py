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


# The first of these that painted nothing is the witness. The last is no backbone and never paints.
_WITNESSES = ("mobilenet", "squeezenet", "alexnet")


def witness_of(painters: Collection[str]) -> str:
    """Return the name of the network that is the witness where these backbones painted.

    It sees for the judge what that should not: structure, and how activations are distributed.
    Judges are VGGs, and see each other's pictures as further from the photo than the three networks
    here do: of one pair (192 px) VGG-16 gave what VGG-19 had made 93 % of the artwork's own
    structure figure, these 67 to 81 %; VGG-19 that of VGG-16 68 %, these 48 to 63 %. All pictures
    that are compared have one witness, so that its figures compare.
    """
    return next(name for name in _WITNESSES if name not in painters)
