"""Metadata in picture files: who made them, and from which recipe.

PNG has a text chunk for each entry. The others have EXIF or TIFF tags, whose text is ASCII by
definition: there, all entries stand as one ASCII JSON object in UserComment (TIFF:
ImageDescription), and "Software" a second time in the tag that other programs show.
"""

import json
from collections.abc import Mapping
from typing import Any

from PIL import Image, PngImagePlugin

from backbones.safe_json import parse_json
from nstcli.images.decoding import BROKEN, open_image
from nstcli.images.pillow_settings import reading

IMAGE_DESCRIPTION = 0x010E
SOFTWARE = 0x0131
_EXIF_IFD = 0x8769
_USER_COMMENT = 0x9286
_ASCII = b"ASCII\x00\x00\x00"  # UserComment starts with the code of its characters


def as_png(metadata: Mapping[str, str]) -> PngImagePlugin.PngInfo:
    """One text chunk per entry: tEXt, or iTXt where Latin-1 does not hold the value."""
    info = PngImagePlugin.PngInfo()
    for key, value in metadata.items():
        # A lone surrogate (from a file name that is not UTF-8) has no UTF-8 form. As \udc80 it
        # stays readable, and inside a JSON string it even means the same.
        info.add_text(key, value.encode("utf-8", "backslashreplace").decode("utf-8"))
    return info


def as_exif(metadata: Mapping[str, str]) -> bytes:
    """Encode EXIF for JPEG and WebP; b"" for no metadata, so that no empty block is written."""
    if not metadata:
        return b""
    exif = Image.Exif()
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = _ASCII + json.dumps(dict(metadata)).encode()
    exif.update(_software(metadata))
    return exif.tobytes()


def as_tiff(metadata: Mapping[str, str]) -> dict[int, str]:
    """TIFF tags; Pillow does not write an EXIF directory into a compressed TIFF."""
    if not metadata:
        return {}
    return {IMAGE_DESCRIPTION: json.dumps(dict(metadata)), **_software(metadata)}


def read_metadata(data: bytes) -> dict[str, str]:
    """Read the texts that `encode` put into a file; {} when there are none or it is no image.

    From the file of another program: the text chunks of a PNG, else "Software" if it says so.
    The pixels are not decoded, so that it is quick and no size is too large.
    """
    try:
        with reading():
            image = open_image(data)
            if image.format == "PNG":
                # Every text, and nothing else, is a str there.
                return {str(k): str(v) for k, v in image.info.items() if isinstance(v, str)}
            return _from_tags(image.getexif())
    except BROKEN:
        return {}


def read_made(data: bytes) -> dict[str, Any]:
    """Read what a result of ours says of how it was made; {} of any other file."""
    try:
        made = parse_json(read_metadata(data).get("nst", "{}"))
    except ValueError:
        return {}
    return made if isinstance(made, dict) else {}


def _software(metadata: Mapping[str, str]) -> dict[int, str]:
    if "Software" not in metadata:
        return {}
    return {SOFTWARE: metadata["Software"].encode("ascii", "replace").decode("ascii")}


def _from_tags(exif: Image.Exif) -> dict[str, str]:
    for value in (exif.get_ifd(_EXIF_IFD).get(_USER_COMMENT), exif.get(IMAGE_DESCRIPTION)):
        found = _parse(value)
        if found:
            return found
    software = exif.get(SOFTWARE)
    return {"Software": software} if isinstance(software, str) else {}


def _parse(value: Any) -> dict[str, str]:
    """Read our JSON object of strings; {} for what is none."""
    if isinstance(value, bytes):
        value = value.removeprefix(_ASCII)
    try:
        found = parse_json(value)
    except (TypeError, ValueError):
        return {}
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        return {}
    return found
