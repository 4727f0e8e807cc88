"""A backbone of two convolutions, and the files that its weights could come in."""

import io
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from backbones import Backbone, Layer, WeightSet
from backbones.spec import IMAGENET, Convert, Source
from backbones.weights.sources import PackageFile
from tests.backbones.weights.weights_loopback import sha256

MEMBER = "tiny-1.0/tiny/weights.pth"


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 8, 3))


def state(seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return Tiny().state_dict()


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def weight_set(source: Source, name: str = "first", convert: Convert | None = None) -> WeightSet:
    return WeightSet(name, source, IMAGENET, "none", "two random convolutions", convert)


def backbone(*weight_sets: WeightSet) -> Backbone:
    return Backbone(
        name="tiny",
        description="two convolutions",
        build=Tiny,
        layers=(Layer("conv1", "features.0", "conv", 4, 1, 3),),
        content_layers={"conv1": 1.0},
        style_layers={"conv1": 1.0},
        weight_sets=weight_sets,
    )


def package_file(archive: bytes, data: bytes, **changed: object) -> PackageFile:
    fields: dict[str, object] = {
        "project": "tiny",
        "version": "1.0",
        "filename": "tiny-1.0.tar.gz",
        "archive_sha256": sha256(archive),
        "member": MEMBER,
        "sha256": sha256(data),
        "size": len(archive),
    }
    return PackageFile(**(fields | changed))


def same(left: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)
