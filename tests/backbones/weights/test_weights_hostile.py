"""Weights files that would take the machine, or break torch: each is one clear error, at once.

Every reading is done in a process with little memory and time, so that a fault fails the test.
"""

import io
import itertools
import pickle
import subprocess
import sys
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backbones import BackboneError, weights
from backbones.weights import pickles, readers
from tests.backbones.weights import weights_tiny as tiny

TINY = tiny.backbone(tiny.weight_set(tiny.package_file(b"", b"")))

# Reads each file with 1 GB of address space beyond what torch takes, and a minute for all.
READ = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import torch
from backbones import BackboneError
from backbones.weights import readers
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 10**9, used + 10**9))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for name in sys.argv[2:]:
    print(name, flush=True)
    try:
        readers.read(Path(name))
    except BackboneError as error:
        assert str(error).startswith(Path(name).name), error
        print(" ", error, flush=True)
"""


def shared(levels: int, tuples: bool) -> bytes:
    """A dict whose key, or value, is 2**levels times the same thing in a few bytes a level."""
    inner = b")" if tuples else b"]"
    for level in range(levels):
        put, get = b"q" + bytes([level]) + b"0", b"h" + bytes([level])
        inner += put + (get + get + b"\x86" if tuples else b"](" + get + get + b"e")
    body = b"}" + (inner + b"K\x01s" if tuples else b"X\x01\x00\x00\x00a" + inner + b"s")
    return b"\x80\x02" + body + b"."


def linked(levels: int) -> bytes:
    """Lists that are put into each other before they are filled, outermost first."""
    listed: list[Any] = [[] for _ in range(levels)]
    for outer, inner in itertools.pairwise(listed):
        outer += [inner, inner]
    return pickle.dumps({"a": listed[0]}, 2)


_ENDLESS = (8 * 10**9).to_bytes(8, "little")

BOMBS = {
    "shared tuples as a key": shared(60, tuples=True),
    "tuples within tuples": b"\x80\x02})" + b"\x85" * 500_000 + b"K\x01s.",
    "a place far out in the memo": b"\x80\x02}r\xff\xff\xff\x7f.",
    "that place, in digits": b"}p2147483647\n.",
    "bytes that do not come": b"\x80\x04\x8e" + _ENDLESS + b"x.",
    "an array of bytes that do not come": b"\x80\x05\x96" + _ENDLESS + b".",
    "a frame that does not come": b"\x80\x04\x95" + _ENDLESS + b"}.",
    "text that does not come": b"\x80\x04\x8d" + _ENDLESS + b"x.",
    "millions of sets": b"\x80\x04(" + b"\x8f" * 20_000_000 + b"t.",
    "a number of endless digits": b"L" + b"9" * 3_000_000 + b"L\n.",
    "a call for room": b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
    "nothing to take": b"\x80\x02\x87.",
    "no mark": b"\x80\x02}u.",
    "a mark as a thing": b"\x80\x02}(K\x01s.",
}  # fmt: skip


def told_within_limits(*paths: Path) -> str:
    """Read the files with 1 GB of memory and a minute; return what is said of them."""
    root = str(Path(__file__).parents[3])
    start = [sys.executable, "-c", READ, root, *map(str, paths)]
    done = subprocess.run(start, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    return done.stdout


def zipped(data: bytes, **how: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **how) as pack:
        pack.writestr("archive/data.pkl", data)
        pack.writestr("archive/version", b"3\n")
    return buffer.getvalue()


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
@pytest.mark.parametrize("suffix", [".pkl", ".pth", "-old.pth"])
def test_a_bomb_is_refused_at_once(tmp_path: Path, suffix: str) -> None:
    paths = [tmp_path / f"w{number}{suffix}" for number in range(len(BOMBS))]
    for path, data in zip(paths, BOMBS.values(), strict=True):
        path.write_bytes(zipped(data) if suffix == ".pth" else data)
    told = told_within_limits(*paths)
    assert told.count("\n  w") == len(BOMBS), told
    assert "memory than" not in told


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
def test_an_archive_that_unpacks_to_more_than_it_is(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(zipped(bytes(2 * 10**8), compression=zipfile.ZIP_DEFLATED))
    assert path.stat().st_size < 3 * 10**5
    assert "would unpack to 200000002; refused" in told_within_limits(path)


def test_shared_lists_are_made_once_and_shared_again(tmp_path: Path) -> None:
    path = tmp_path / "w.pkl"
    for data in (linked(200), shared(200, tuples=False)):
        path.write_bytes(data)
        found = readers.read(path)["a"]
        assert found[0] is found[1]


def test_a_list_in_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pkl"
    endless: list[Any] = []
    endless.append(endless)
    path.write_bytes(pickle.dumps({"a": endless}))
    with pytest.raises(BackboneError, match=r"w\.pkl is a damaged pickle"):
        readers.read(path)


def odd_tensors() -> dict[str, torch.Tensor]:
    bias = torch.zeros(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "fp8": bias.to(torch.float8_e4m3fn),
            "fp4": torch.zeros(4, dtype=torch.uint8).view(torch.float4_e2m1fn_x2),
            "sparse": bias.to_sparse(),
            "rows": torch.zeros(2, 2).to_sparse_csr(),
            "meta": bias.to("meta"),
            "nested": torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
            "jagged": torch.nested.nested_tensor([torch.zeros(2)], layout=torch.jagged),
            "quantized": torch.quantize_per_tensor(bias, 0.1, 0, torch.quint8),
            "complex": bias.to(torch.complex64),
            "stretched": torch.zeros(1).expand(10**9, 10**9),
        }


@pytest.mark.parametrize("kind", odd_tensors())
def test_an_odd_tensor_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "my.pth"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path.write_bytes(tiny.saved(tiny.state() | {"features.0.bias": odd_tensors()[kind]}))
    with pytest.raises(BackboneError, match=r"my\.pth does not fit tiny: .*features\.0\.bias is "):
        weights.load(TINY, weights.select(TINY, str(path)))


def test_fp8_in_safetensors_is_named(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "my.safetensors"
    small = {name: tensor.to(torch.float8_e4m3fn) for name, tensor in tiny.state().items()}
    save_file(small, path)
    with pytest.raises(BackboneError, match=r"is a tensor of torch\.float8_e4m3fn, not"):
        weights.load(TINY, weights.select(TINY, str(path)))


def test_state_dicts_of_every_form_are_still_read(tmp_path: Path) -> None:
    path = tmp_path / "my.pth"
    for state in (tiny.state(), OrderedDict(tiny.state()), tiny.Tiny().state_dict()):
        for new in (True, False):
            torch.save(state, path, _use_new_zipfile_serialization=new)
            assert tiny.same(readers.read(path), state)
    many = {f"{n}.weight": torch.zeros(1) for n in range(3000)}
    torch.save({"state": many, "epoch": 3, "random": tuple(range(628))}, path)
    assert len(readers.read(path)["state"]) == 3000


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), new=st.booleans())
def test_no_changed_byte_makes_a_state_dict_more_than_an_error(
    tmp_path: Path, data: st.DataObject, new: bool
) -> None:
    path = tmp_path / "w.pth"
    torch.save(tiny.state(), path, _use_new_zipfile_serialization=new)
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        # A share of the file: how long it is, where it tells of addresses, differs by some bytes.
        at = data.draw(st.integers(0, 2**20)) * len(whole) // (2**20 + 1)
        whole[at] = data.draw(st.integers(0, 255))
    path.write_bytes(whole)
    try:
        weights.load(TINY, weights.select(TINY, str(path)))
    except BackboneError as error:
        assert "w.pth" in str(error)  # noqa: PT017


# Instructions that build things, as bytes a pickle could have.
_INSTRUCTIONS = st.sampled_from(
    [b"}", b"]", b")", b"(", b"N", b"K\x01", b"\x85", b"\x86", b"\x87", b"t", b"l", b"d", b"s",
     b"u", b"a", b"e", b"0", b"1", b"2", b"q\x00", b"q\x01", b"h\x00", b"h\x01", b"\x94", b"b",
     b"X\x01\x00\x00\x00a", b"\x8f", b"\x90", b"\x91", b"R", b"\x81", b"cnumpy\nndarray\n",
     b"cnumpy\ndtype\n", b"cnumpy.core.multiarray\n_reconstruct\n", b"U\x02f4", b"\x93"]
)  # fmt: skip


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(_INSTRUCTIONS, max_size=40))
def test_no_instructions_make_a_pickle_more_than_an_error(
    tmp_path: Path, parts: list[bytes]
) -> None:
    path = tmp_path / "w.pkl"
    path.write_bytes(b"\x80\x02}" + b"".join(parts) + b".")
    try:
        readers.read(path)
    except BackboneError as error:
        assert str(error).startswith("w.pkl ")  # noqa: PT017


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
_KEYS = st.text() | st.tuples(st.text(), st.integers())
_PLAIN = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner) | st.dictionaries(_KEYS, inner) | st.tuples(inner, inner, inner),
)


@settings(max_examples=300)
@given(_PLAIN, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_whatever_pickle_writes_is_let_through(content: object, protocol: int) -> None:
    data = io.BytesIO(pickle.dumps([content, content], protocol))
    pickles.examine(data)
    assert data.read() == b""
