"""Which device, how many pairs at once, how many threads."""

import loky
import pytest
import torch

from nstcli.engine.device import at_once, choose, described, share_cores
from nstcli.errors import InputError


def test_the_cpu_is_always_there() -> None:
    assert choose("cpu") == "cpu"
    assert choose("auto") in {"cpu", "mps", "cuda:0"}


def test_a_gpu_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [choose(name) for name in ("auto", "cuda", "cuda:1")] == ["cuda:0", "cuda:0", "cuda:1"]
    with pytest.raises(InputError, match="no device 'cuda:2' here; there are: auto, cuda:0, "):
        choose("cuda:2")


@pytest.mark.parametrize(
    ("device", "wanted", "expected"),
    [("cpu", None, 1), ("cuda:0", None, 8), ("mps", None, 8), ("cpu", 3, 3), ("cuda:0", 2, 2)],
)
def test_pairs_at_once(device: str, wanted: int | None, expected: int) -> None:
    assert at_once(device, wanted) == expected


@pytest.mark.parametrize(("workers", "expected"), [(1, 6), (2, 3), (4, 1), (9, 1)])
def test_a_workers_share_of_what_a_container_may_use(
    monkeypatch: pytest.MonkeyPatch, workers: int, expected: int
) -> None:
    set_to: list[int] = []
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    monkeypatch.setattr(loky, "cpu_count", lambda: 6)
    monkeypatch.setattr(torch, "set_num_threads", set_to.append)
    share_cores(workers)
    assert set_to == [expected]


def test_threads_that_the_user_sets_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setattr(torch, "set_num_threads", lambda _: pytest.fail("set"))
    share_cores(2)


@pytest.mark.parametrize(("threads", "expected"), [(1, "cpu (1 thread)"), (2, "cpu (2 threads)")])
def test_the_processor_is_told_with_its_threads(
    monkeypatch: pytest.MonkeyPatch, threads: int, expected: str
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert described("cpu") == expected
    assert described("cuda:1") == "cuda:1"
