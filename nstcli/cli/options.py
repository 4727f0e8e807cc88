"""Every option that more than one command takes, written once."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import Annotated, Any, Literal, get_type_hints

import typer

from nstcli.presets import DEFAULT

Format = Literal["png", "jpg", "webp", "tiff"]

_EXECUTION = "Execution"
_MESSAGES = "Messages"


def _recipe(help: str, *names: str, default: str = "", **rules: Any) -> Any:
    """Describe an option of the recipe; its default is said, since the program sees None."""
    said = default and f" ({DEFAULT[default]})"
    return typer.Option(*names, help=help + said, rich_help_panel="Recipe", **rules)


@dataclass(frozen=True)
class RecipeOptions:
    """What changes the pixels. None stands for what the preset says."""

    preset: Annotated[
        Literal["draft", "default", "high", "gatys"],
        _recipe("Start from these settings: by effort, or as in the paper"),
    ] = "default"
    model: Annotated[
        str | None, _recipe("Backbone; see: nst layers", "-m", "--model", default="model")
    ] = None
    weights: Annotated[
        str | None,
        _recipe("Weight set by name (see: nst weights list) or a .pth or .safetensors file"),
    ] = None
    size: Annotated[
        int | None,
        _recipe("Longest edge in pixels", "-s", "--size", default="size", min=1, metavar="PX"),
    ] = None
    steps: Annotated[
        int | None, _recipe("Optimizer steps", default="steps", min=1, metavar="N")
    ] = None
    scales: Annotated[
        str | None,
        _recipe(
            "Sizes from coarse to fine; more of them paint larger strokes",
            default="scales",
            metavar="auto|N",
        ),
    ] = None
    content_weight: Annotated[
        float | None, _recipe("Weight of the content term", min=0, metavar="X")
    ] = None
    style_weight: Annotated[
        float | None,
        _recipe("Weight of the style term (30 for --loss relative)", min=0, metavar="X"),
    ] = None
    tv_weight: Annotated[float | None, _recipe("Weight of total variation", min=0, metavar="X")] = (
        None
    )
    loss: Annotated[
        Literal["relative", "gatys", "sum", "mean"] | None,
        _recipe(
            "Convention of the terms; weights of 'relative' suit every backbone", default="loss"
        ),
    ] = None
    tv: Annotated[Literal["l1", "l2"] | None, _recipe("Norm of total variation", default="tv")] = (
        None
    )
    content_layers: Annotated[
        str | None, _recipe("Layers of the content term", metavar="A,B=WEIGHT")
    ] = None
    style_layers: Annotated[
        str | None, _recipe("Layers of the style term", metavar="A,B=WEIGHT")
    ] = None
    pooling: Annotated[
        Literal["max", "avg"] | None, _recipe("How the network pools", default="pooling")
    ] = None
    optimizer: Annotated[
        Literal["lbfgs", "adam"] | None, _recipe("Optimizer", default="optimizer")
    ] = None
    tolerance: Annotated[
        float | None,
        _recipe(
            "End a scale when 20 steps lower its loss by less than this share",
            default="tolerance",
            min=0,
            max=1,
            metavar="X",
        ),
    ] = None
    init: Annotated[
        Literal["content", "noise", "style"] | None,
        _recipe("What the optimization starts from", default="init"),
    ] = None
    seed: Annotated[
        int | None, _recipe("Seed of the noise", default="seed", min=0, metavar="N")
    ] = None


@dataclass(frozen=True)
class RunOptions:
    """How and where the work is done, and how much is said of it."""

    format: Annotated[Format | None, typer.Option(help="File format of the results (png)")] = None
    quality: Annotated[
        int, typer.Option(min=1, max=100, metavar="N", help="Quality of jpg and webp, 1 to 100")
    ] = 95
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace files that are in the way, whoever made them"),
    ] = False
    device: Annotated[
        str,
        typer.Option(help="auto, cpu, mps, cuda or cuda:N", rich_help_panel=_EXECUTION),
    ] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option(
            help="Of the network's features; auto measures once which is fastest here",
            rich_help_panel=_EXECUTION,
        ),
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
