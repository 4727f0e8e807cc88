import subprocess
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest

from tests.conftest import Plugin, install
from tests.nstcli.cli.conftest import Nst


def test_pull_then_list_verify_and_path(nst: Nst, tiny_plugin: Plugin) -> None:
    assert nst("weights", "path").out == f"{tiny_plugin.cache}\n"
    pulled = nst("weights", "pull", "tiny")
    assert pulled.code == 0
    assert "downloading weights tiny:random" in pulled.err
    path = nst("weights", "path", "tiny").out.strip()
    assert Path(path).is_file()
    assert f"✓ tiny:random  {path}" in pulled.err
    listed = {
        line.split()[0]: line for line in nst("weights", "list").out.splitlines() if line.strip()
    }
    assert "here" in listed["tiny:random"]
    assert "here" not in listed["tiny:other"]
    assert "87.6 MB" in listed["vgg19:gatys"]
    verified = nst("weights", "verify")
    assert (verified.code, verified.out) == (0, "tiny:random  good\n")


def test_waiting_for_another_process_is_told(
    nst_process: Callable[..., subprocess.Popen[str]], tiny_plugin: Plugin
) -> None:
    folder = tiny_plugin.cache / "weights"
    folder.mkdir(parents=True)
    with filelock.FileLock(folder / ".lock"):
        waiting = nst_process("weights", "pull", "tiny")
        assert waiting.stderr is not None
        assert waiting.stderr.readline() == (
            f"another nst is getting weights into {folder}; waiting until it is done\n"
        )
    _, told = waiting.communicate()
    assert "✓ tiny:random" in told
    assert waiting.returncode == 0


def test_a_damaged_cache_is_found_and_mended(nst: Nst) -> None:
    nst("weights", "pull", "tiny:other")
    path = Path(nst("weights", "path", "tiny:other").out.strip())
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    verified = nst("weights", "verify")
    assert (verified.code, verified.out) == (1, "tiny:other  damaged\n")
    assert "nst weights pull tiny:other" in verified.err
    assert nst("weights", "pull", "tiny:other").code == 0
    assert nst("weights", "verify", "tiny:other").code == 0


def test_the_heads_of_lpips_are_found_by_name(nst: Nst, tiny_plugin: Plugin) -> None:
    path = nst("weights", "path", "lpips").out
    assert Path(path).parent == tiny_plugin.cache / "weights"
    assert Path(path).name.startswith("lpips-vgg16-")
    assert nst("weights", "path", "lpips:vgg16").out == path
    assert "lpips:vgg16" in nst("weights", "list").out


def test_verify_of_what_is_not_there_is_a_failure(nst: Nst) -> None:
    ended = nst("weights", "verify", "tiny")
    assert (ended.code, ended.out) == (1, "tiny:random  absent\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pull",), "name a backbone, or give --all"),
        (("pull", "tiny:huge"), "unknown weight set 'huge' for tiny"),
        (("path", "tinny"), "unknown backbone 'tinny' (did you mean 'tiny'?)"),
    ],
)
def test_wrong_names(nst: Nst, arguments: tuple[str, ...], message: str) -> None:
    ended = nst("weights", *arguments)
    assert (ended.code, message in " ".join(ended.err.split())) == (2, True)


def test_offline_says_what_would_help(nst: Nst, write_picture: object, folders: None) -> None:
    ended = nst("batch", "photos", "art", "-m", "tiny", "--offline")
    assert ended.code == 2
    assert "--offline forbids downloading" in ended.err
    assert "nst weights pull tiny:random" in ended.err


def test_a_broken_plugin_spoils_nothing(
    nst: Nst, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", "broken", "import nowhere")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    nst("weights", "pull", "tiny")
    for command in ("list", "verify"):
        ended = nst("weights", command)
        assert ended.code == 0
        assert "tiny:random" in ended.out
        assert "warning: backbone 'broken' from the package" in ended.err


def test_prune_frees_what_no_set_is_read_from(nst: Nst, tiny_plugin: Plugin) -> None:
    assert nst("weights", "prune").err == "nothing to remove\n"
    nst("weights", "pull", "tiny")
    folder = tiny_plugin.cache / "weights"
    kept = {path.name for path in folder.iterdir()}
    for name in ("notes.txt", "own.safetensors"):  # whose these are, nobody knows
        (folder / name).write_bytes(b"mine")
    (tiny_plugin.cache / "precision.json").write_text("{}")
    (folder / "tiny-random-00000000.safetensors").write_bytes(bytes(2_000_000))
    (folder / "gone-random-12345678.safetensors").write_bytes(bytes(1_000_000))
    (folder / ".nst-scratch-x").mkdir()
    (folder / ".nst-scratch-x/part").write_bytes(bytes(500_000))
    (folder / ".nst-00000000-1-00000000.tmp").write_bytes(bytes(500_000))
    before = {path.name for path in folder.iterdir()}
    told = nst("weights", "prune", "-n")
    assert (told.code, told.err) == (0, "4.0 MB would be freed\n")
    assert {path.name for path in folder.iterdir()} == before
    pruned = nst("weights", "prune")
    assert (pruned.code, pruned.err) == (0, "4.0 MB freed\n")
    assert pruned.out == told.out
    assert f"1.0 MB  {folder / 'gone-random-12345678.safetensors'}" in pruned.out
    assert {path.name for path in folder.iterdir()} == {*kept, "notes.txt", "own.safetensors"}
    assert (tiny_plugin.cache / "precision.json").exists()
    assert nst("weights", "verify").out == "tiny:random  good\n"


def test_prune_keeps_what_belongs_to_a_broken_plugin(
    nst: Nst, tiny_plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", "broken", "import nowhere")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    theirs = tiny_plugin.cache / "weights/broken-random-12345678.safetensors"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"x")
    ended = nst("weights", "prune")
    assert (ended.code, ended.out) == (0, "")
    assert theirs.exists()


def test_prune_follows_no_links(nst: Nst, tiny_plugin: Plugin, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_bytes(bytes(1000))
    link = tiny_plugin.cache / "weights/.nst-scratch-link"
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    assert nst("weights", "prune").code == 0
    assert not link.is_symlink()
    assert (elsewhere / "kept").exists()
