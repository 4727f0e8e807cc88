"""The recipe: everything but the two images that changes the pixels of a result.

Its options are declared here and nowhere else. A field of `Choices` is an option: from it come
the flag, the variable, the key of config files and presets, the checks, and what a recipe holds.
The options of the terms come out of the rows of `nstcli.terms.TERMS`.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, make_dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from backbones.spec import PREPROCESSINGS
from nstcli.config import parsers
from nstcli.config.option import Option, settings_of
from nstcli.config.validation import check
from nstcli.errors import InputError
from nstcli.methods import METHODS, OPTIMIZE, Method
from nstcli.optimizers import OPTIMIZERS
from nstcli.terms import INPUTS, TERMS, Role, Term

if TYPE_CHECKING:
    from backbones import Backbone

# Raise it when the same recipe would give other pixels than before: old results become stale.
VERSION = 5

# What the optimization may start from that is no picture of the user's own, and what is that.
INITS = ("content", "noise", "gray", "style", "adain")
OWN_INIT = "file"

# What the largest of the weights may be: float32 has to hold the loss and its gradient.
_LEAST_WEIGHT, _MOST_WEIGHT = 1e-20, 1e20


@dataclass(frozen=True)
class _Basics:
    """What paints, how large and how long. A base of its own, as `--help` shows these first."""

    method: Annotated[str, Option("How pictures are made", choices=tuple(METHODS))] = OPTIMIZE
    model: Annotated[str, Option("Backbone; see: nst layers", "-m", metavar="NAME")] = "vgg19"
    # In a recipe: the sha256 of the weights file.
    weights: Annotated[
        str | None,
        Option(
            "Weight set by name (see: nst weights list) or a .pth or .safetensors file",
            metavar="NAME|FILE",
        ),
    ] = None
    # `own` is what a weight set has, or a file says; ImageNet's where neither does.
    preprocessing: Annotated[
        str, Option("What input a weights FILE expects", choices=("own", *PREPROCESSINGS))
    ] = "own"
    # Content and style are shrunk to it; they never grow.
    size: Annotated[int, Option("Longest edge in pixels", "-s", least=1, metavar="PX")] = 512
    # Beyond the pixels that an artwork has, it is enlarged, which adds no detail.
    style_scale: Annotated[
        float,
        Option(
            "Read artworks so many times larger: softer and larger strokes, or denser ones",
            least=0.05,
            most=20,
            metavar="F",
        ),
    ] = 1.0
    # As lowest terms.
    center_crop: Annotated[
        str,
        Option(
            "Cut the photo to this shape around its middle, like 1x1 or 16x9",
            metavar="none|WxH",
            parse=parsers.aspect,
        ),
    ] = "none"
    # `crop` leaves as much of the artwork as has the photo's shape, around its middle.
    fit: Annotated[
        Literal["whole", "crop"], Option("The artwork: all of it, or cut to the photo's shape")
    ] = "whole"
    # See `nstcli.run.framing`.
    keep_size: Annotated[
        bool, Option("Give the result the pixels of its photo, beyond --size finished or enlarged")
    ] = False
    # Over all scales, of one evaluation each.
    steps: Annotated[int, Option("Optimizer steps", least=1, metavar="N")] = 200
    # Each is half of the next; `auto` starts at 128 to 255 pixels.
    scales: Annotated[
        int | Literal["auto"],
        Option(
            "Sizes from coarse to fine; more of them paint larger strokes",
            metavar="auto|N",
            parse=partial(parsers.auto_or_count, most=16),
        ),
    ] = "auto"


def _options_of(terms: Mapping[str, Term]) -> list[tuple[str, Any, Any]]:
    """Return the fields of the terms' weights and layers, as `make_dataclass` takes them.

    In a recipe, layers are a mapping of layer to relative weight; it is scaled to a sum of 1 when
    it is used.
    """
    weights = [
        (
            term.weight_option,
            Annotated[float | None, Option(term.help, least=0, metavar="X")],
            None,
        )
        for term in terms.values()
    ]
    layers = [
        (
            term.layers_option,
            Annotated[
                str | None,
                Option(
                    f"Layers of the {term.name} term",
                    metavar="A,B=WEIGHT",
                    parse=parsers.layers,
                    written=str | list[str] | dict[str, float] | None,
                ),
            ],
            None,
        )
        for term in terms.values()
        if term.layers_option
    ]
    return [*weights, *layers]


_Terms: Any = make_dataclass("_Terms", _options_of(TERMS), frozen=True)


@dataclass(frozen=True)
class Choices(_Terms, _Basics):  # type: ignore[misc]  # mypy cannot know fields made of a table
    """What a user chooses. Where it is None, the backbone or the convention of the loss decides."""

    loss: Annotated[
        Literal["relative", "gatys", "sum", "mean"],
        Option("Convention of the terms; weights of 'relative' suit every backbone"),
    ] = "relative"
    tv: Annotated[Literal["l1", "l2"], Option("Norm of total variation")] = "l2"
    # In a recipe, false for backbones without such a convolution.
    dense: Annotated[
        bool,
        Option("Let a strided first convolution see every pixel: finer, four times the work"),
    ] = True
    # What takes the place of the network's max pooling: means, or roots of mean squares. In a
    # recipe, `max` for backbones without.
    pooling: Annotated[Literal["max", "avg", "l2"], Option("How the network pools")] = "max"
    # `own` is as it was built, most often with zeros.
    padding: Annotated[
        Literal["own", "replicate", "reflect", "circular"],
        Option("What the network sees beyond the border of pictures; circular makes tiles"),
    ] = "own"
    optimizer: Annotated[str, Option("Optimizer", choices=tuple(OPTIMIZERS))] = "lbfgs"
    history: Annotated[
        int, Option("Steps that L-BFGS knows curvature by", least=1, most=100, metavar="N")
    ] = 10
    # In the pixel range [0, 1], for the optimizers that go by one. L-BFGS finds its own.
    learning_rate: Annotated[
        float, Option("Adam's rate, of the pixel range", metavar="X", above=0, most=10)
    ] = 0.05
    # Along a cosine to a tenth, or to a thirtieth for the last tenth of the steps.
    schedule: Annotated[
        Literal["cosine", "drop"],
        Option("How Adam's rate falls: along a cosine, or at once near the end"),
    ] = "cosine"
    # 0 takes every step.
    tolerance: Annotated[
        float,
        Option(
            "End a scale when 20 steps lower its loss by less than this share",
            least=0,
            below=1,
            metavar="X",
        ),
    ] = 0.0
    # In a recipe, `file` for pictures of the user's own, which are inputs of the pairs.
    init: Annotated[
        str,
        Option(
            "What the optimization starts from; in a FOLDER, what is called like photo or result",
            metavar=f"{'|'.join(INITS)}|FILE|FOLDER",
            parse=parsers.text,
        ),
    ] = "content"
    init_noise: Annotated[
        float, Option("Share of noise that is mixed into the start", least=0, most=1, metavar="X")
    ] = 0.0
    seed: Annotated[int, Option("Seed of the noise", least=0, below=2**63, metavar="N")] = 0
    # `match` and `luminance` change the finished picture, `recolor` the artwork beforehand.
    colors: Annotated[
        Literal["style", "match", "recolor", "luminance"],
        Option("Whose colours: the artwork's, or exactly so; the photo's palette, or all of them"),
    ] = "style"
    alpha: Annotated[
        float,
        Option(
            "How much of the style adain and networks take, from 0 for the photo to 1",
            least=0,
            most=1,
            metavar="X",
        ),
    ] = 1.0
    keep_faces: Annotated[
        float,
        Option(
            "Paint less over faces: 1 (the flag alone) keeps them, more keeps more",
            metavar="[STRENGTH]",
            parse=parsers.strength,
            written=float | bool,
            alone="1",
        ),
    ] = 0.0


_SETTINGS = settings_of(Choices)

# Every option as it is where nobody says anything of it.
DEFAULT: Mapping[str, Any] = asdict(Choices())

# What does nothing as it is here. No key knows of it then, so that a result of a program without
# such an option stays up to date.
OFF: Mapping[str, Any] = {
    "method": OPTIMIZE,
    "plugin": "",
    "preprocessing": "own",
    "padding": "own",
    "history": 10,
    "init_noise": 0.0,
    "colors": "style",
    "style_scale": 1.0,
    "center_crop": "none",
    "fit": "whole",
    "keep_size": False,
    "keep_faces": 0.0,
    "detector": "",
    "companions": "",
    # Terms that are there for those alone who ask for them.
    **{term.weight_option: 0.0 for term in TERMS.values() if not any(term.weights.values())},
}


@dataclass(frozen=True)
class Recipe(Choices):
    """A resolved recipe: each option has its value, and none is left to be decided.

    `resolve` makes it; what is made in another way is not checked.
    """

    version: int = VERSION
    # Of a backbone that is a plugin: `backbones.registry.plugin_sha256`. Of our own it is empty.
    plugin: str = ""
    # sha256 of the weights by which faces are found, where they are kept.
    detector: str = ""
    # sha256 of those of the networks that its method has beside the backbone, if any.
    companions: str = ""

    @property
    def by(self) -> Method:
        """The method by which its pictures are made."""
        return METHODS[self.method]

    @property
    def aspect(self) -> tuple[int, int] | None:
        """The shape that photos are cut to, width to height; None for their own."""
        return aspect_of(self.center_crop)

    @property
    def begun_by(self) -> Method | None:
        """The method that makes what the optimization starts from, where one does."""
        return METHODS.get(self.init) if self.by.stepwise else None

    @property
    def roles(self) -> frozenset[Role]:
        """The inputs that it cannot do without: what terms, start and colours look at."""
        if not self.by.stepwise or self.begun_by:
            return frozenset(INPUTS)
        weighs = self.weights_of_terms
        seen = {TERMS[name].target for name, weight in weighs.items() if weight} | {self.init}
        if self.colors in {"recolor", "luminance"} or self.keep_faces:
            seen |= {"content"}
        both = "matched" in seen
        return frozenset(role for role in INPUTS if both or role in seen)

    @property
    def wraps(self) -> bool:
        """Whether its pictures are tiles, without a border."""
        return self.padding == "circular"

    @property
    def weights_of_terms(self) -> dict[str, float]:
        """The weight of each term, by its name."""
        return {name: getattr(self, term.weight_option) for name, term in TERMS.items()}

    @property
    def layers_of_terms(self) -> dict[str, Mapping[str, float]]:
        """The layers of each term that looks at layers, by its name, with their weights."""
        return {
            name: getattr(self, term.layers_option)
            for name, term in TERMS.items()
            if term.layers_option
        }

    def dump(self) -> dict[str, Any]:
        """Return it as for JSON; options that mean nothing to its method are left out."""
        return {"version": self.version, **_heeded(self.by, asdict(self))}

    def effective(self) -> dict[str, Any]:
        """Return, as for JSON, what changes pixels; options without effect here are left out."""
        return effective(self.dump())

    def per_pixel(self) -> dict[str, Any]:
        """Return, as for JSON, what the time and the memory of a step depend on, for each pixel."""
        found = self.effective()
        for term in TERMS.values() if self.by.stepwise else ():
            found[term.weight_option] = bool(found.get(term.weight_option))
        return {name: value for name, value in found.items() if name not in _OF_NO_COST}


# What makes a step no dearer than another, for each pixel.
_OF_NO_COST = {
    *(
        "size",
        "style_scale",
        "steps",
        "seed",
        "init",
        "init_noise",
        "tolerance",
        "learning_rate",
        "schedule",
    ),
    *("center_crop", "fit", "keep_size", "colors", "alpha"),
}


def aspect_of(center_crop: str) -> tuple[int, int] | None:
    """Return what photos are cut to, width to height, as a recipe has it; None for their shape."""
    if center_crop == OFF["center_crop"]:
        return None
    width, height = map(int, center_crop.split("x"))
    return width, height


def effective(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a recipe changes pixels; of an older one, what is not known to be idle.

    Args:
        recipe: as `Recipe.dump` gives it, maybe of another version.
    """
    method = METHODS.get(recipe.get("method", OPTIMIZE))
    if method:
        recipe = _heeded(method, recipe)
    optimizer = OPTIMIZERS.get(recipe.get("optimizer", ""))
    unrated = optimizer is not None and not optimizer.rated
    forgetful = optimizer is not None and not optimizer.remembers
    idle = {
        "seed": recipe.get("init", "noise") != "noise" and not recipe.get("init_noise"),
        "learning_rate": unrated,
        "schedule": unrated,
        **{option: recipe.get(option) == value for option, value in OFF.items()},
    }
    idle["history"] |= forgetful
    for term in TERMS.values():
        for option in (term.layers_option, term.norm):
            if option:
                idle[option] = not recipe.get(term.weight_option, OFF.get(term.weight_option, 1))
    return {name: value for name, value in recipe.items() if not idle.get(name)}


def _heeded(method: Method, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe without the options that mean nothing to its method."""
    # Of a backbone that nobody chooses, it still holds which that is.
    told = {"model", "weights"} if method.sees else set()
    return {
        name: value
        for name, value in recipe.items()
        if name not in DEFAULT or name in told or method.heeds(name)
    }


def unheeded(method: str, options: Iterable[str]) -> list[str]:
    """Say which of some options, by the names of their fields, mean nothing to a method."""
    return [
        f"--{setting.key} means nothing to --method {method}, and is left out"
        for setting in _SETTINGS
        if setting.field in set(options) and not METHODS[method].heeds(setting.field)
    ]


def resolve(backbone: "Backbone", weights: str, choices: Mapping[str, Any]) -> Recipe:
    """Fill in what was not chosen: weights by the convention, layers by the backbone.

    What means nothing to the method is as nobody had said anything of it.

    Args:
        backbone: whose layers are meant.
        weights: sha256 of its weights file.
        choices: fields of `Choices` by name, with layers as users write them (see
            `parse_layers`); `DEFAULT` has the others. Its model and weights are not looked at.

    Raises:
        InputError: a value out of range.
        BackboneError: an unknown layer.
    """
    method = METHODS.get(choices.get("method", OPTIMIZE))
    heeded = {name: each for name, each in choices.items() if not method or method.heeds(name)}
    chosen = {**DEFAULT, **heeded, "model": backbone.name, "weights": weights}
    key_of = {setting.field: setting.key for setting in _SETTINGS}
    by_key = {key_of.get(name, name): value for name, value in chosen.items()}
    # This makes numbers of the field's type, too: in a key, 1 and 1.0 would not be the same.
    values = check(_SETTINGS, by_key, lambda key, value: key)
    for term in TERMS.values():
        if values[term.weight_option] is None:
            # The table has what a term follows before it.
            unit = values[TERMS[term.follows].weight_option] if term.follows else 1.0
            values[term.weight_option] = unit * term.weights[values["loss"]]
        if term.layers and term.layers_option:
            usual = backbone.usual_layers(term.layers)
            values[term.layers_option] = parse_layers(values[term.layers_option], usual, backbone)
    if values["init"] not in INITS:
        values["init"] = OWN_INIT
    values["dense"] = bool(values["dense"] and backbone.stem)
    if values["pooling"] != "max" and not _has_max_pooling(backbone):
        values["pooling"] = "max"
    recipe = Recipe(**values)
    _refuse_undoable(recipe)
    if not recipe.by.stepwise:
        return recipe
    if not any(recipe.weights_of_terms.values()):
        raise InputError("all weights are 0, which leaves nothing to optimize for")
    name, largest = max(recipe.weights_of_terms.items(), key=lambda item: item[1])
    if not _LEAST_WEIGHT <= largest <= _MOST_WEIGHT:
        raise InputError(
            f"the largest weight, {largest:g} of the {name} term, is not between "
            f"{_LEAST_WEIGHT:g} and {_MOST_WEIGHT:g}; only the ratios of weights matter, so "
            "multiply all of them by one number"
        )
    return recipe


def _refuse_undoable(recipe: Recipe) -> None:
    """Refuse a value of an option that its method cannot do.

    Raises:
        InputError: says which it can.
    """
    for option, able in recipe.by.only.items():
        value = getattr(recipe, option)
        if value not in able:
            raise InputError(
                f"--method {recipe.method} cannot do --{option.replace('_', '-')} {value}; it can: "
                + ", ".join(map(str, able))
            )


def _has_max_pooling(backbone: "Backbone") -> bool:
    """Tell whether a network pools; one that names no such layer is built for it, without weights.

    This may import torch.
    """
    if any(layer.kind == "pool" for layer in backbone.layers):
        return True
    import torch

    with torch.device("meta"):
        network = backbone.build()
    return any(isinstance(module, torch.nn.MaxPool2d) for module in network.modules())


def parse_layers(
    text: str | None, default: Mapping[str, float], backbone: "Backbone"
) -> dict[str, float]:
    """Read `relu1_1,relu2_1=0.5`: layers with their relative weights, which are 1 if not given.

    Raises:
        InputError: a weight that is no positive number, or a layer given twice.
        BackboneError: an unknown layer.
    """
    if text is None:
        # A plugin may write 1 for 1.0.
        return {name: float(weight) for name, weight in default.items()}
    layers: dict[str, float] = {}
    for item in text.split(","):
        name, equals, weight = (part.strip() for part in item.partition("="))
        backbone.layer(name)
        if name in layers:
            raise InputError(f"layer {name!r} is given twice in '{text}'")
        layers[name] = _positive(weight, text) if equals else 1.0
    # In the network's order, whatever that of the text: a sum's last digit depends on it.
    return {layer.name: layers[layer.name] for layer in backbone.layers if layer.name in layers}


def _positive(number: str, text: str) -> float:
    try:
        value = float(number)
    except ValueError:
        raise InputError(f"layer weight {number!r} in '{text}' is not a number") from None
    if not 0 < value < math.inf:
        raise InputError(f"layer weight {number!r} in '{text}' is not positive and finite")
    return value
