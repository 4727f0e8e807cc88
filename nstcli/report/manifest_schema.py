"""What a manifest holds, for programs that read one; see `nstcli.report.manifest`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from nstcli.results.records import Record
from nstcli.results.state import State

# A path or a digest; of a role with several inputs, or with weights, a list of [text, weight].
_OfRole = str | list[tuple[str, float]]
_ELSEWHERE = {"curve", "recipe", "output_sha256", "inputs", "figures"}
_States: Any = Literal[State.UP_TO_DATE.value, State.STOPPED.value, State.MISSING.value]


class _Result(BaseModel):
    """A result; beside these fields it has all figures of its record, null where one is none.

    A texture has no content, and an inversion no style.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float | None]

    name: str
    sha256: str
    recipe: int
    content: _OfRole = ""
    style: _OfRole = ""
    content_sha256: _OfRole = ""
    style_sha256: _OfRole = ""
    init: _OfRole = ""
    init_sha256: _OfRole = ""
    state: _States
    bytes: int | None


class _Failure(BaseModel):
    """A pair that could not be made."""

    model_config = ConfigDict(extra="forbid")

    name: str
    content: _OfRole = ""
    style: _OfRole = ""
    init: _OfRole = ""
    error: str
    seconds: float | None


_told: Any = {
    name: (field.annotation, field)
    for name, field in Record.model_fields.items()
    if name not in _ELSEWHERE
}


_ResultWithRecord: Any = create_model("Result", __base__=_Result, **_told)


class Manifest(BaseModel):
    """A summary of an output folder. Results name their recipe by its place in the list."""

    model_config = ConfigDict(extra="forbid")

    made_by: str
    number: int = Field(alias="schema")
    totals: dict[str, float]
    recipes: list[dict[str, Any]]
    results: list[_ResultWithRecord]
    failures: list[_Failure]
