"""Read JSON that somebody else may have written."""

from __future__ import annotations

import json
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """Return what a JSON text says that somebody else may have written.

    Raises:
        ValueError: it is no JSON, or nested so deep that Python gives up (a RecursionError there).
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
