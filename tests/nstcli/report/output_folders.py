"""Output folders as a batch leaves them, without a network: drawn pictures and their records."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nstcli.images import encode
from nstcli.plan.pair import Pair
from nstcli.results.folder import Store
from nstcli.results.records import Record
from nstcli.text import stored
from tests.conftest import draw
from tests.nstcli import flat

Change = Callable[[Pair], Mapping[str, Any]]

RECIPE = {
    "version": 1,
    "model": "vgg19",
    "weights": "0" * 64,
    "size": 64,
    "steps": 20,
    "content_weight": 1.0,
    "style_weight": 30.0,
    "content_layers": {"relu4_2": 1.0},
    "style_layers": {"relu1_1": 1.0, "relu5_1": 0.5},
    "seed": 0,
}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def record_of(pair: Pair, data: bytes, **changes: Any) -> Record:
    """Make a record that belongs to these bytes and to the inputs on the disk."""
    recipe = {**RECIPE, **changes.pop("recipe", {})}
    known: dict[str, Any] = {
        "key": sha256(data),
        "output_sha256": sha256(data),
        "content": stored(pair.path("content")),
        "content_sha256": sha256(pair.path("content").read_bytes()),
        "style": stored(pair.path("style")),
        "style_sha256": sha256(pair.path("style").read_bytes()),
        "recipe": recipe,
        "format": "png",
        "quality": 95,
        "version": "0.1.0",
        "device": "cpu",
        "precision": "float32",
        "width": 48,
        "height": 36,
        "seconds": 34.25,
        "steps": 20,
        "loss": 0.5,
        "content_error": 0.25,
        "style_error": 0.0125,
        "style_error_before": 0.9,
        "curve": tuple((step, 10.0 / step) for step in range(1, 21)),
        **changes,
    }
    return flat.record(known)


def make(store: Store, content: Path, style: Path, name: str = "", **changes: Any) -> Pair:
    """Save a drawn result; the name and `changes` go into its record."""
    pair = Pair.of(content, style, name or f"{content.stem}__{style.stem}.png")
    seed = int(sha256(pair.output.encode("utf-8", "surrogateescape"))[:6], 16)
    data = encode(draw(36, 48, seed), format=Path(pair.output).suffix.lstrip(".") or "png")
    store.save(pair, data, record_of(pair, data, **changes))
    return pair


def write(path: Path, height: int, width: int, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(draw(height, width, seed)))
    return path


def batch(folder: Path, contents: Sequence[str], styles: Sequence[str], **changes: Any) -> Store:
    """Make every pair of these names: inputs in `folder`/photos and /art, results in /out."""
    store = Store(folder / "out")
    store.prepare()
    photos = [write(folder / "photos" / n, 36, 48, seed) for seed, n in enumerate(contents)]
    art = [write(folder / "art" / n, 40, 30, 1000 + seed) for seed, n in enumerate(styles)]
    for number, content in enumerate(photos):
        for other, style in enumerate(art):
            made = {"seconds": 10.0 + number + 7 * other, **changes}
            make(store, content, style, **made)
    return store
