"""What the commands that pair folders tell while they plan: what is left out, what is renamed."""

from collections.abc import Sequence
from pathlib import Path

from nstcli.batch import inputs
from nstcli.batch.inputs import Found
from nstcli.batch.plan import Pair
from nstcli.batch.walk import Rules
from nstcli.cli.options import InputOptions
from nstcli.cli.screen import Screen

# How many results with unexpected names are told one by one.
_TOLD = 5


def find_pictures(
    arguments: tuple[str, str], taken: InputOptions, output: Path, screen: Screen
) -> tuple[Found, Found]:
    """Find contents and styles, and tell what was left out.

    Raises:
        InputError: there are none, or the output folder would be taken for one of theirs.
    """
    rules = Rules(taken.recursive, taken.include, taken.exclude, taken.strict)
    contents, styles = (inputs.find(argument, rules) for argument in arguments)
    for found in (contents, styles):
        inputs.refuse_nested(output, found)
        for note in found.notes:
            screen.say(f"note: {note}")
    return contents, styles


def tell_renamed(renamed: Sequence[tuple[Pair, str]], screen: Screen) -> None:
    """Tell which results have another name than their template gives, and why."""
    for pair, why in renamed[:_TOLD]:
        screen.say(f"note: {pair.title} is called '{pair.output}': {why}")
    if len(renamed) > _TOLD:
        screen.say(f"note: and {len(renamed) - _TOLD} more have names of their own")
