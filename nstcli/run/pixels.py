"""Decoded pictures as tensors."""

import torch
from torch import Tensor

from nstcli.images import Picture


def tensor_of(picture: Picture) -> Tensor:
    """Return the pixels of a picture as (1, 3, H, W) in [0, 1]."""
    # Contiguous from the start, since optimizers look at the picture as one long vector.
    return torch.from_numpy(picture.rgb).permute(2, 0, 1)[None].float().div(255).contiguous()
