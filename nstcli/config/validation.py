"""Checks of option values against their declarations, wherever the values come from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from nstcli.errors import InputError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from nstcli.config.option import Setting

# How a place writes the setting that it gives, for messages: (key, value) -> text.
Says = Callable[[str, object], str]


@cache
def model_of(settings: tuple[Setting, ...]) -> type[BaseModel]:
    """Build the model of some settings: a field each, whose alias is the setting's key."""
    from pydantic import ConfigDict, Field, create_model

    config = ConfigDict(extra="forbid", allow_inf_nan=False)
    fields: dict[str, Any] = {
        setting.field: (
            _checked(setting),
            Field(setting.default, alias=setting.key, description=setting.option.help),
        )
        for setting in settings
    }
    return create_model("Settings", __config__=config, **fields)


def check(settings: Sequence[Setting], values: Mapping[str, object], says: Says) -> dict[str, Any]:
    """Check values by key, and return them by field as commands take them.

    Raises:
        InputError: a value of the wrong type or out of range; the first of them.
    """
    from pydantic import ValidationError

    model = model_of(tuple(settings))
    try:
        checked = model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        reason = str(first.get("ctx", {}).get("error") or first["msg"])
        reason = reason.replace("Input should", "should").partition(", unable to parse")[0]
        raise InputError(f"{says(key, values[key])}: {reason}") from None
    return {name: getattr(checked, name) for name in checked.model_fields_set}


def written(value: object) -> str:
    """Write a value the way a config file does."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _checked(setting: Setting) -> Any:
    """Return the setting's type with its rules, in pydantic's terms."""
    from pydantic import BeforeValidator, Field, PlainValidator

    option = setting.option
    if option.parse:
        parse = _allow_none(option.parse) if setting.default is None else option.parse
        written = option.written or setting.type
        return Annotated[setting.type, PlainValidator(parse, json_schema_input_type=written)]
    kind = setting.type
    if {option.least, option.most, option.above, option.below} != {None}:
        bounds = Field(ge=option.least, le=option.most, gt=option.above, lt=option.below)
        kind = Annotated[kind, bounds]
    if setting.type is bool:
        return kind
    return Annotated[kind, BeforeValidator(_refuse_bool)]


def _allow_none(parse: Callable[[object], Any]) -> Callable[[object], Any]:
    """Let None pass: it says that nothing was chosen."""
    return lambda value: None if value is None else parse(value)


def _refuse_bool(value: object) -> object:
    """Refuse true and false where pydantic would take them for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("should not be true or false")
    return value
