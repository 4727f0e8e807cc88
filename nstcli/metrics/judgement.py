"""`Metrics`, the figures of a judged picture; and which backbone judges which. Without torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metrics:
    """One picture, held against the content and the style that it was made from.

    The package's docstring says what each of them can and cannot tell.

    Attributes:
        content_error: relative to the content's energy; 0 is equal, 1 is nothing left.
        style_error: relative to the style's energy; 0 is equal, 1 is nothing there.
        lpips: perceptual distance to the content, from 0.
        ssim: structural similarity to the content, at most 1.
        frechet: distance of activations to the style's; 0 is equal, 1 is nothing there.
        color: distance of colours to the style's, in units of CIELAB, from 0.
    """

    content_error: float
    style_error: float
    lpips: float
    ssim: float
    frechet: float
    color: float


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
