"""What is read of the two images, once, and how several styles mix."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from backbones import BackboneError, Preprocessing
from backbones.hooks import FeatureExtractor
from nstcli.engine.losses import FEATURES, GRAM, Target
from nstcli.engine.losses.statistics import gram
from nstcli.engine.targets import Content, Style, read_content, read_style, targets
from tests import tiny
from tests.nstcli.engine.scene import picture, recipe


@pytest.fixture
def blind() -> FeatureExtractor:
    """A tiny backbone without biases, which sees nothing at all in a black picture."""
    network = tiny.build()
    network.load_state_dict(tiny.random_state())
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    plain = Preprocessing("rgb", 1.0, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return FeatureExtractor(tiny.TINY, network, plain)


def content_targets(content: Content, style: Style) -> dict[str | None, Target]:
    return targets("content", content, style, tiny.TINY.content_layers)


def style_targets(content: Content, style: Style) -> dict[str | None, Target]:
    return targets("style", content, style, tiny.TINY.style_layers)


def test_content_is_read_at_its_layers(extractor: FeatureExtractor) -> None:
    image = picture().requires_grad_()
    asked = recipe(content_layers="relu3,conv1", style_layers="relu1,pool2")
    content = read_content(extractor, image, asked)
    found = extractor(image, ["relu3", "conv1", "relu1", "pool2"])
    assert content.image is image
    features, grams = ("relu3", "conv1"), ("relu1", "pool2")
    places = {*((FEATURES, name) for name in features), *((GRAM, name) for name in grams)}
    assert set(content.statistics) == places
    for name in features:
        assert torch.equal(content.statistics[FEATURES, name], found[name])
        assert not content.statistics[FEATURES, name].requires_grad
    for name in grams:
        assert torch.equal(content.statistics[GRAM, name], gram(found[name]))


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        (None, (0.5, 0.5)),
        ([1, 3], (0.25, 0.75)),
        ([2.0, 0.0], (1.0, 0.0)),
        ([0.1, 0.1], (0.5, 0.5)),
    ],
)
def test_styles_mix_as_the_weighted_mean_of_their_grams(
    extractor: FeatureExtractor,
    weights: Sequence[float] | None,
    shares: tuple[float, float],
) -> None:
    images = [picture(24, 32, seed=1), picture(40, 20, seed=2)]
    style = read_style(extractor, images, recipe(), weights)
    assert style.image is images[0]
    for name in tiny.TINY.style_layers:
        expected = sum(
            share * gram(extractor(image, [name])[name])
            for share, image in zip(shares, images, strict=True)
        )
        torch.testing.assert_close(style.statistics[GRAM, name], expected)
    for name in tiny.TINY.content_layers:
        mean_squares = [extractor(image, [name])[name].pow(2).mean() for image in images]
        expected = shares[0] * mean_squares[0] + shares[1] * mean_squares[1]
        torch.testing.assert_close(style.mean_squares[FEATURES, name], expected)


def test_one_style_is_its_own_gram(extractor: FeatureExtractor) -> None:
    image = picture(seed=1)
    style = read_style(extractor, [image], recipe(style_layers="relu3=7"), [0.3])
    expected = gram(extractor(image, ["relu3"])["relu3"])
    torch.testing.assert_close(style.statistics[GRAM, "relu3"], expected)
    assert list(style.statistics) == [(GRAM, "relu3")]


@pytest.mark.parametrize(
    ("count", "weights", "message"),
    [
        (0, None, "0 style images"),
        (0, [], "0 style images"),
        (2, [1.0], "2 style images and 1 weights"),
        (1, [1.0, 1.0], "1 style images and 2 weights"),
        (2, [1.0, -0.5], r"not be negative.*\[1.0, -0.5\]"),
        (2, [0.0, 0.0], r"nor all 0.*\[0.0, 0.0\]"),
    ],
)
def test_styles_and_weights_that_do_not_fit(
    extractor: FeatureExtractor,
    count: int,
    weights: Sequence[float] | None,
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        read_style(extractor, [picture(seed=n) for n in range(count)], recipe(), weights)


def test_too_small_images_are_refused(extractor: FeatureExtractor) -> None:
    with pytest.raises(BackboneError, match="at least 8 px"):
        read_content(extractor, picture(7, 30), recipe())
    with pytest.raises(BackboneError, match="at least 8 px"):
        read_style(extractor, [picture(), picture(30, 7)], recipe())


def test_targets_are_the_images_own_energy(extractor: FeatureExtractor) -> None:
    content = read_content(extractor, picture(), recipe())
    style = read_style(extractor, [picture(seed=1)], recipe())
    for found, layers, image, statistic in (
        (content_targets(content, style), tiny.TINY.content_layers, content, FEATURES),
        (style_targets(content, style), tiny.TINY.style_layers, style, GRAM),
    ):
        assert set(found) == set(layers)
        for name, target in found.items():
            value = image.statistics[statistic, name]
            assert torch.equal(target.value, value)
            torch.testing.assert_close(target.energy, value.square().sum().view(1))


def test_empty_content_is_measured_by_the_style(blind: FeatureExtractor) -> None:
    black, image = torch.zeros(1, 3, 24, 32), picture(24, 32, seed=1)
    content = read_content(blind, black, recipe())
    style = read_style(blind, [image], recipe())
    assert content.statistics[FEATURES, "relu2"].abs().max() == 0
    target = content_targets(content, style)["relu2"]
    energy = blind(image, ["relu2"])["relu2"].square().sum()
    torch.testing.assert_close(target.energy, 1e-6 * energy.view(1))
    assert target.relative_error(blind(image, ["relu2"])["relu2"]).item() == pytest.approx(1e6)


def test_empty_style_is_measured_by_the_content(blind: FeatureExtractor) -> None:
    content = read_content(blind, picture(), recipe())
    style = read_style(blind, [torch.zeros(1, 3, 24, 32)], recipe())
    for name, target in style_targets(content, style).items():
        assert target.value.abs().max() == 0
        usual = content.statistics[GRAM, name]
        torch.testing.assert_close(target.energy, 1e-6 * usual.square().sum().view(1))
        assert target.relative_error(usual).item() == pytest.approx(1e6)


def test_two_empty_images_agree(blind: FeatureExtractor) -> None:
    black = torch.zeros(1, 3, 24, 32)
    content, style = read_content(blind, black, recipe()), read_style(blind, [black], recipe())
    errors: list[Tensor] = [
        *(t.relative_error(t.value) for t in content_targets(content, style).values()),
        *(t.relative_error(t.value) for t in style_targets(content, style).values()),
    ]
    assert [error.item() for error in errors] == [0.0] * 4
