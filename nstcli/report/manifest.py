"""`manifest.json`: a summary of an output folder for other programs.

It is derived from the records, which are the truth, and never read by `nst`. Whether a result's
file is there is looked up; whether its bytes are still those of `sha256` is left to the reader, or
to `nst status`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from backbones.atomic import write_atomic
from nstcli.report.foreign_files import refuse_foreign
from nstcli.results.folder import Store
from nstcli.results.records import Failure, Record, digests_by_role
from nstcli.results.state import State
from nstcli.terms import INPUTS
from nstcli.text import stored
from nstcli.version import VERSION

# Raise it when a field changes its meaning or goes; new fields may come at any time.
_SCHEMA = 1
# How every manifest begins, so that none is ever written over the file of another program.
_MARK = b'{\n"made_by": "nst '


class Recipes:
    """Numbers recipes from 0, so that thousands of results can share the few that there are."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._recipes: list[Mapping[str, Any]] = []

    def number(self, recipe: Mapping[str, Any]) -> int:
        """Return the number of a recipe."""
        known = json.dumps(recipe, sort_keys=True)
        if known not in self._numbers:
            self._numbers[known] = len(self._recipes)
            self._recipes.append(recipe)
        return self._numbers[known]

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self._recipes)


def write_manifest(store: Store) -> Path:
    """Write the manifest of an output folder anew, and return its path.

    Raises:
        InputError: another program's `manifest.json` is there.
        OSError: the folder cannot be written to.
    """
    path = store.layout.manifest
    refuse_foreign(path, "manifest", lambda data: data.startswith(_MARK))
    recipes = Recipes()
    results = [_result(store.folder, name, record, recipes) for name, record in store.records()]
    failures = [of_failure(name, failure) for name, failure in store.failures()]
    manifest = {
        "made_by": f"nst {VERSION}",
        "schema": _SCHEMA,
        "totals": _totals(results, failures),
        "recipes": list(recipes),
        "results": results,
        "failures": failures,
    }
    write_atomic(path, in_lines(manifest).encode())
    return path


def of_record(name: str, record: Record, recipes: Recipes) -> dict[str, Any]:
    """Return what is told of a result: its record without the curve, its recipe by number."""
    known = record.model_dump(exclude={"curve", "recipe", "output_sha256", "inputs", "figures"})
    return {
        "name": stored(name),
        "sha256": record.output_sha256,
        "recipe": recipes.number(record.recipe),
        "key": record.key,
        **record.paths(),
        **{f"{role}_sha256": digest for role, digest in digests_by_role(record.inputs).items()},
        **{field: _finite(value) for field, value in {**known, **record.figures}.items()},
    }


def of_failure(name: str, failure: Failure) -> dict[str, Any]:
    """Return what is told of a pair that could not be made."""
    return {
        "name": stored(name),
        **failure.paths(),
        "error": failure.error,
        "seconds": _finite(failure.seconds),
    }


def in_lines(document: Mapping[str, Any], *, ascii_only: bool = False) -> str:
    """Write JSON with a line for each field, and for each entry of a field that is a list.

    So that line by line tools and diffs are of use, at the speed of the encoder written in C.
    With `ascii_only`, it is JSON still on a stream that cannot encode every letter.
    """
    encode = json.JSONEncoder(ensure_ascii=ascii_only).encode

    def field(value: object) -> str:
        if not isinstance(value, list) or not value:
            return encode(value)
        return "[\n" + ",\n".join(map(encode, value)) + "\n]"

    fields = (f"{encode(name)}: {field(value)}" for name, value in document.items())
    return "{\n" + ",\n".join(fields) + "\n}\n"


def _result(folder: Path, name: str, record: Record, recipes: Recipes) -> dict[str, Any]:
    try:
        size: int | None = (folder / name).stat().st_size
    except OSError:
        size = None
    made = State.STOPPED if record.stopped else State.UP_TO_DATE
    state = State.MISSING if size is None else made
    return {**of_record(name, record, recipes), "state": state.value, "bytes": size}


def _totals(
    results: Iterable[Mapping[str, Any]], failures: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    results = list(results)
    states = [result["state"] for result in results]
    return {
        **{
            state.value: states.count(state.value)
            for state in (State.UP_TO_DATE, State.STOPPED, State.MISSING)
        },
        "failed": len(list(failures)),
        **{
            f"{role}s": len({str(r[f"{role}_sha256"]) for r in results if f"{role}_sha256" in r})
            for role in INPUTS
        },
        "seconds": round(math.fsum(result["seconds"] or 0.0 for result in results), 3),
    }


def _finite(value: object) -> object:
    """Return a value as JSON has it, which has no NaN and no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
