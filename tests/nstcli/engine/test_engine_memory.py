import gc
from pathlib import Path
from typing import Any

import pytest
import torch

from backbones.hooks import FeatureExtractor
from nstcli.engine import memory
from nstcli.engine.memory import bytes_per_pixel, free_bytes, largest_size
from nstcli.engine.precision import BFLOAT16, FLOAT32, arranged
from tests.nstcli.engine.scene import recipe


def test_activations_are_weighed_by_what_autograd_keeps(extractor: FeatureExtractor) -> None:
    """Counted by hand for the tiny network, in float32 bytes per pixel of the image.

    Kept are the prepared image (3), each ReLU's output (8, 12/4, 16/16), each pool's output
    (8/4, 12/16) with int64 indices of twice its size; the largest, relu1, is there thrice more.
    The pools' inputs are the ReLUs' outputs, and no convolution's output is kept.
    """
    asked = recipe(optimizer="adam")
    floats = 3 + 8 + 12 / 4 + 16 / 16 + 8 / 4 + 12 / 16
    indices = 2 * (8 / 4 + 12 / 16)
    expected = 4 * (floats + indices + 3 * 8) + 7 * 12 + 340
    assert bytes_per_pixel(extractor, asked) == pytest.approx(expected, rel=0.06)


def test_half_precision_and_shallow_layers_need_less(
    extractor: FeatureExtractor, tmp_path: Any
) -> None:
    full = bytes_per_pixel(extractor, recipe())
    shallow = bytes_per_pixel(extractor, recipe(content_layers="relu1", style_layers="relu1"))
    half, _ = arranged(extractor, recipe(), BFLOAT16.dtype, tmp_path)
    assert bytes_per_pixel(half, recipe()) < full
    assert shallow < full
    assert FLOAT32.dtype == "float32"


def test_lbfgs_remembers_more_than_adam(extractor: FeatureExtractor) -> None:
    more = bytes_per_pixel(extractor, recipe(optimizer="lbfgs"))
    assert more - bytes_per_pixel(extractor, recipe(optimizer="adam")) == pytest.approx(23 * 12)


@pytest.mark.parametrize(
    ("longest", "needed", "free", "expected"),
    [(2048, 16e9, 4e9, 1024), (2048, 16e9, 3.9e9, 1008), (512, 1e9, 0, 16), (100, 1e9, 1e9, 96)],
)
def test_the_largest_size_that_fits(
    longest: int, needed: float, free: float, expected: int
) -> None:
    assert largest_size(longest, needed, free) == expected


def test_free_memory_is_known() -> None:
    gc.collect()
    assert 2**20 < free_bytes(torch.device("cpu")) < 2**50


@pytest.mark.parametrize(
    ("limit", "expected"), [("max", None), ("3000000", 3_000_000 - 1_000_000 + 400_000), ("5", 0)]
)
def test_a_container_has_what_its_limit_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, expected: int | None
) -> None:
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    unlimited = free_bytes(torch.device("cpu"))
    used = 1_000_000 if limit != "5" else 5_000_000
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text(f"{used}\n")
    (tmp_path / "memory.stat").write_text("anon 600000\ninactive_file 400000\n")
    free = free_bytes(torch.device("cpu"))
    if expected is None:
        assert free > unlimited / 2
    else:
        assert free == expected
