"""From a painted picture to the file of a result."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nstcli import images
from nstcli.engine.colors import finished
from nstcli.engine.pyramid import resized
from nstcli.results.records import digests_by_role
from nstcli.run.job import Job
from nstcli.run.loader import Loaded
from nstcli.run.pixels import tensor_of
from nstcli.version import VERSION


def finished_pixels(image: Tensor, job: Job, loaded: Loaded) -> images.Levels:
    """Make the pixels of a result, (H, W, 3), of what was painted, (1, 3, h, w) in [0, 1]."""
    seen, photo = loaded.scales[-1], loaded.content
    content = seen.content.image
    if image.shape[-2:] != (photo.height, photo.width):
        image = resized(image, photo.height, photo.width, job.settings.recipe.wraps)
        content = tensor_of(photo).to(image)
    picture = finished(image, content, seen.artworks, job.settings.recipe)
    return levels_of(picture, job.settings.form.bits)


def levels_of(image: Tensor, bits: int = 8) -> images.Levels:
    """Round (1, 3, H, W) in [0, 1] to (H, W, 3) of levels of 8 or 16 bits."""
    levels = image[0].mul(2**bits - 1).round().permute(1, 2, 0)
    if bits == 16:
        return np.ascontiguousarray(levels.cpu().numpy().astype(np.uint16))
    return np.ascontiguousarray(levels.byte().cpu().numpy())


def encoded(
    job: Job,
    rgb: images.Levels,
    alpha: NDArray[np.uint8] | None,
    *,
    on_its_way: bool = False,
) -> bytes:
    """Make the file of a result of its pixels (H, W, 3) and its transparency, uint8 (H, W).

    Args:
        job: which says in which form, and what the file tells of itself.
        rgb: uint8, or uint16 for a form of 16 bits.
        alpha: None where everything is opaque.
        on_its_way: it is no result yet, and shall not pass for one.

    Raises:
        InputError: its format cannot hold so large an image.
    """
    form = job.settings.form
    metadata = {}
    if form.metadata:
        metadata = {"Software": f"nst {VERSION}"} if on_its_way else _metadata_of(job)
    if alpha is not None and form.format != "jpg":  # which shows what was painted over white
        rgb = images.off_white(rgb, alpha)
    return images.encode(rgb, alpha, form.format, form.quality, metadata)


def _metadata_of(job: Job) -> dict[str, str]:
    """Say in a result itself how it was made; nothing of paths or time, which vary."""
    digests = digests_by_role(job.inputs)
    made = {
        "key": job.key,
        **{f"{role}_sha256": digest for role, digest in digests.items()},
        "recipe": job.settings.recipe.effective(),
    }
    return {"Software": f"nst {VERSION}", "nst": json.dumps(made, sort_keys=True)}
