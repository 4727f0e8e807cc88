"""CUDA graphs: an evaluation of many small kernels, recorded once and replayed."""

from collections.abc import Callable

import torch

# Evaluations before the recording: libraries choose their algorithms in the first ones, and the
# loop learns from them what an exploded loss would be.
_EAGER = 3


def replayed(evaluation: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Return what does the same as `evaluation`, on a CUDA device by a recorded graph.

    `evaluation` works on the same tensors at every call, and reads no value back from the device.
    """
    return _Replayed(evaluation, device) if device.type == "cuda" else evaluation


class _Replayed:
    """Calls a function a few times, then records one call of it and replays that."""

    def __init__(self, evaluation: Callable[[], None], device: torch.device):
        self._evaluation = evaluation
        self._device = device
        self._left = _EAGER
        self._graph: torch.cuda.CUDAGraph | None = None
        self._refused = False

    def __call__(self) -> None:
        if self._graph:
            self._graph.replay()
        elif self._left or self._refused:
            self._left = max(0, self._left - 1)
            self._evaluation()
        else:
            self._record()

    def _record(self) -> None:
        """Record; a plugin whose network cannot be recorded goes on without."""
        graph = torch.cuda.CUDAGraph()
        # The one that torch would take is the first GPU's.
        stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        try:
            with torch.cuda.device(self._device), torch.cuda.graph(graph, stream=stream):
                self._evaluation()
        except RuntimeError:
            self._refused = True
            self._evaluation()
            return
        self._graph = graph
        graph.replay()  # recording alone computes nothing
