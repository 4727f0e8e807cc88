import math
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

import backbones
from backbones.hooks import FeatureExtractor
from nstcli.engine import cgroups, memory
from nstcli.engine.memory import (
    TensorBytes,
    advice,
    free_bytes,
    largest_size,
    measure_tensors,
    needs,
)
from nstcli.engine.precision import BFLOAT16, adapted, arranged
from nstcli.recipe import DEFAULT, resolve
from tests import tiny
from tests.nstcli.engine.scene import recipe

ROOT = Path(__file__).parents[3]


def test_tensors_are_added_up_while_they_are_there() -> None:
    with TensorBytes() as there:
        first = torch.ones(100)
        first[:50].add_(1)  # a view has no memory of its own
        assert there.now == 400
        second = first * 2
        del first
        assert (there.now, there.peak) == (400, 800)
    del second
    assert there.now == 0


def test_what_autograd_keeps_is_measured(extractor: FeatureExtractor) -> None:
    """Counted by hand for the tiny network, in float32 values per pixel of the image.

    When the backward pass begins, there are: the content (3) with its target (12/4), the picture
    (3), the prepared one (3), each ReLU's output (8, 12/4, 16/16), each pool's output (8/4, 12/16)
    with int64 indices of twice its size, and the difference that the content term squares (12/4).
    Of style layers come gradients before anything is let go: 8, 12/4 and 16/16.
    """
    _, optimizing, _, pixels = measure_tensors(extractor, recipe())
    images, activations = 3 + 3 + 3, 8 + 12 / 4 + 16 / 16 + 8 / 4 + 12 / 16
    indices, content = 2 * (8 / 4 + 12 / 16), 12 / 4 + 12 / 4
    least = 4 * (images + activations + indices + content + 8 + 12 / 4 + 16 / 16)
    assert least < optimizing.peak / pixels < 1.25 * least


def test_networks_that_look_at_their_content_are_measured_too() -> None:
    class Looks(nn.ReLU):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x if x.max().item() > 0 else x + 1)

    network = tiny.build()
    assert isinstance(network, nn.Sequential)
    usual = needs(FeatureExtractor(tiny.TINY, tiny.build(), tiny.IMAGENET), recipe())
    network[1] = Looks()
    found = needs(FeatureExtractor(tiny.TINY, network, tiny.IMAGENET), recipe())
    assert found.painting == pytest.approx(usual.painting, rel=0.1)
    assert found.reading == pytest.approx(usual.reading, rel=0.1)


def test_half_precision_and_shallow_layers_need_less(
    extractor: FeatureExtractor, tmp_path: Path
) -> None:
    full = needs(extractor, recipe(content_layers="relu1"))
    shallow = needs(extractor, recipe(content_layers="relu1", style_layers="relu1"))
    half, _ = arranged(extractor, recipe(), BFLOAT16.dtype, tmp_path)
    less = needs(half, recipe(content_layers="relu1"))
    assert less.painting < full.painting
    assert less.reading < full.reading
    assert shallow.painting < full.painting
    assert less.fixed == full.fixed / 2 == 2 * sum(p.numel() for p in extractor.parameters())


def test_the_content_term_counts(extractor: FeatureExtractor) -> None:
    """Its target at relu1, the difference from it and a gradient, 8 float32 values each."""
    deep, shallow = (needs(extractor, recipe(content_layers=name)) for name in ("relu3", "relu1"))
    assert shallow.painting - deep.painting > 1.2 * 3 * (8 - 16 / 16) * 4


def test_lbfgs_remembers_more_than_adam(extractor: FeatureExtractor) -> None:
    more = needs(extractor, recipe(optimizer="lbfgs")).painting
    assert more - needs(extractor, recipe(optimizer="adam")).painting == pytest.approx(19 * 12)
    longer = needs(extractor, recipe(optimizer="lbfgs", history=25)).painting
    assert longer - more == pytest.approx(2 * 15 * 12)


def test_what_padding_copies_is_foretold() -> None:
    """What a pool is given is kept for the backward pass, beside the activations themselves."""
    backbone = backbones.get("squeezenet")
    usual, wraps = (
        resolve(backbone, "0" * 64, {**DEFAULT, "padding": padding})
        for padding in ("own", "circular")
    )
    extractor = FeatureExtractor(backbone, backbone.build(), tiny.IMAGENET)
    before = needs(extractor, usual).painting
    assert needs(adapted(extractor, wraps), wraps).painting > 1.05 * before


def test_a_content_needs_no_less_than_to_be_read(extractor: FeatureExtractor) -> None:
    flat = needs(extractor, recipe(content_weight=0, style_weight=0, tv_weight=1, optimizer="adam"))
    assert flat.painting >= flat.reading > 0


# Makes a pair in a process of its own; prints the peak above what was there before, and what was
# foretold, in MiB.
_PEAK = """
import sys, torch
from backbones.hooks import FeatureExtractor
from nstcli.engine.memory import keep_freed_memory, kept_bytes, needs, peak_bytes
from nstcli.engine.stylize import stylize
from tests import tiny
from tests.nstcli.engine.scene import recipe, scales
import psutil
keep_freed_memory()
height, content_layers = int(sys.argv[1]), sys.argv[2]
asked = recipe(scales=1, steps=2, size=512, content_layers=content_layers)
extractor = FeatureExtractor(tiny.TINY, tiny.build(), tiny.IMAGENET)
def make(height, width, style):
    content, style = torch.rand(1, 3, height, width), torch.rand(1, 3, style, style)
    stylize(extractor, scales(extractor, asked, content, style), asked)
make(32, 32, 32)
found = needs(extractor, asked)
before = psutil.Process().memory_info().rss - kept_bytes()
make(height, 512, 512)
peak = peak_bytes(torch.device("cpu")) - before
foretold = found.fixed + max(found.painting * height * 512, found.reading * 512**2)
print(peak / 2**20, foretold / 2**20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="about this allocator")
@pytest.mark.parametrize(("height", "layers"), [(384, "relu2"), (384, "relu1"), (16, "relu2")])
def test_what_is_foretold_is_what_is_needed(height: int, layers: str) -> None:
    """The last case is a strip, beside whose style it counts for little."""
    command = [sys.executable, "-c", _PEAK, str(height), layers]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    peak, foretold = map(float, ended.stdout.split())
    # What a process of its own takes here and there is more than a tenth of so little.
    assert 0.5 * foretold < peak < 1.1 * foretold + 16


@pytest.mark.parametrize(
    ("longest", "needed", "free", "expected"),
    [(2048, 16e9, 4e9, 1024), (2048, 16e9, 3.9e9, 1008), (512, 1e9, 0, 0), (100, 1e9, 1e9, 96)],
)
def test_the_largest_size_that_fits(
    longest: int, needed: float, free: float, expected: int
) -> None:
    def needs(pixels: float) -> float:
        return needed * pixels / longest**2

    assert largest_size(longest // 2, longest, needs, free / 2) == expected


def test_no_size_is_advised_that_no_network_can_see() -> None:
    assert advice(32, 32, "cpu") == "try --size 32"
    assert advice(16, 32, "cpu") == "close other programs, or allow more --memory"
    assert advice(16, 32, "cuda:0") == "close other programs"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Tell what is free where there is so much memory, in bytes."""

    def free(
        total: int, available: int, rss: int = 0, kept: int = 0, share: float = math.inf
    ) -> int:
        system = SimpleNamespace(total=total, available=available)
        process = SimpleNamespace(memory_info=lambda: SimpleNamespace(rss=rss))
        monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: system)
        monkeypatch.setattr(memory.psutil, "Process", lambda: process)
        monkeypatch.setattr(memory, "kept_bytes", lambda: kept)
        return free_bytes(torch.device("cpu"), share)

    monkeypatch.setattr(cgroups, "_PROCESS", tmp_path / "no-proc")
    return free


def test_what_is_kept_is_free_but_never_more_than_there_is(machine: Callable[..., int]) -> None:
    assert machine(1000, 300) == 300
    assert machine(1000, 300, rss=600, kept=500) == 800
    assert machine(1000, 900, rss=600, kept=500) == 1000


def test_a_share_is_what_a_process_may_take_with_what_it_has(machine: Callable[..., int]) -> None:
    assert machine(1000, 900, rss=200, share=500) == 300
    assert machine(1000, 900, rss=400, kept=200, share=500) == 300
    assert machine(1000, 200, rss=200, share=500) == 200  # others took more than theirs
    assert machine(1000, 900, rss=600, share=500) == 0


# Takes, touches and frees memory as a step does; prints how much less and more is free, in MiB. On
# a machine where nobody else takes or frees any, in no container, where others may.
_FREED = """
from types import SimpleNamespace
import psutil, torch
from nstcli.engine import memory
from nstcli.engine.memory import keep_freed_memory
from nstcli.engine.memory import free_bytes
total, own = 2**40, psutil.Process()
memory.psutil.virtual_memory = lambda: SimpleNamespace(
    total=total, available=total - own.memory_info().rss
)
memory.left_by_groups = lambda kept: total
keep_freed_memory()
cpu = torch.device("cpu")
before = free_bytes(cpu)
taken = torch.ones(2**26)
during = free_bytes(cpu)
del taken
print((before - during) / 2**20, (free_bytes(cpu) - during) / 2**20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about glibc")
def test_memory_that_was_freed_is_free_again() -> None:
    command = [sys.executable, "-c", _FREED]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    taken, back = map(float, ended.stdout.split())
    assert (taken, back) == (pytest.approx(256, abs=100), pytest.approx(256, abs=100))
