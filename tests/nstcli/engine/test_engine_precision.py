import json
from pathlib import Path

import pytest
import torch

from backbones.hooks import FeatureExtractor
from nstcli.engine import precision
from nstcli.engine.precision import BFLOAT16, CANDIDATES, FLOAT32, Precision, arranged
from tests.nstcli.engine.scene import CONTENT, paint, recipe, scales

SLOW = Precision("float32", "contiguous_format")


def test_float32_and_bfloat16_are_taken_at_their_word(
    extractor: FeatureExtractor, tmp_path: Path
) -> None:
    for wanted, expected in (("float32", FLOAT32), ("bfloat16", BFLOAT16)):
        found, which = arranged(extractor, recipe(), wanted, tmp_path / "memory.json")
        assert which == expected
        features = found(CONTENT, ["relu2"])["relu2"]
        assert features.dtype == getattr(torch, wanted)
        assert features.is_contiguous(memory_format=torch.channels_last)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fastest", CANDIDATES)
def test_auto_takes_the_fastest_and_remembers_it(
    extractor: FeatureExtractor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fastest: Precision,
) -> None:
    asked: list[torch.dtype] = []

    def seconds(candidate: FeatureExtractor, image: torch.Tensor, places: object) -> float:
        feature = candidate(image, ["conv3"])["conv3"]
        asked.append(feature.dtype)
        last = feature.is_contiguous(memory_format=torch.channels_last)
        layout = "channels_last" if last else "contiguous_format"
        return 0.1 if str(Precision(str(feature.dtype)[6:], layout)) == str(fastest) else 0.2

    monkeypatch.setattr(precision, "_evaluation", seconds)
    memory = tmp_path / "cache" / "precision.json"
    found, which = arranged(extractor, recipe(), "auto", memory)
    assert which == fastest
    assert found(CONTENT, ["relu1"])["relu1"].dtype == getattr(torch, fastest.dtype)
    assert set(asked) == {torch.float32, torch.bfloat16}
    (remembered,) = json.loads(memory.read_text()).values()
    assert remembered == str(fastest)

    monkeypatch.setattr(precision, "_evaluation", lambda *_: pytest.fail("measured again"))
    assert arranged(extractor, recipe(), "auto", memory)[1] == fastest


def test_measuring_loses_no_digit_of_the_weights(
    extractor: FeatureExtractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = extractor(CONTENT, ["relu3"])["relu3"]
    monkeypatch.setattr(precision, "CANDIDATES", (BFLOAT16, FLOAT32))
    times = iter([9.0] * 3 + [1.0] * 3)
    monkeypatch.setattr(precision, "_evaluation", lambda *_: next(times))
    found, which = arranged(extractor, recipe(), "auto", tmp_path / "memory.json")
    assert which == FLOAT32
    torch.testing.assert_close(found(CONTENT, ["relu3"])["relu3"], before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"x": 1}'])
def test_a_damaged_memory_is_measured_anew(
    extractor: FeatureExtractor, tmp_path: Path, content: str
) -> None:
    memory = tmp_path / "precision.json"
    memory.write_text(content)
    _, which = arranged(extractor, recipe(), "auto", memory)
    assert str(which) in json.loads(memory.read_text()).values()


def test_a_memory_that_cannot_be_written_is_no_failure(
    extractor: FeatureExtractor, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert (
        arranged(extractor, recipe(), "auto", tmp_path / "file" / "precision.json")[1] in CANDIDATES
    )


def test_a_candidate_that_the_device_cannot_do_is_out(
    extractor: FeatureExtractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seconds(candidate: FeatureExtractor, image: torch.Tensor, places: object) -> float:
        if candidate(image, ["conv3"])["conv3"].dtype == torch.bfloat16:
            raise RuntimeError("not implemented for 'BFloat16'")
        return 1.0

    monkeypatch.setattr(precision, "_evaluation", seconds)
    assert arranged(extractor, recipe(), "auto", tmp_path / "m.json")[1] == FLOAT32


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_bfloat16_features_lead_to_nearly_the_same_place(
    extractor: FeatureExtractor, tmp_path: Path, optimizer: str
) -> None:
    asked = recipe(steps=40, optimizer=optimizer)
    full = paint(extractor, asked)
    half, _ = arranged(extractor, asked, "bfloat16", tmp_path)
    (scale,) = scales(half, asked)
    assert all(gram.dtype == torch.float32 for gram in scale.style.statistics.values())
    coarse = paint(half, asked)
    assert coarse.image.dtype == torch.float32
    assert coarse.loss == pytest.approx(full.loss, rel=0.1)


@pytest.mark.parametrize(("wanted", "exact"), [("float32", True), ("bfloat16", False)])
def test_convolutions_on_cuda_are_exact_or_quick(
    extractor: FeatureExtractor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wanted: str,
    exact: bool,
) -> None:
    cudnn = torch.backends.cudnn
    for name in ("allow_tf32", "benchmark", "deterministic"):
        monkeypatch.setattr(cudnn, name, getattr(cudnn, name))  # puts it back
    arranged(extractor, recipe(), wanted, tmp_path / "precision.json")
    assert (cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic) == (
        not exact,
        not exact,
        exact,
    )
