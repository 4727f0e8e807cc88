"""Every option that more than one command takes, written once."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import Annotated, Any, Literal, get_type_hints

import typer

Format = Literal["png", "jpg", "webp", "tiff"]

_RECIPE = "Recipe"
_EXECUTION = "Execution"
_MESSAGES = "Messages"


@dataclass(frozen=True)
class RecipeOptions:
    """What changes the pixels. None stands for the default of the backbone or convention."""

    model: Annotated[
        str,
        typer.Option("-m", "--model", help="Backbone; see: nst layers", rich_help_panel=_RECIPE),
    ] = "vgg19"
    weights: Annotated[
        str | None,
        typer.Option(
            help="Weight set by name (see: nst weights list) or a .pth or .safetensors file",
            rich_help_panel=_RECIPE,
        ),
    ] = None
    size: Annotated[
        int,
        typer.Option("-s", "--size", min=1, help="Longest edge in pixels", rich_help_panel=_RECIPE),
    ] = 512
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps", rich_help_panel=_RECIPE)] = (
        200
    )
    content_weight: Annotated[
        float | None,
        typer.Option(min=0, help="Weight of the content term", rich_help_panel=_RECIPE),
    ] = None
    style_weight: Annotated[
        float | None,
        typer.Option(min=0, help="Weight of the style term", rich_help_panel=_RECIPE),
    ] = None
    tv_weight: Annotated[
        float | None,
        typer.Option(min=0, help="Weight of total variation", rich_help_panel=_RECIPE),
    ] = None
    loss: Annotated[
        Literal["relative", "gatys", "sum", "mean"],
        typer.Option(
            help="Convention of the terms; the weights of 'relative' hold for every backbone",
            rich_help_panel=_RECIPE,
        ),
    ] = "relative"
    tv: Annotated[
        Literal["l1", "l2"],
        typer.Option(help="Norm of total variation", rich_help_panel=_RECIPE),
    ] = "l2"
    content_layers: Annotated[
        str | None,
        typer.Option(
            metavar="A,B=WEIGHT", help="Layers of the content term", rich_help_panel=_RECIPE
        ),
    ] = None
    style_layers: Annotated[
        str | None,
        typer.Option(
            metavar="A,B=WEIGHT", help="Layers of the style term", rich_help_panel=_RECIPE
        ),
    ] = None
    optimizer: Annotated[
        Literal["lbfgs", "adam"], typer.Option(help="Optimizer", rich_help_panel=_RECIPE)
    ] = "lbfgs"
    init: Annotated[
        Literal["content", "noise", "style"],
        typer.Option(help="What the optimization starts from", rich_help_panel=_RECIPE),
    ] = "content"
    seed: Annotated[int, typer.Option(min=0, help="Seed of the noise", rich_help_panel=_RECIPE)] = 0


@dataclass(frozen=True)
class RunOptions:
    """How and where the work is done, and how much is said of it."""

    format: Annotated[Format | None, typer.Option(help="File format of the results [png]")] = None
    quality: Annotated[
        int, typer.Option(min=1, max=100, help="Quality of jpg and webp results")
    ] = 95
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results that other settings made")
    ] = False
    device: Annotated[
        str,
        typer.Option(help="auto, cpu, mps, cuda or cuda:N", rich_help_panel=_EXECUTION),
    ] = "auto"
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Never use the network", rich_help_panel=_EXECUTION),
    ] = False
    quiet: Annotated[
        bool,
        typer.Option("-q", "--quiet", help="Show problems only", rich_help_panel=_MESSAGES),
    ] = False
    verbose: Annotated[
        bool,
        typer.Option("-v", "--verbose", help="Show more of each pair", rich_help_panel=_MESSAGES),
    ] = False


def takes_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command declare a parameter of a type above; typer sees each of its options."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if hint in {RecipeOptions, RunOptions}}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        group = groups.get(parameter.name)
        if group is None:
            parameters.append(parameter.replace(annotation=hints[parameter.name]))
            continue
        annotations = get_type_hints(group, include_extras=True)
        parameters += [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=annotations[field.name],
            )
            for field in fields(group)
        ]

    @wraps(command)
    def call(**values: Any) -> None:
        for name, group in groups.items():
            taken = {field.name: values.pop(field.name) for field in fields(group)}
            values[name] = group(**taken)
        command(**values)

    parameters.sort(key=lambda parameter: parameter.kind)
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in parameters}
    return call
