"""Every option that more than one command takes, in groups.

They are declared here, save for those that change the pixels, which `nstcli.recipe` declares.
A field's type and default are those of the value that a command receives, from wherever it was
set; `nstcli.config` knows the places, `nstcli.cli.groups` shows the options to typer.
"""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from nstcli.backends import BACKENDS
from nstcli.config import parsers, presets, shards
from nstcli.config.option import Option, settings_of
from nstcli.config.presets import PRESETS
from nstcli.config.shards import ArrayShard, Shard
from nstcli.recipe import Choices

Format = Literal["png", "jpg", "webp", "tiff"]
AnimationFormat = Literal["gif", "mp4", "webp"]


@dataclass(frozen=True)
class InputOptions:
    """Which pictures are taken."""

    panel: ClassVar[str] = "Inputs"

    recursive: Annotated[bool, Option("Look into sub-folders, too", "-r")] = False
    include: Annotated[
        tuple[str, ...],
        Option("Only files like this; may be repeated", metavar="GLOB", parse=parsers.texts),
    ] = ()
    exclude: Annotated[
        tuple[str, ...],
        Option("No files like this; may be repeated", metavar="GLOB", parse=parsers.texts),
    ] = ()
    pairs: Annotated[
        Literal["product", "zip"],
        Option("Every content with every style, or the first with the first and so on"),
    ] = "product"
    limit: Annotated[
        int | None, Option("Make at most so many of the pairs", least=1, metavar="N")
    ] = None
    max_pixels: Annotated[int, Option("Refuse pictures of more pixels", least=1, metavar="N")] = (
        200_000_000  # as `nstcli.images` has it, which takes its time to import
    )
    strict: Annotated[
        bool, Option("Make nothing where a picture cannot be read, instead of the others")
    ] = False
    blend: Annotated[
        bool, Option("Each sub-folder of STYLE is one style; weights may be in its blend.toml")
    ] = False
    style_mix: Annotated[
        int | None,
        Option("Go from each artwork to the next in so many pictures", least=2, metavar="N"),
    ] = None
    # Of the following, each is a file, or a folder with files called like the pictures.
    content_mask: Annotated[
        tuple[str, ...],
        Option(
            "Where photos take style: white all, black none; may be repeated, one for each style",
            metavar="PATH",
            parse=parsers.texts,
        ),
    ] = ()
    style_mask: Annotated[
        tuple[str, ...],
        Option(
            "Where artworks are taken from: white alone; may be repeated, one for each style",
            metavar="PATH",
            parse=parsers.texts,
        ),
    ] = ()
    content_regions: Annotated[
        str | None,
        Option(
            "Map of photos' regions, in flat colours: each is painted after that of its colour",
            metavar="PATH",
        ),
    ] = None
    style_regions: Annotated[
        tuple[str, ...],
        Option("Map of artworks' regions", metavar="PATH", parse=parsers.texts),
    ] = ()
    style_strength_map: Annotated[
        str | None,
        Option("How much of the style a place of photos takes, in gray levels", metavar="PATH"),
    ] = None
    content_weight_map: Annotated[
        str | None,
        Option("How much the content counts at a place of photos, likewise", metavar="PATH"),
    ] = None


# Masks and maps: options of the inputs that a single picture takes, too.
GUIDES = (
    "content_mask",
    "style_mask",
    "content_regions",
    "style_regions",
    "style_strength_map",
    "content_weight_map",
)


@dataclass(frozen=True)
class OutputOptions:
    """What is written."""

    panel: ClassVar[str] = "Output"

    name: Annotated[str, Option("How results are called, without suffix", metavar="TEMPLATE")] = (
        "{content}__{style}"
    )
    format: Annotated[Format | None, Option("File format of the results (png)")] = None
    quality: Annotated[
        int, Option("Quality of jpg and webp, 1 to 100", least=1, most=100, metavar="N")
    ] = 95
    bits: Annotated[
        int,
        Option("Bits a sample, 8 or 16; 16 is for png and tiff", metavar="N", parse=parsers.bits),
    ] = 8
    overwrite: Annotated[bool, Option("Replace files that are in the way, whoever made them")] = (
        False
    )
    force: Annotated[bool, Option("Make again what is up to date", "-f")] = False
    metadata: Annotated[bool, Option("Write into each picture how it was made")] = True
    save_every: Annotated[
        int | None,
        Option("Keep the picture after every N steps, beside the result", least=1, metavar="N"),
    ] = None
    animation: Annotated[
        AnimationFormat | None, Option("Show how each picture came about, beside the result")
    ] = None
    boomerang: Annotated[bool, Option("Let animations run back to their start")] = False
    animation_size: Annotated[
        int, Option("Longest edge of animations", least=16, most=1920, metavar="PX")
    ] = 480
    animation_seconds: Annotated[
        float, Option("What animations take at most", least=0.5, most=60, metavar="SEC")
    ] = 6.0
    gallery: Annotated[bool, Option("Write index.html, which shows all results")] = True


@dataclass(frozen=True)
class _Sources:
    """Where settings are taken from. A base of its own, as `--help` shows these first."""

    config: Annotated[
        Path | None,
        Option(
            "Take settings from a TOML or YAML file, or those of a result",
            "-c",
            metavar="FILE",
            in_files=False,
        ),
    ] = None
    preset: Annotated[
        str,
        Option(
            f"Start from these settings: {', '.join(PRESETS)}, or your own (see: nst preset)",
            metavar="NAME",
            parse=presets.named,
        ),
    ] = "default"


@dataclass(frozen=True)
class RecipeOptions(Choices, _Sources):
    """What changes the pixels, and where such settings are taken from."""

    panel: ClassVar[str] = "Recipe"

    def choices(self) -> dict[str, Any]:
        """Return what was chosen, by name, as `nstcli.recipe.resolve` takes it."""
        return {field.name: getattr(self, field.name) for field in fields(Choices)}


@dataclass(frozen=True)
class ExecutionOptions:
    """How and where the work is done. Nothing here changes what a picture shows."""

    panel: ClassVar[str] = "Execution"

    device: Annotated[
        str, Option("auto, cpu, mps, cuda, or some: cuda:0,cuda:1", metavar="DEVICE")
    ] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        Option("Of the network's features; auto measures once which is fastest here"),
    ] = "auto"
    jobs: Annotated[int, Option("Worker processes", "-j", least=1, metavar="N")] = 1
    pairs_per_step: Annotated[
        int | Literal["auto"],
        Option(
            "Pairs of one shape optimized together on one device",
            metavar="auto|N",
            parse=parsers.auto_or_count,
        ),
    ] = "auto"
    tile: Annotated[
        int | Literal["auto", "off"],
        Option(
            "Look at large pictures in parts of so many pixels, long and wide; auto: where memory "
            "would not do otherwise",
            metavar="auto|N|off",
            parse=parsers.auto_off_or_count,
        ),
    ] = "auto"
    memory: Annotated[
        int | None,
        Option(
            "Most main memory for all workers of a computer together: 4GB, 800MB (all that is "
            "free)",
            metavar="SIZE",
            parse=parsers.memory,
        ),
    ] = None
    fail_fast: Annotated[bool, Option("Stop at the first pair that fails")] = False
    timeout: Annotated[
        float | None,
        Option("Give a pair up after so many seconds", metavar="SEC", parse=parsers.seconds),
    ] = None
    shard: Annotated[
        Shard | ArrayShard | None,
        Option(
            "Make the I-th of N parts of the batch; auto: that of this task of a job array",
            metavar="I/N|auto",
            parse=shards.shard,
        ),
    ] = None
    backend: Annotated[
        str | None,
        Option(
            "Where pairs run (ray for an address, process for several jobs or devices, else local)",
            choices=tuple(BACKENDS),
        ),
    ] = None
    address: Annotated[
        str | None,
        Option("Join the Ray cluster there; auto: the one on this machine", metavar="ADDR"),
    ] = None
    gpus_per_worker: Annotated[
        float | None,
        Option("GPUs of each Ray worker (1); 0.5: two share one", above=0, metavar="N"),
    ] = None
    offline: Annotated[bool, Option("Never use the network")] = False

    @property
    def part(self) -> Shard | None:
        """The part of the batch that is to be made here; None for all of it.

        Raises:
            InputError: it is that of a job array's task, and this is none.
        """
        return self.shard.here(os.environ) if isinstance(self.shard, ArrayShard) else self.shard


@dataclass(frozen=True)
class MessageOptions:
    """What is said, and how."""

    panel: ClassVar[str] = "Messages"

    quiet: Annotated[bool, Option("Show problems only", "-q")] = False
    verbose: Annotated[
        bool, Option("Show more of each pair, and where each setting comes from", "-v")
    ] = False
    as_json: Annotated[
        bool, Option("Print a summary as JSON on the standard output", name="json")
    ] = False
    progress: Annotated[bool, Option("Show progress bars")] = True
    color: Annotated[
        Literal["auto", "always", "never"], Option("Colours in what is said; auto: on a terminal")
    ] = "auto"


GROUPS = (InputOptions, OutputOptions, RecipeOptions, ExecutionOptions, MessageOptions)

# All that can be set in the environment and in config files, whatever a command takes of it.
SETTINGS = settings_of(*GROUPS)
