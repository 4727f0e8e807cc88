"""Judges that need no download, under the names of those that are asked for."""

from dataclasses import replace
from typing import Any

from backbones.hooks import FeatureExtractor
from nstcli.metrics.judge import Judge
from tests import tiny
from tests.nstcli.metrics.tiny_judge import perceptual


def judge(name: str, *_: Any, **__: Any) -> Judge:
    """Make a judge of the tiny network that has this name."""
    network = tiny.build()
    network.load_state_dict(tiny.random_state(5))
    extractor = FeatureExtractor(replace(tiny.TINY, name=name), network, tiny.IMAGENET)
    return Judge(extractor, perceptual(extractor))
