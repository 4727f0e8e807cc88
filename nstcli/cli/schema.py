"""`nst schema`: what the files of the program hold, for other programs."""

import json
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel


def schema(
    of: Annotated[
        Literal["recipe", "record", "manifest"],
        typer.Argument(
            metavar="recipe|record|manifest",
            help="What -c takes and nst recipe prints; a file of .nst/pairs; manifest.json",
        ),
    ],
) -> None:
    """Print the JSON Schema of a recipe, of a result's record or of a manifest."""
    found = _model(of).model_json_schema(by_alias=True)
    draft = "https://json-schema.org/draft/2020-12/schema"
    typer.echo(json.dumps({"$schema": draft, **found, "title": of}, indent=2))


def _model(of: str) -> "type[BaseModel]":
    from nstcli.config.option import settings_of
    from nstcli.config.validation import model_of
    from nstcli.recipe import Choices
    from nstcli.report.manifest_schema import Manifest
    from nstcli.results.records import Record

    models: dict[str, type[BaseModel]] = {"record": Record, "manifest": Manifest}
    return models[of] if of in models else model_of(settings_of(Choices))
