"""Tell whether a picture is any better than what it began with, and what to change if not."""

from nstcli.engine.stylize import Result
from nstcli.optimizers import OPTIMIZERS
from nstcli.recipe import Recipe
from nstcli.terms import TERMS

# One of the levels of a file. What moved by less on average, nobody sees.
_LEVEL = 1 / 255
# A style error below which a photo is as good as its artwork: below what bfloat16 rounds.
_SAME = 1e-4


def shortfall(result: Result, recipe: Recipe) -> str:
    """Say why a picture is no better than what it began with, and what to change; "" if it is.

    One that somebody stopped is not judged: it has not had its steps.
    """
    if result.stopped:
        return ""
    if result.moved >= _LEVEL and result.loss < result.loss_before:
        return ""
    wanted = _already_wanted(result, recipe)
    if wanted:
        return wanted
    if result.moved >= _LEVEL:
        ways = ["more --steps", "--scales 1", *_ways(recipe)]
        return f"its loss ended above that of what it began with; try {_either(ways)}"
    ways = [*_ways(recipe), "more --steps"]
    return f"to the eye, it still is what it began with; try {_either(ways)}"


def _already_wanted(result: Result, recipe: Recipe) -> str:
    """Say why the start is all that the recipe asks for; "" where a term pulls away from it."""
    aims = {TERMS[name].target for name, weight in recipe.weights_of_terms.items() if weight}
    if recipe.init == "content" and aims == {"content"}:
        return (
            "only the photo counts in its recipe, so there was nothing to change; "
            "try a --style-weight above 0 or --init noise"
        )
    alike = result.style_error_before < _SAME
    if recipe.init == "content" and alike and aims <= {"content", "style"}:
        return (
            "photo and artwork look alike to the network, so there was nothing to change; "
            "try another artwork or --init noise"
        )
    return "" if result.loss_before else "it began with all that the recipe asks for"


def _ways(recipe: Recipe) -> list[str]:
    """List what else a recipe could be, the likeliest cause first."""
    ways = []
    if OPTIMIZERS[recipe.optimizer].rated:
        # No step of Adam's moves a pixel by much more than its rate.
        slow = recipe.learning_rate * recipe.steps < _LEVEL
        ways.append(f"a {'larger' if slow else 'smaller'} --learning-rate")
    if recipe.init == "content":
        ways += ["a larger --style-weight", "--init noise"]
    if recipe.init == "style":
        ways += ["a smaller --style-weight", "--init content"]
    return ways


def _either(ways: list[str]) -> str:
    return " or ".join([", ".join(ways[:-1]), ways[-1]] if len(ways) > 1 else ways)
