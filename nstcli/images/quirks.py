"""What Pillow reads wrong, or not at all; most is put right between a file's header and pixels."""

from __future__ import annotations

import io

from PIL import Image, ImageFile, ImagePalette, TiffImagePlugin

# Tags of TIFF.
_WIDTH, _BITS, _PHOTOMETRIC, _STRIPS = 256, 258, 262, 273
_HEIGHT, _SAMPLES, _PLANES, _COLORMAP = 257, 277, 284, 320
_TILES, _EXTRA, _SAMPLE_FORMAT = 324, 338, 339

_PLANAR, _PREMULTIPLIED = 2, 1
_KINDS = {1: "unsigned", 2: "signed", 3: "float"}

# libtiff hands out numbers in the order of the machine; Pillow takes it for that of the file.
_NATIVE = {"I;16BS": "I;16NS", "I;32BS": "I;32NS", "F;32BF": "F;32NF"}

# The gray that 1 of so many bits becomes; Pillow compares that to the transparent level as it is.
_STEPS = {"L;2": 85, "L;4": 17}


def mend(image: Image.Image) -> list[str]:
    """Prepare an image that is open and not loaded, so that its pixels come out right -> notes.

    Raises:
        NotImplementedError: they would not, whatever is done; the message says what they are.
    """
    if not isinstance(image, ImageFile.ImageFile) or not image.tile:
        return []
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _mend_numbers(image)
        return _mend_palette(image)
    if image.format == "PNG":
        _mend_transparency(image)
    return []


def unknown_samples(data: bytes) -> str | None:
    """Describe the samples of a TIFF that is whole and that Pillow has no way to read; else None.

    Raises:
        OSError, SyntaxError, ValueError and the like: there are no tags to read.
    """
    header = data[: 16 if data[2:4] in (b"+\0", b"\0+") else 8]
    if not header.startswith(tuple(TiffImagePlugin.PREFIXES)):
        return None
    tags = TiffImagePlugin.ImageFileDirectory_v2(header)
    file = io.BytesIO(data)
    file.seek(tags.next)
    tags.load(file)
    if _WIDTH not in tags or not (_STRIPS in tags or _TILES in tags):
        return None
    bits, layout = tuple(tags.get(_BITS, (1,))), tags.get(_PHOTOMETRIC, 0)
    kinds = tuple(dict.fromkeys(tags.get(_SAMPLE_FORMAT, (1,))))
    for prefix, photometric, sample_format, _, depths, _ in TiffImagePlugin.OPEN_INFO:
        if (prefix, photometric, sample_format, depths) == (tags.prefix, layout, kinds, bits):
            return None  # so it is something else, such as damage
    words = "/".join(_KINDS.get(kind, "foreign") for kind in kinds)
    depth = "/".join(str(n) for n in dict.fromkeys(bits))
    return f"{tags.get(_SAMPLES, 1)} × {depth} bits a pixel, {words}, photometric {layout}"


def _mend_numbers(image: TiffImagePlugin.TiffImageFile) -> None:
    """Numbers of several bytes: their order, and planes of them."""
    tags = image.tag_v2
    if tags.get(_SAMPLES, 1) == 1 and tags.get(_PLANES, 1) != 1:
        tags[_PLANES] = 1  # one plane is all there is; Pillow would forget its depth and order
        image._setup()
    tile = image.tile[0]
    planar = tags.get(_PLANES, 1) == _PLANAR
    args = tile.args if isinstance(tile.args, tuple) else (tile.args,)
    if tile.codec_name == "libtiff" and args[0] in _NATIVE:
        image.tile = [tile._replace(args=(_NATIVE[args[0]], *args[1:]))]
    elif planar and tile.codec_name != "libtiff" and 16 in tags.get(_BITS, ()):
        # Pillow's own decoder takes each plane for one of 8 bits; libtiff does it right.
        mode = "RGBa" if _PREMULTIPLIED in tags.get(_EXTRA, ()) else image.mode
        whole = (0, 0, tags[_WIDTH], tags[_HEIGHT])
        image.use_load_libtiff = True
        image.tile = [
            ImageFile._Tile("libtiff", whole, 0, (f"{mode};16N", False, tags.offset)),
        ]
    elif planar and image.mode in ("LA", "La"):
        raise NotImplementedError("gray and alpha lie in planes of their own")


def _mend_palette(image: TiffImagePlugin.TiffImageFile) -> list[str]:
    """Entries of a palette have 16 bits; some programs write them with 8, as libtiff knows, too."""
    entries = image.tag_v2.get(_COLORMAP, ())
    if image.mode not in ("P", "PA") or not entries or not 0 < max(entries) < 256:
        return []
    image.palette = ImagePalette.raw("RGB;L", bytes(entries))
    return ["its palette has no entry above 255 of 65535, and was taken for one of 8 bits"]


def _mend_transparency(image: ImageFile.ImageFile) -> None:
    """The transparent colour of a PNG, which has the depth of the file, gets that of the pixels."""
    raw, clear = image.tile[0].args, image.info.get("transparency")
    if isinstance(clear, int) and isinstance(raw, str) and raw in _STEPS:
        image.info["transparency"] = clear * _STEPS[raw]
    elif isinstance(clear, tuple) and raw == "RGB;16B":
        image.info["transparency"] = tuple(level >> 8 for level in clear)
