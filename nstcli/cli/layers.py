"""`nst layers`: list the backbones, or the layers of one."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nstcli.cli.groups import only, takes_groups
from nstcli.config.options import RecipeOptions

if TYPE_CHECKING:
    from backbones import Backbone, Layer


@takes_groups
def layers(
    *,
    model: Annotated[
        str | None, typer.Option("-m", "--model", metavar="NAME", help="List its layers")
    ] = None,
    recipe: Annotated[RecipeOptions, only("dense")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """List the layers of a backbone, or the backbones. Needs no download."""
    import backbones

    if model is None:
        _show_backbones(as_json)
        return
    backbone = backbones.get(model)
    dense = recipe.dense and backbone.stem is not None
    seen = backbone.layers_with(dense)
    rows = [_row(backbone, index, layer) for index, layer in enumerate(seen)]
    if as_json:
        _print_json({"model": backbone.name, "dense": dense, "layers": rows})
    else:
        _print_layers(backbone, rows, dense)


def _row(backbone: "Backbone", index: int, layer: "Layer") -> dict[str, Any]:
    return {
        "index": index,
        "name": layer.name,
        "module": layer.module,
        "kind": layer.kind,
        "channels": layer.channels,
        "stride": layer.stride,
        "receptive_field": layer.receptive_field,
        "content": backbone.content_layers.get(layer.name),
        "style": backbone.style_layers.get(layer.name),
    }


def _print_layers(backbone: "Backbone", rows: list[dict[str, Any]], dense: bool) -> None:
    from rich import box
    from rich.table import Table

    from nstcli.cli.screen import console

    out = console(stderr=False)
    name = backbone.name
    if backbone.stem:
        name += " with a dense stem (the default)" if dense else " with its stride (--no-dense)"
    table = Table(
        title=f"{name}: {len(rows)} layers, images of {backbone.minimum_size} px or more",
        caption="stride and receptive field in pixels; role: what the layer is used for by default",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for heading in ("#", "layer", "module", "kind", "channels", "stride", "field", "role"):
        number = heading in {"#", "channels", "stride", "field"}
        # On a narrow terminal, long module paths give way.
        table.add_column(
            heading,
            justify="right" if number else "left",
            no_wrap=heading != "module",
            min_width=10 if heading == "module" else None,
            overflow="ellipsis",
        )
    for row in rows:
        roles = [f"{role} {row[role]:g}" for role in ("content", "style") if row[role]]
        cells = (row[key] for key in ("index", "name", "module", "kind", "channels", "stride"))
        table.add_row(
            *map(str, cells),
            str(row["receptive_field"]),
            ", ".join(roles),
            style="bold" if roles else "dim",
        )
    out.print(table)


def _show_backbones(as_json: bool) -> None:
    """List every backbone; one that is broken is named with its error and spoils nothing."""
    import backbones
    from nstcli.cli.screen import console

    found, broken = backbones.load_all()
    if as_json:
        _print_json({"backbones": [_summary(backbone) for backbone in found]})
    else:
        _print_backbones(found)
    for error in broken:
        console().print(f"warning: {error}")


def _summary(backbone: "Backbone") -> dict[str, Any]:
    return {
        "name": backbone.name,
        "description": backbone.description,
        "layers": len(backbone.layers),
        "minimum_size": backbone.minimum_size,
        "weights": [
            {
                "name": weights.name,
                "default": index == 0,
                "source": weights.source.describe(),
                "bytes": weights.source.size,
                "licence": weights.licence,
                "description": weights.description,
            }
            for index, weights in enumerate(backbone.weight_sets)
        ],
    }


def _print_backbones(found: "list[Backbone]") -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from nstcli.cli.screen import console, size

    table = Table(
        box=box.SIMPLE_HEAD, caption="first weight set: the default; more: nst weights list"
    )
    for heading in ("backbone", "layers", "weights", "download", "licence"):
        table.add_column(heading, justify="right" if heading in {"layers", "download"} else "left")
    for backbone in found:
        table.add_row(
            Text(backbone.name, "bold"),
            str(len(backbone.layers)),
            "",
            "",
            Text(backbone.description),
        )
        for weights in backbone.weight_sets:
            table.add_row(
                "", "", Text(weights.name), size(weights.source.size), Text(weights.licence, "dim")
            )
    console(stderr=False).print(table)


def _print_json(value: object) -> None:
    # In ASCII: an output stream that cannot encode a letter would make it no JSON any more.
    typer.echo(json.dumps(value, indent=2))
