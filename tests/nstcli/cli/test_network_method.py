"""Methods whose styles are networks, from outside: what is made, mixed, refused and said."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import nstcli
from nstcli.images import Picture, decode, encode
from nstcli.networks import file, mixing
from nstcli.networks.cyclegan import ResnetGenerator
from nstcli.networks.transformation import TransformationNetwork
from nstcli.run import loader
from nstcli.run.finishing import levels_of
from nstcli.run.pixels import tensor_of
from tests.nstcli.cli.conftest import Nst
from tests.nstcli.networks.test_multistyle import CONTENT, of_style

pytestmark = pytest.mark.usefixtures("folders")

BATCH = ("batch", "photos", "nets", "-o", "out", "--method", "network")


@pytest.fixture
def nets(tmp_path: Path) -> dict[str, Path]:
    """Networks: one of our own, one as others publish them, a generator, two styles of one."""
    folder, elsewhere = tmp_path / "nets", tmp_path / "others"
    folder.mkdir()
    elsewhere.mkdir()
    torch.manual_seed(0)
    own, published = TransformationNetwork(2, 1), TransformationNetwork(2, 1, 255.0)
    file.write(folder / "wave.safetensors", own, file.Notes("wave", seconds=90.0))
    torch.save(published.state_dict(), folder / "candy.pth")
    torch.save(ResnetGenerator(2, 6).state_dict(), elsewhere / "monet.pth")
    for number in range(2):
        style = file.Notes(f"style {number}", kind="multistyle")
        path = elsewhere / f"style{number}.safetensors"
        file.write_tensors(path, of_style(CONTENT, number), style)
    return {path.stem: path for path in (*folder.iterdir(), *elsewhere.iterdir())}


def network(path: Path) -> nn.Module:
    return file.read(path)[0]


@torch.no_grad()
def painted(photo: Path, network: nn.Module) -> Picture:
    """Return what a network makes of a photo, level by level."""
    image = tensor_of(decode(photo.read_bytes(), "photo"))
    return Picture(levels_of(network(image).clamp(0, 1)).astype(np.uint8))


def same(path: Path, wanted: Picture) -> bool:
    return bool((decode(path.read_bytes(), "result").rgb == wanted.rgb).all())


def test_every_photo_is_painted_by_every_network(
    nst: Nst, nets: dict[str, Path], tmp_path: Path
) -> None:
    ended = nst(*BATCH)
    assert ended.code == 0
    assert "4 pairs: 2 contents × 2 styles · network · 512 px" in ended.err
    found = {path.name for path in (tmp_path / "out").glob("*__*")}
    assert found == {f"{photo}__{net}.png" for photo in ("cat", "dog") for net in ("candy", "wave")}
    for net in ("candy", "wave"):
        wanted = painted(tmp_path / "photos/cat.png", network(nets[net]))
        assert same(tmp_path / f"out/cat__{net}.png", wanted)
    record = json.loads((tmp_path / "out/.nst/pairs/cat__wave.png.json").read_text())
    assert record["recipe"].keys().isdisjoint({"model", "steps", "style_weight"})
    assert record["recipe"]["method"] == "network"
    assert record["figures"]["training_seconds"] == 90
    assert nst(*BATCH).err.count("4 cached") >= 1
    assert nst("status", "out").code == 0


def test_a_generator_translates_photos(nst: Nst, nets: dict[str, Path], tmp_path: Path) -> None:
    assert nst("batch", "photos", nets["monet"], "--method", "cyclegan").code == 0
    wanted = painted(tmp_path / "photos/dog.png", network(nets["monet"]))
    assert same(tmp_path / "stylized/dog__monet.png", wanted)


def test_styles_of_one_network_mix(nst: Nst, nets: dict[str, Path], tmp_path: Path) -> None:
    arguments = [f"{nets[name]}={share}" for name, share in (("style0", 0.75), ("style1", 0.25))]
    cat = tmp_path / "photos/cat.png"
    assert nst("stylize", cat, *arguments, "--method", "network", "-o", "mix.png").code == 0
    one, other = (network(nets[name]) for name in ("style0", "style1"))
    assert same(tmp_path / "mix.png", painted(cat, mixing.mixed([one, other], [0.75, 0.25])))


def test_networks_that_cannot_mix_say_why(nst: Nst, nets: dict[str, Path]) -> None:
    pair = nets["wave"], nets["candy"]
    ended = nst("stylize", "photos/cat.png", *pair, "--method", "network", "-o", "mix.png")
    assert ended.code == 1
    assert "they differ in conv1.conv2d.weight" in ended.err


def test_each_network_paints_its_part(nst: Nst, nets: dict[str, Path], tmp_path: Path) -> None:
    left = np.zeros((24, 32, 3), np.uint8)
    left[:, :16] = 255
    for name, mask in (("l", left), ("r", 255 - left)):
        (tmp_path / f"{name}.png").write_bytes(encode(mask))
    masks = ("--content-mask", "l.png", "--content-mask", "r.png")
    both = nets["wave"], nets["style0"]
    cat = tmp_path / "photos/cat.png"
    ended = nst("stylize", cat, *both, *masks, "--method", "network", "-o", "two.png")
    assert ended.code == 0
    found = decode((tmp_path / "two.png").read_bytes(), "two").rgb
    one, other = (painted(cat, network(path)).rgb for path in both)
    assert np.abs(found[:, :15].astype(int) - one[:, :15]).max() <= 1
    assert np.abs(found[:, 17:].astype(int) - other[:, 17:]).max() <= 1


def test_sizes_colours_and_transparency_are_as_of_any_picture(
    nst: Nst, nets: dict[str, Path], tmp_path: Path
) -> None:
    alpha = np.full((30, 50), 255, np.uint8)
    alpha[:, :20] = 0
    photo = np.random.default_rng(0).integers(0, 255, (30, 50, 3), np.uint8)
    (tmp_path / "half.png").write_bytes(encode(photo, alpha))
    options = ("--method", "network", "--colors", "luminance", "-s", "16")
    for result, more in (("small.png", ()), ("large.png", ("--keep-size",))):
        ended = nst("stylize", "half.png", nets["wave"], *options, *more, "-o", result)
        assert ended.code == 0
    small, large = (decode((tmp_path / f"{n}.png").read_bytes(), n) for n in ("small", "large"))
    assert (small.width, large.width) == (16, 50)
    assert large.alpha is not None
    assert (large.alpha == alpha).all()


def test_alpha_is_the_way_from_the_photo_to_the_painting(
    nst: Nst, nets: dict[str, Path], tmp_path: Path
) -> None:
    cat = tmp_path / "photos/cat.png"
    photo, whole = decode(cat.read_bytes(), "cat").rgb, painted(cat, network(nets["wave"])).rgb
    for alpha in (0, 0.5):
        options = ("--method", "network", "--alpha", alpha, "--overwrite")
        assert nst("stylize", cat, nets["wave"], *options, "-o", "half.png").code == 0
        found = decode((tmp_path / "half.png").read_bytes(), "half").rgb
        # A network may leave the range that pixels have, which is cut off at the end.
        inside = (whole > 0) & (whole < 255)
        wanted = photo + alpha * (whole.astype(float) - photo)
        assert np.abs(found - wanted)[inside].max() <= 1


@pytest.mark.parametrize(
    ("photo", "style", "method", "problem"),
    [
        ("photos/cat.png", "others/monet.pth", "network", "--method cyclegan takes it"),
        ("photos/cat.png", "nets/candy.pth", "cyclegan", "--method network takes it"),
        ("photos/cat.png", "photos/dog.png", "network", "a picture, and no safetensors file"),
        ("photos/cat.png", "nets/candy.pth", "optimize", "a network, and no picture"),
    ],
)
def test_what_a_method_cannot_take_says_what_does(
    nst: Nst, nets: dict[str, Path], photo: str, style: str, method: str, problem: str
) -> None:
    ended = nst("stylize", photo, style, "--method", method, "-m", "tiny", "-o", "x.png")
    assert ended.code == 1
    assert problem in ended.err


def test_colours_that_need_an_artwork_are_refused(nst: Nst, nets: dict[str, Path]) -> None:
    ended = nst(*BATCH, "--colors", "match")
    assert ended.code == 2
    assert "cannot do --colors match; it can: style, luminance" in ended.err


def test_a_broken_network_costs_none_of_the_others(
    nst: Nst, nets: dict[str, Path], tmp_path: Path
) -> None:
    nets["wave"].write_bytes(nets["wave"].read_bytes()[:-9])
    ended = nst(*BATCH)
    assert ended.code == 1
    assert "2 made, 2 failed" in ended.err
    assert "wave.safetensors: no network, or a damaged one" in ended.err
    assert (tmp_path / "out/dog__candy.png").is_file()


def test_a_picture_beyond_the_memory_is_refused_with_advice(
    nst: Nst, nets: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "free_bytes", lambda *_: 100 * 2**20)
    ended = nst("stylize", "photos/cat.png", nets["monet"], "--method", "cyclegan")
    assert ended.code == 1
    assert "cat.png: out of memory at 32 px (needs about 0.2 GiB, 0.1 free)" in ended.err


def test_a_dry_run_foretells_the_memory_of_the_largest_network(
    nst: Nst, nets: dict[str, Path], write_picture: Callable[..., Path]
) -> None:
    def told() -> float:
        found = re.search(r"peak memory: up to ([\d.]+) MB", nst(*BATCH, "--dry-run").err)
        assert found
        return float(found[1])

    write_picture("photos/large.png", 256, 256)
    before = told()
    torch.save(TransformationNetwork(16, 1).state_dict(), nets["candy"].with_name("large.pth"))
    wide, narrow = 16, 2
    added = 256 * 256 * (wide - narrow) * 4 * 1e-6
    assert told() - before > 2 * added


def test_python_paints_by_a_network_as_well(nets: dict[str, Path], tmp_path: Path) -> None:
    cat = tmp_path / "photos/cat.png"
    result = nstcli.stylize(str(cat), str(nets["wave"]), method="network")
    assert (np.asarray(result.image) == painted(cat, network(nets["wave"])).rgb).all()
