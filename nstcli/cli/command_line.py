"""Command lines made of the one that the program was given."""

from collections.abc import Mapping, Sequence


def without(arguments: Sequence[str], options: Mapping[str, int]) -> list[str]:
    """Leave options out of a command line, each with so many words that follow it."""
    kept: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word == "--":  # what follows are no options
            return [*kept, word, *rest]
        name, equals, _ = word.partition("=")
        if name not in options:
            kept.append(word)
        elif not equals:
            for _ in range(options[name]):
                next(rest, None)
    return kept
