"""The engine's content and style terms as figures, ‖x − target‖² / ‖target‖² averaged over layers.

0 is equal, 1 is what a picture without any activation has. One full of other things has more.
The content's says whether the same is seen at the same places, and cannot tell damage from brush
strokes. The style's compares Gram matrices, which the strongest channels rule.
"""

from collections.abc import Mapping

from nstcli.engine.losses import distances_of, statistic_of
from nstcli.engine.targets import targets
from nstcli.metrics.picture_statistics import PictureStatistics


def content_error(
    picture: PictureStatistics,
    content: PictureStatistics,
    style: PictureStatistics,
    layers: Mapping[str, float],
) -> float:
    """Compare activations at `layers`, name to relative weight.

    The style only matters to a content that is all but black to the backbone: see
    `engine.targets`.
    """
    return _error("content", picture, content, style, layers)


def style_error(
    picture: PictureStatistics,
    content: PictureStatistics,
    style: PictureStatistics,
    layers: Mapping[str, float],
) -> float:
    """Compare Gram matrices at `layers`, name to relative weight.

    The content only matters to a style that is all but black to the backbone.
    """
    return _error("style", picture, content, style, layers)


def _error(
    term: str,
    picture: PictureStatistics,
    content: PictureStatistics,
    style: PictureStatistics,
    layers: Mapping[str, float],
) -> float:
    statistic, relative = statistic_of(term), distances_of(term)["relative"]
    found = picture.content.statistics
    errors = (
        layers[layer] * float(relative(found[statistic, layer], target))
        for layer, target in targets(term, content.content, style.style, layers).items()
        if layer is not None
    )
    return sum(errors) / sum(layers.values())
