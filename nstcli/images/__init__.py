"""Picture files: bytes in, arrays out, and back; the only part of the program that knows Pillow.

No path is opened here. The caller reads and writes files, so that one place decides how a write
stays atomic; the `name` that some functions take is for messages alone.
"""

from nstcli.images.decoding import DEFAULT_MAX_PIXELS, decode, decode_map, size_of
from nstcli.images.encoding import check_edges, encode
from nstcli.images.formats import EXTENSIONS, FORMATS, format_of
from nstcli.images.lettering import draw_text
from nstcli.images.maps import RegionMap, gray, regions, shared_colors
from nstcli.images.marking import marked
from nstcli.images.metadata import read_made, read_metadata
from nstcli.images.picture import (
    Levels,
    Picture,
    cropped,
    cropped_size,
    off_white,
    resize,
    shrunk_size,
)

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "EXTENSIONS",
    "FORMATS",
    "Levels",
    "Picture",
    "RegionMap",
    "check_edges",
    "cropped",
    "cropped_size",
    "decode",
    "decode_map",
    "draw_text",
    "encode",
    "format_of",
    "gray",
    "marked",
    "off_white",
    "read_made",
    "read_metadata",
    "regions",
    "resize",
    "shared_colors",
    "shrunk_size",
    "size_of",
]
