"""Pictures that a user of the library has in memory: Pillow images, arrays, tensors."""

import io
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Image as PillowImage

from nstcli.errors import InputError
from nstcli.images.decoding import decode
from nstcli.images.encoding import encode

__all__ = ["PillowImage", "array_of", "file_of", "image_of"]

# What PNG holds as it is. TIFF holds the others, but for these, which only Pillow knows.
_PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}
_NO_FILE = {"PA": "RGBA", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "HSV": "RGB"}


def file_of(picture: object) -> bytes:
    """Encode a picture without loss, so that it is read like any file.

    Args:
        picture: a Pillow image; an array (H, W, 3), uint8 or float in [0, 1]; or a tensor
            (3, H, W) or (1, 3, H, W) in [0, 1].

    Raises:
        InputError: it is none of these.
    """
    if isinstance(picture, PillowImage):
        return _of_image(picture)
    if isinstance(picture, np.ndarray):
        return encode(_of_array(picture))
    if hasattr(picture, "detach"):  # torch need not be imported to know its tensors
        return encode(_of_tensor(picture))
    raise InputError(
        f"a picture is a path, a Pillow image, an array or a tensor, not {type(picture).__name__}"
    )


def image_of(data: bytes) -> PillowImage:
    """Decode a result as a Pillow image, RGB or, with the content's transparency, RGBA."""
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGBA" if "A" in image.getbands() else "RGB")


def array_of(data: bytes) -> NDArray[np.uint8]:
    """Decode a result as uint8 (H, W, 3): what is seen of it over white."""
    return decode(data, "result", sys.maxsize).rgb


def _of_image(image: PillowImage) -> bytes:
    if min(image.size) < 1:
        raise InputError("the picture has no pixels")
    file, known = io.BytesIO(), {}
    for name in ("icc_profile", "exif"):
        if name in image.info:
            known[name] = image.info[name]
    if image.mode in _NO_FILE:
        image = image.convert(_NO_FILE[image.mode])
    image.save(file, "PNG" if image.mode in _PNG_MODES else "TIFF", **known)
    return file.getvalue()


def _of_tensor(tensor: Any) -> NDArray[np.uint8]:
    values = tensor.detach().cpu().float().numpy()
    if values.ndim == 4 and len(values) == 1:
        values = values[0]
    if values.ndim != 3 or len(values) != 3:
        shape = tuple(tensor.shape)
        raise InputError(f"a tensor is (3, H, W) or (1, 3, H, W), not {shape}")
    return _of_array(np.moveaxis(values, 0, -1))


def _of_array(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise InputError(f"an array is (H, W, 3), not {array.shape}")
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"an array is uint8, or float in [0, 1], not {array.dtype}")
    if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
        raise InputError("values of a float picture are in [0, 1]")
    return (array * 255).round().astype(np.uint8)
