"""Judges that need no download, under the names of those that are asked for."""

from dataclasses import replace
from typing import Any

from backbones.hooks import FeatureExtractor
from nstcli.metrics.judge import Judge
from tests import tiny
from tests.nstcli.metrics.tiny_judge import of


def judge(name: str, witness: str, *_: Any, **__: Any) -> Judge:
    """Make a judge and a witness of the tiny network that have these names."""
    network = tiny.build()
    network.load_state_dict(tiny.random_state(5))
    extractor = FeatureExtractor(replace(tiny.TINY, name=name), network, tiny.IMAGENET)
    other = FeatureExtractor(replace(tiny.TINY, name=witness), network, tiny.IMAGENET)
    return of(extractor, other)
