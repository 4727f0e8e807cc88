"""How a judge gets its networks: with or without the net, and who hears of downloads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from backbones import Backbone, WeightSet, weights
from backbones.hooks import FeatureExtractor
from backbones.spec import Companion, Progress


@dataclass(frozen=True)
class Loader:
    """Gets weights, downloading what is not cached.

    Attributes:
        offline: download nothing.
        progress: is given the name of what is downloaded.
    """

    offline: bool = False
    progress: Callable[[str], Progress] | None = None

    def network(self, backbone: Backbone, weight_set: WeightSet | None = None) -> FeatureExtractor:
        """Load a backbone with a weight set, its default one for None.

        Raises:
            BackboneError: the weights cannot be had.
        """
        chosen = weight_set or backbone.weight_set()
        shown = self._shown(weights.title(backbone, chosen))
        return FeatureExtractor.load(backbone, chosen, offline=self.offline, progress=shown)

    def tensors(self, companion: Companion) -> Mapping[str, Tensor]:
        """Load the state dict of a companion.

        Raises:
            BackboneError: the weights cannot be had.
        """
        chosen = companion.weight_sets[0]
        shown = self._shown(weights.title(companion, chosen))
        return weights.load(companion, chosen, offline=self.offline, progress=shown).tensors

    def _shown(self, title: str) -> Progress | None:
        return self.progress(title) if self.progress else None
