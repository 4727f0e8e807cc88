"""What a network is trained by: the options that training has of its own, and the whole recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from nstcli.config.option import Option
from nstcli.errors import InputError
from nstcli.recipe import DEFAULT, Recipe
from nstcli.terms import TERMS

# Raise it when the same recipe would give other weights than before.
VERSION = 1


@dataclass(frozen=True)
class _Usual:
    """What a device decides where the user does not."""

    model: str
    width: int
    batch_size: int
    steps: int


# What a network is trained with unless the user says: on a processor, half an hour's patience; on
# a graphics card, what Johnson et al. 2016 had, with larger batches.
_ON_CPU = _Usual("squeezenet", width=16, batch_size=1, steps=8000)
_ON_GPU = _Usual("vgg19", width=32, batch_size=8, steps=20_000)
# The style's weight by convention (`--loss`), as a share of that of pictures: there, the nearest
# term keeps what photos show.
_STYLE = 0.5

# Terms that a network can be trained for. What of the artwork is nearest to a place is found anew
# for every photo, at the cost of several steps.
_TERMS = [term for term in TERMS.values() if term.target != "matched"]
# Options of the recipe of pictures that training takes, too: what the loss looks at, and how.
OF_THE_LOSS = (
    *("weights", "preprocessing", "style_scale"),
    *(term.weight_option for term in _TERMS),
    *(term.layers_option for term in _TERMS if term.layers_option),
    *("loss", *(term.norm for term in _TERMS if term.norm)),
    *("dense", "pooling", "padding", "seed"),
)


@dataclass(frozen=True)
class TrainingOptions:
    """What training has of its own; where it is None, the device decides."""

    panel: ClassVar[str] = "Training"

    model: Annotated[
        str | None,
        Option("Backbone of the loss (squeezenet on a CPU, else vgg19)", "-m", metavar="NAME"),
    ] = None
    size: Annotated[
        int, Option("Edge of the squares cut out of photos", "-s", least=16, metavar="PX")
    ] = 256
    width: Annotated[
        int | None,
        Option("Channels of the network (16 on a CPU, else 32)", least=1, most=256, metavar="N"),
    ] = None
    batch_size: Annotated[
        int | None,
        Option("Squares in a step (1 on a CPU, else 8)", least=1, most=1024, metavar="N"),
    ] = None
    steps: Annotated[
        int | None, Option("Steps (8000 on a CPU, else 20000)", least=1, metavar="N")
    ] = None
    minutes: Annotated[
        float | None, Option("Train for so long, instead of so many steps", above=0, metavar="M")
    ] = None
    learning_rate: Annotated[
        float, Option("Adam's rate, before it falls", above=0, most=1, metavar="X")
    ] = 0.002
    sample: Annotated[
        Path | None,
        Option("Photo that the sample strip shows (one that comes with nst)", metavar="FILE"),
    ] = None
    licence: Annotated[
        str | None,
        Option("Note on the licences of style and photos, kept in the file", metavar="TEXT"),
    ] = None
    checkpoint_seconds: Annotated[
        float, Option("Write a checkpoint so often", least=0, metavar="SEC")
    ] = 60.0


@dataclass(frozen=True)
class TrainingRecipe:
    """All that the weights of a network depend on, but for the last digits of the device.

    Attributes:
        loss: what is minimised; of it count the terms and how the backbone sees pictures.
        width: of the network.
        batch_size: squares in a step.
        steps: that are taken; None where the minutes decide.
        minutes: that it takes; None where the steps decide.
        learning_rate: before it falls.
        styles: (sha256, weight) of each artwork.
        photos: digest of all pictures that squares are cut out of.
    """

    loss: Recipe
    width: int
    batch_size: int
    steps: int | None
    minutes: float | None
    learning_rate: float
    styles: tuple[tuple[str, float], ...]
    photos: str

    def dump(self) -> dict[str, Any]:
        """Return it as for JSON, without what has no effect here."""
        effective = self.loss.effective()
        # The digest stands for the name of the weights and says more; the rest is of pictures.
        of_the_loss = ("model", "size", "plugin", *OF_THE_LOSS)
        known = {name: effective[name] for name in of_the_loss if name in effective}
        known["seed"] = self.loss.seed
        own = {name: value for name, value in asdict(self).items() if name != "loss"}
        styles = [list(each) for each in self.styles]
        told = {"version": VERSION, **known, **own, "styles": styles}
        return {name: value for name, value in told.items() if value is not None}


def _usual(device: str) -> _Usual:
    return _ON_CPU if device == "cpu" else _ON_GPU


def choices_of(options: TrainingOptions, chosen: Mapping[str, Any], device: str) -> dict[str, Any]:
    """Return the choices of the recipe of pictures that stand for those of the loss.

    Args:
        options: of training.
        chosen: of the recipe of pictures, all of them; others than `OF_THE_LOSS` do not count.
        device: on which the network is trained.
    """
    taken = {name: chosen[name] for name in OF_THE_LOSS}
    others = {term.weight_option: 0.0 for term in TERMS.values() if term not in _TERMS}
    style = TERMS["style"]
    if taken[style.weight_option] is None:
        taken[style.weight_option] = _STYLE * style.weights[taken["loss"]]
    model = options.model or _usual(device).model
    return {**DEFAULT, **taken, **others, "model": model, "size": options.size}


def resolve(
    options: TrainingOptions,
    loss: Recipe,
    device: str,
    styles: tuple[tuple[str, float], ...],
    photos: str,
) -> TrainingRecipe:
    """Fill in what was not chosen, by the device.

    Raises:
        InputError: both steps and minutes were chosen, or the style weighs nothing.
    """
    if options.steps and options.minutes:
        raise InputError("--steps and --minutes are two budgets; choose one")
    if not loss.weights_of_terms["style"]:
        raise InputError("--style-weight 0 leaves nothing to train for")
    usual = _usual(device)
    return TrainingRecipe(
        loss=loss,
        width=options.width or usual.width,
        batch_size=options.batch_size or usual.batch_size,
        steps=None if options.minutes else options.steps or usual.steps,
        minutes=options.minutes,
        learning_rate=options.learning_rate,
        styles=styles,
        photos=photos,
    )


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name what differs between two recipes, as `TrainingRecipe.dump` gives them."""
    named = {"styles": "style", "photos": "photos"}
    found = []
    for name in {**now, **before}:
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        if name in named or isinstance(old, dict) or isinstance(new, dict):
            found.append(f"other {named.get(name, name.replace('_', '-'))}")
        else:
            told = ("–" if each is None else f"{each}"[:12] for each in (old, new))
            found.append(f"{name.replace('_', '-')} {' → '.join(told)}")
    return found
