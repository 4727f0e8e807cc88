"""Pictures that a user of the library has in memory: Pillow images, arrays, tensors."""

import io
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nstcli.errors import InputError
from nstcli.images.decoding import BROKEN, decode
from nstcli.images.encoding import encode
from nstcli.images.picture import Levels
from nstcli.images.pillow_settings import reading

# For those who may name it, but not know Pillow.
PillowImage = Image.Image

# What PNG holds as it is. TIFF holds the others, but for these, which only Pillow knows.
_PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}
_NO_FILE = {"PA": "RGBA", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "HSV": "RGB"}


def file_of(picture: object) -> bytes:
    """Encode a picture without loss, so that it is read like any file.

    Args:
        picture: a Pillow image; an array (H, W, 3), uint8 or float in [0, 1]; or a tensor
            (3, H, W) or (1, 3, H, W), likewise.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(picture, PillowImage):
        return _of_image(picture)
    if isinstance(picture, np.ndarray):
        return encode(_of_array(picture))
    torch = sys.modules.get("torch")  # who has a tensor has imported it
    if torch and isinstance(picture, torch.Tensor):
        return encode(_of_tensor(picture))
    raise InputError(
        f"a picture is a path, a Pillow image, an array or a tensor, not {type(picture).__name__}"
    )


def map_file_of(picture: object) -> bytes:
    """Encode a map without loss: a picture, or an array or tensor of its gray levels alone.

    Args:
        picture: as `file_of` takes it; or an array (H, W), uint8, float in [0, 1] or bool; or a
            tensor (H, W), (1, H, W) or (1, 1, H, W), likewise.

    Raises:
        InputError: it is none of these.
    """
    torch = sys.modules.get("torch")
    if torch and isinstance(picture, torch.Tensor) and set(picture.shape[:-2]) <= {1}:
        values: Any = picture.detach().cpu().reshape(picture.shape[-2:])
        # NumPy has no bfloat16.
        picture = (values.float() if values.is_floating_point() else values).numpy()
    if isinstance(picture, np.ndarray) and picture.ndim == 2:
        levels = picture.astype(float) if picture.dtype == np.bool_ else picture
        picture = np.repeat(levels[..., None], 3, axis=2)
    return file_of(picture)


def image_of(data: bytes) -> PillowImage:
    """Decode a result as a Pillow image, RGB or, with the content's transparency, RGBA."""
    with reading(), Image.open(io.BytesIO(data)) as image:
        return image.convert("RGBA" if "A" in image.getbands() else "RGB")


def array_of(data: bytes, bits: int = 8) -> Levels:
    """Decode a result as (H, W, 3), uint8 or uint16: what is seen of it over white."""
    if bits == 8:
        return decode(data, "result", sys.maxsize).rgb
    from nstcli.images.deep import levels_of

    levels = levels_of(data)
    if levels.shape[2] == 3:
        return levels
    opacity = levels[..., 3:].astype(np.int64)
    seen = levels[..., :3] * opacity + 65535 * (65535 - opacity)
    return ((seen + 32767) // 65535).astype(np.uint16)


def _of_image(image: PillowImage) -> bytes:
    if min(image.size) < 1:
        raise InputError("the picture has no pixels")
    file, known = io.BytesIO(), {}
    for name in ("icc_profile", "exif"):
        if name in image.info:
            known[name] = image.info[name]
    try:
        with reading():  # one that was opened and not yet loaded is decoded now
            if image.mode in _NO_FILE:
                image = image.convert(_NO_FILE[image.mode])
            image.save(file, "PNG" if image.mode in _PNG_MODES else "TIFF", **known)
    except BROKEN as error:
        raise InputError(f"the Pillow image cannot be read: {error}") from error
    return file.getvalue()


def _of_tensor(tensor: Any) -> NDArray[np.uint8]:
    shape, kind = tuple(tensor.shape), str(tensor.dtype).removeprefix("torch.")
    if len(shape) not in {3, 4} or shape[-3] != 3 or shape[:-3] not in {(), (1,)} or 0 in shape:
        raise InputError(f"a tensor is (3, H, W) or (1, 3, H, W), not {shape}")
    values = tensor.detach().cpu()
    values = values.float() if tensor.is_floating_point() else values  # NumPy has no bfloat16
    return _of_values(np.moveaxis(values.numpy().reshape(shape[-3:]), 0, -1), "a tensor", kind)


def _of_array(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.ndim != 3 or array.shape[2] != 3 or array.size == 0:
        raise InputError(f"an array is (H, W, 3), not {array.shape}")
    return _of_values(array, "an array", str(array.dtype))


def _of_values(values: NDArray[Any], what: str, kind: str) -> NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return values
    if not np.issubdtype(values.dtype, np.floating):
        raise InputError(f"{what} is uint8, or float in [0, 1], not {kind}")
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise InputError("values of a float picture are in [0, 1]")
    return (values * 255).round().astype(np.uint8)
