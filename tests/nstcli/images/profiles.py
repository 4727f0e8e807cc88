"""ICC profiles made from numbers, and what colours they mean, worked out without LittleCMS."""

import itertools
import struct

import numpy as np

# Primaries as columns, linear RGB -> XYZ relative to D50, the white of every ICC profile.
SRGB = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
ADOBE_RGB = np.array(
    [
        [0.6097559, 0.2052401, 0.1492240],
        [0.3111242, 0.6256560, 0.0632197],
        [0.0194811, 0.0608902, 0.7448387],
    ]
)
DISPLAY_P3 = np.array(
    [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
)
D50 = np.array([0.9642, 1.0, 0.8249])


def fixed(*numbers: float) -> bytes:
    return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)


def xyz(*numbers: float) -> bytes:
    return b"XYZ \0\0\0\0" + fixed(*numbers)


def gamma(power: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(power * 256)) + b"\0\0"


def profile(space: bytes, kind: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A minimal ICC version 2 profile."""
    tags = {b"wtpt": xyz(*D50), **tags}
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", offset + len(body), len(value))
        body += value
    size = offset + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"\0" * 4, 0x02100000, kind, space, pcs)
    head += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + b"\0" * 28 + fixed(*D50)
    return head.ljust(128, b"\0") + table + body


def srgb_curve(entries: int) -> bytes:
    """The curve as a table, as the profiles of cameras and old programs have it."""
    v = np.linspace(0, 1, entries)
    linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    values = np.rint(linear * 65535).astype(">u2").tobytes()
    return b"curv\0\0\0\0" + struct.pack(">I", entries) + values


def rgb_profile(primaries: np.ndarray, power: float, curve: bytes = b"") -> bytes:
    tags = {name: xyz(*primaries[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve or gamma(power))
    return profile(b"RGB ", b"mntr", b"XYZ ", tags | curves)


def gray_profile(power: float) -> bytes:
    return profile(b"GRAY", b"mntr", b"XYZ ", {b"kTRC": gamma(power)})


def ink_lab(inks: tuple[int, int, int, int]) -> tuple[float, float, float]:
    """The Lab of fully printed inks, of an imaginary press that is easy to compute."""
    c, m, y, k = inks
    light = 100 * (1 - 0.4 * c) * (1 - 0.4 * m) * (1 - 0.1 * y) * (1 - k)
    return light, 25 * (m - c) * (1 - k), 25 * (y - 0.5 * c) * (1 - k)


def cmyk_profile() -> bytes:
    identity = bytes(range(256))
    nodes = b""
    for inks in itertools.product((0, 1), repeat=4):
        light, a, b = ink_lab(inks)
        nodes += bytes((round(light * 2.55), round(a + 128), round(b + 128)))
    lut = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    return profile(b"CMYK", b"prtr", b"Lab ", {b"A2B0": lut + identity * 4 + nodes + identity * 3})


def srgb_from_xyz(values: np.ndarray) -> np.ndarray:
    linear = np.clip(values @ np.linalg.inv(SRGB).T, 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(curved * 255).astype(int)


def srgb_from_lab(light: float, a: float, b: float) -> np.ndarray:
    y = (light + 16) / 116
    f = np.array([y + a / 500, y, y - b / 200])
    return srgb_from_xyz(np.where(f > 6 / 29, f**3, (f - 4 / 29) * 3 * (6 / 29) ** 2) * D50)
