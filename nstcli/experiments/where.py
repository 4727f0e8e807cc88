"""What `--where` says: comparisons of settings, with `and`, `or`, `not` and brackets.

Text in, a test out. Nothing of the text is ever run: it is divided into words, and these are read
by the grammar, from the top down:

    either     = both { "or" both }
    both       = one { "and" one }
    one        = "not" one | "(" either ")" | comparison
    comparison = KEY ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) VALUE
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence

from backbones.hints import closest
from nstcli.errors import InputError

# What is known of a picture, by key: all that a value may be called, and the number that it is.
Facts = Mapping[str, Sequence[str | float]]
Test = Callable[[Facts], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<sign><=|>=|!=|==|[<>=])|(?P<bracket>[()])"
    r"|\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<word>[^\s()<>=!\"']+))"
)
_ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
# Brackets within brackets that nobody writes; more would fill the interpreter's stack.
_DEEPEST = 100


def where(text: str, keys: Collection[str]) -> Test:
    """Read an expression such as `style-weight>=30 and (model=vgg19 or not content=cat)`.

    Args:
        text: of the user.
        keys: that may be compared; `_` in the text counts as `-`.

    Returns:
        What tells of facts whether they are meant. It raises InputError where an order is asked
        for of what is no number.

    Raises:
        InputError: it cannot be read, or names an unknown key.
    """
    return _Reader(text, keys).whole()


class _Reader:
    def __init__(self, text: str, keys: Collection[str]):
        self._text = text
        self._keys = keys
        self._tokens = self._divided()
        self._at = 0

    def whole(self) -> Test:
        """Read all of it."""
        found = self._either(0)
        if self._at < len(self._tokens):
            raise self._error(f"'{self._tokens[self._at][1]}' is not expected; join with and, or")
        return found

    def _divided(self) -> list[tuple[str, str]]:
        """Divide the text into (kind, token)."""
        tokens, at, text = [], 0, self._text.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if not found:
                raise self._error(f"cannot read '{text[at:].strip()}'")
            kind = found.lastgroup or ""
            tokens.append((kind if kind in {"sign", "bracket", "word"} else "quoted", found[kind]))
            at = found.end()
        return tokens

    def _either(self, depth: int) -> Test:
        tests = [self._both(depth)]
        while self._take("word", "or"):
            tests.append(self._both(depth))
        return tests[0] if len(tests) == 1 else lambda facts: any(test(facts) for test in tests)

    def _both(self, depth: int) -> Test:
        tests = [self._one(depth)]
        while self._take("word", "and"):
            tests.append(self._one(depth))
        return tests[0] if len(tests) == 1 else lambda facts: all(test(facts) for test in tests)

    def _one(self, depth: int) -> Test:
        if depth > _DEEPEST:
            raise self._error("too many brackets within each other")
        if self._take("word", "not"):
            denied = self._one(depth + 1)
            return lambda facts: not denied(facts)
        if self._take("bracket", "("):
            inner = self._either(depth + 1)
            if not self._take("bracket", ")"):
                raise self._error("a bracket is not closed")
            return inner
        return self._comparison()

    def _comparison(self) -> Test:
        key = self._next({"word"}, "a key").replace("_", "-")
        if key not in self._keys:
            raise self._error(f"unknown key '{key}'{closest(key, self._keys)}")
        sign = self._next({"sign"}, f"=, !=, <, <=, > or >= after {key}")
        value = self._next({"word", "quoted"}, f"a value after {key}{sign}")
        number = _number(value)
        if sign not in _ORDERS:
            wanted = sign != "!="
            return lambda facts: any(_same(each, value, number) for each in facts[key]) is wanted
        if number is None:
            raise self._error(f"{key}{sign}{value}: should be compared with a number")
        holds, bound = _ORDERS[sign], number

        def ordered(facts: Facts) -> bool:
            numbers = [each for each in facts[key] if not isinstance(each, str)]
            if not numbers:
                known = next(iter(facts[key]), "nothing")
                raise self._error(f"{key} is '{known}', which is no number")
            return holds(numbers[0], bound)

        return ordered

    def _take(self, kind: str, token: str) -> bool:
        """Go on if the next token is this one."""
        found = self._at < len(self._tokens) and self._tokens[self._at] == (kind, token)
        self._at += found
        return found

    def _next(self, kinds: Collection[str], what: str) -> str:
        if self._at == len(self._tokens):
            raise self._error(f"it ends where {what} is expected")
        kind, token = self._tokens[self._at]
        if kind not in kinds:
            raise self._error(f"'{token}' stands where {what} is expected")
        self._at += 1
        return token

    def _error(self, why: str) -> InputError:
        return InputError(f"--where {self._text!r}: {why}")


def _same(known: str | float, text: str, number: float | None) -> bool:
    return known == (text if isinstance(known, str) else number)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
