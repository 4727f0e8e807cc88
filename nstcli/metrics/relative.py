"""The engine's content and style terms as figures, ‖x − target‖² / ‖target‖² averaged over layers.

0 is equal, 1 is what a picture without any activation has. One full of other things has more.
The content's says whether the same is seen at the same places, and cannot tell damage from brush
strokes. The style's compares Gram matrices, which the strongest channels rule.
"""

from collections.abc import Mapping

from torch import Tensor

from nstcli.engine.losses import Target
from nstcli.engine.targets import content_targets, style_targets
from nstcli.metrics.reading import Reading


def content_error(
    picture: Reading, content: Reading, style: Reading, layers: Mapping[str, float]
) -> float:
    """Compare activations at `layers`, name to relative weight.

    The style only matters to a content that is all but black to the backbone: see
    `engine.targets`.
    """
    targets = content_targets(content.content, style.style)
    return _mean(picture.content.features, targets, layers)


def style_error(
    picture: Reading, content: Reading, style: Reading, layers: Mapping[str, float]
) -> float:
    """Compare Gram matrices at `layers`, name to relative weight.

    The content only matters to a style that is all but black to the backbone.
    """
    return _mean(picture.content.grams, style_targets(content.content, style.style), layers)


def _mean(
    found: Mapping[str, Tensor], targets: Mapping[str, Target], layers: Mapping[str, float]
) -> float:
    errors = (
        weight * float(targets[name].relative_error(found[name])) for name, weight in layers.items()
    )
    return sum(errors) / sum(layers.values())
