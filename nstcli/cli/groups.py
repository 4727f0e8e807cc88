"""Let commands take groups of options, each with its value from wherever it was set."""

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand

from nstcli.config.option import Setting, settings_of
from nstcli.config.options import GROUPS, SETTINGS, OutputOptions
from nstcli.recipe import unheeded

if TYPE_CHECKING:
    from nstcli.config.precedence import Document


# Reads, from a command's other arguments, the config file that its options are set in.
ReadDocument = Callable[[Mapping[str, Any]], "Document"]


# The option of commands that make a folder of results.
ResultsFolder = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        metavar="DIR",
        help="Folder of the results",
        rich_help_panel=OutputOptions.panel,
    ),
]


# The option of commands that make pictures.
DryRun = Annotated[
    bool,
    typer.Option(
        "-n",
        "--dry-run",
        help="Tell what would be made, in what memory and time; make nothing",
        rich_help_panel=OutputOptions.panel,
    ),
]


# What `--preview` takes; alone, it is the first.
PREVIEWS = ("auto", "adain", "small")
# An option of commands that make previews.
PreviewOption = Annotated[
    Literal[PREVIEWS] | None,  # type: ignore[valid-type]
    typer.Option(
        "--preview",
        metavar="[adain|small]",
        help="Make them in less time, into a folder preview; mark there which to make large",
        rich_help_panel=OutputOptions.panel,
    ),
]


class Command(TyperCommand):
    """A command in which options may stand without a value that say what they mean then.

    What comes after one is its value where it can be one: `--keep-faces 2 a.jpg b.jpg`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line, with those values filled in."""
        own = {name for parameter in self.params for name in parameter.opts}
        alone = {f"--{s.key}": s for s in SETTINGS if s.option.alone and f"--{s.key}" in own}
        filled = [
            f"{each}={alone[each].option.alone}"
            if each in alone and not _is_value(after, alone[each])
            else f"{each}={PREVIEWS[0]}"
            if each == "--preview" and after not in PREVIEWS
            else each
            for each, after in zip_longest(args, args[1:])
        ]
        try:
            return super().parse_args(ctx, filled)
        except Exception as error:  # typer does not name the class of what it tells its user
            said = getattr(error, "message", None)
            if isinstance(said, str):
                error.message = _plainly(said)  # type: ignore[attr-defined]
            raise


# How typer and what it checks values with put what is wrong, and what we would say.
_PLAINLY = {
    "Value error, ": "",
    "Input should be a valid integer, unable to parse string as an integer": "not a whole number",
    "Input should be a valid number, unable to parse string as a number": "not a number",
    "Input should be": "it should be",
}
_HINTS = {
    "Got unexpected extra argument": "quote a pattern like 'photos/*.jpg', or name the folder",
    "No such option: -": "if it is a name that begins with a dash, write ./ before it",
}


def _plainly(message: str) -> str:
    """Say in plain words what is wrong with a command line, and what may help."""
    for technical, plain in _PLAINLY.items():
        message = message.replace(technical, plain)
    hint = next((hint for start, hint in _HINTS.items() if message.startswith(start)), "")
    return f"{message.rstrip('.')}; {hint}" if hint else message


def _is_value(text: str | None, setting: Setting) -> bool:
    from nstcli.config.validation import check
    from nstcli.errors import InputError

    try:
        check([setting], {setting.key: text}, lambda key, value: key)
    except InputError:
        return False
    return True


@dataclass(frozen=True)
class Only:
    """In the annotation of a group: the options of it that a command has; see `only`."""

    fields: frozenset[str]
    others: bool = False
    helps: Mapping[str, str] = field(default_factory=dict)


def only(*fields: str, others: bool = False, **helps: str) -> Only:
    """Offer just these options of a group; the others keep their defaults, whatever a file says.

    Where none is named, all are offered.

    With `others`, they have the values that files and variables give them. `helps` are of those
    that this command takes otherwise, with their defaults there.
    """
    return Only(frozenset(fields), others, helps)


@dataclass(frozen=True)
class _OptionGroup:
    """A group that a command takes, what it offers of it, and what it receives."""

    group: Any
    settings: tuple[Setting, ...]
    received: tuple[Setting, ...]
    helps: Mapping[str, str]


def takes_groups(
    command: Callable[..., None], document: ReadDocument | None = None
) -> Callable[..., None]:
    """Let a command declare parameters that are groups; typer sees each of their options.

    The command receives every value settled: flag, environment, config files, preset, default; of
    groups that it has alone, which are not among `GROUPS`, by the flags and the defaults.
    `-v`, where a command has it, says where the values come from. What `document` returns is a
    config file, too, in place of one named by `-c`.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: found for name, hint in hints.items() if (found := _group_in(hint))}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name in groups:
            parameters += _parameters(groups[parameter.name])
        else:
            parameters.append(parameter.replace(annotation=hints[parameter.name]))
    alone = {name: each for name, each in groups.items() if each.group not in GROUPS}
    taken = {name: each for name, each in groups.items() if name not in alone}

    @wraps(command)
    def call(**values: Any) -> None:
        for name, each in alone.items():
            values[name] = _checked(each, {s.field: values.pop(s.field) for s in each.settings})
        offered = [setting for each in taken.values() for setting in each.settings]
        flags = {setting.field: values.pop(setting.field) for setting in offered}
        received = [setting for each in taken.values() for setting in each.received]
        settled = _values(received, flags, document(values) if document else None)
        if "method" in flags:
            for note in unheeded(settled["method"], _given(flags)):
                typer.echo(f"note: {note}", err=True)
        for name, each in taken.items():
            own = {setting.field: settled[setting.field] for setting in each.received}
            values[name] = each.group(**own)
        command(**values)

    parameters.sort(key=lambda parameter: parameter.kind)
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in parameters}
    return call


def _values(
    received: list[Setting], flags: Mapping[str, Any], document: "Document | None"
) -> Mapping[str, Any]:
    """Return the value of every setting by field, and say what there is to say of them."""
    from nstcli.config.precedence import settle

    settled = settle(SETTINGS, _given(flags), os.environ, Path.cwd(), document=document)
    for remark in settled.remarks:
        typer.echo(f"warning: {remark}", err=True)
    values = {setting.field: settled[setting.field] for setting in SETTINGS}
    if "verbose" in flags and values["verbose"]:
        for path in settled.files:
            typer.echo(f"settings are read from {path.resolve()}", err=True)
        for line in settled.lines(received):
            typer.echo(line, err=True)
    return values


def _given(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that are on the command line; typer gives None, or [], for others."""
    return {field: value for field, value in flags.items() if value not in (None, [], ())}


def _checked(own: _OptionGroup, flags: Mapping[str, Any]) -> Any:
    """Return a group of one command's own, whose values come from the command line alone."""
    from nstcli.config.validation import check

    chosen = _given(flags)
    given = {s.key: chosen[s.field] for s in own.settings if s.field in chosen}
    return own.group(**check(own.settings, given, lambda key, value: f"--{key} {value}"))


def _group_in(hint: Any) -> _OptionGroup | None:
    """Return what a parameter's annotation takes of a group, None if it is something else."""
    group, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if not hasattr(group, "panel"):
        return None
    settings = received = settings_of(group)
    helps: dict[str, str] = {}
    for note in notes:
        unknown = note.fields - {setting.field for setting in settings}
        if unknown:
            raise TypeError(f"{group.__name__} has no {', '.join(sorted(unknown))}")
        if note.fields:
            settings = tuple(setting for setting in settings if setting.field in note.fields)
        received = received if note.others else settings
        helps.update(note.helps)
    return _OptionGroup(group, settings, received, helps)


def _parameters(taken: _OptionGroup) -> list[inspect.Parameter]:
    return [
        inspect.Parameter(
            setting.field,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[_typed(setting), _option(setting, taken)],
        )
        for setting in taken.settings
    ]


def _typed(setting: Setting) -> Any:
    """Return the type that typer parses; None tells that an option was not given."""
    if setting.type == tuple[str, ...]:
        return list[str] | None
    return str | None if setting.option.parse else setting.type | None


def _option(setting: Setting, taken: _OptionGroup) -> Any:
    option, names = setting.option, [f"--{setting.key}"]
    if setting.type is bool:  # what a file turns on, the command line can turn off
        names = [f"--{setting.key}/--no-{setting.key}"]
    return typer.Option(
        *([option.short] if option.short else []),
        *names,
        help=taken.helps.get(setting.field) or option.help + _default(setting),
        metavar=option.metavar,
        min=option.least,
        max=option.most,
        rich_help_panel=taken.group.panel,
        show_default=False,
    )


def _default(setting: Setting) -> str:
    """Say the default, which typer does not know; that of a switch is said when it is on."""
    if setting.default is True:
        return " (on)"
    silent = setting.default is None or setting.default is False or setting.default == ()
    return "" if silent else f" ({setting.default})"
