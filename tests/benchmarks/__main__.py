"""The command: choose what is measured, measure it, write the report."""

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from nstcli import images, samples
from nstcli.images import Picture
from tests.benchmarks import (
    contention,
    crowd,
    growth,
    machine,
    memory,
    objective,
    report,
    speed,
    startup,
    tiles,
)
from tests.benchmarks.report import Section
from tests.benchmarks.scope import Scope

SECTIONS: Mapping[str, Callable[[Scope], Section]] = {
    "speed": speed.measure,
    "objective": objective.measure,
    "memory": memory.measure,
    "tiles": tiles.measure,
    "growth": growth.measure,
    "crowd": crowd.measure,
    "startup": startup.measure,
    "contention": contention.measure,
}
MODELS = ("vgg19", "vgg16", "squeezenet", "mobilenet")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark: Markdown to standard output, progress to standard error."""
    asked = _parser().parse_args(arguments)
    told = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "tests.benchmarks", *told])
    with tempfile.TemporaryDirectory(prefix="nst-benchmark-") as scratch:
        _run(_scope(asked, Path(scratch)), asked.sections, command, asked.json)


def _run(scope: Scope, names: Sequence[str], command: str, json_file: Path | None) -> None:
    """Write each section as soon as it is there, so that a late problem loses nothing."""
    described = machine.described()
    sys.stdout.write(report.markdown_of_head(command, described) + "\n")
    found: dict[str, Section] = {}
    for name in names:
        started = time.perf_counter()
        found[name] = SECTIONS[name](scope)
        described[f"load after {name}"] = machine.load()
        sys.stdout.write(report.markdown_of(found[name]) + "\n")
        sys.stdout.flush()
        sys.stderr.write(f"{name}: {time.perf_counter() - started:.0f} s\n")
        if json_file:
            json_file.write_text(report.json_of(command, described, found), "utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small and short, about a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there, too")
    parser.add_argument("--content", type=Path, metavar="IMG", help="photo (the astronaut)")
    parser.add_argument("--style", type=Path, metavar="IMG", help="artwork (woven_strokes)")
    parser.add_argument(
        "--sections",
        type=_names(SECTIONS),
        default=tuple(SECTIONS),
        metavar="A,B",
        help=f"of {', '.join(SECTIONS)}",
    )
    parser.add_argument("--models", type=_names(), metavar="A,B", help=", ".join(MODELS))
    parser.add_argument("--sizes", type=_numbers, metavar="N,M", help="256,512,1024; longest edges")
    parser.add_argument("--rounds", type=int, metavar="N", help="repetitions; the best counts (5)")
    parser.add_argument("--crowd", type=int, metavar="N", help="contents and styles there (100)")
    parser.add_argument(
        "--memory-evaluations",
        type=int,
        metavar="N",
        help="of the reference in the memory section (24); 101 fill its history",
    )
    return parser


def _names(known: Mapping[str, object] | None = None) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        unknown = [name for name in names if known is not None and name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}")
        return names

    return parse


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(number) for number in text.split(",")))


def _scope(asked: argparse.Namespace, scratch: Path) -> Scope:
    """Put together what is measured: everything, or `--quick`, with what the options change."""
    models = asked.models or (("squeezenet",) if asked.quick else MODELS)
    sizes = asked.sizes or ((128, 256) if asked.quick else (256, 512, 1024))
    scope = Scope(
        content=_picture(asked.content, "CONTENT", "astronaut"),
        style=_picture(asked.style, "STYLE", "woven_strokes"),
        scratch=scratch,
        models=models,
        sizes=sizes,
        rounds=5,
        product=2048,
        main="vgg19" if "vgg19" in models else models[0],
        small="squeezenet" if "squeezenet" in models else models[-1],
        objective_size=512 if 512 in sizes else sizes[-1],
        checkpoints=(100, 300),
        steps=(100, 200, 400),
        memory_models=tuple(m for m in models if m in {"vgg19", "squeezenet"}) or models[:1],
        memory_sizes=tuple(size for size in sizes if size >= 512) or sizes[-1:],
        memory_evaluations=24,
        growth_steps=200,
        photo=2048,
        batch_size=256,
        crowd=100,
        contention_sizes=asked.sizes or (192, 512),
        contention_seconds=3.0,
    )
    if asked.quick:
        scope = replace(
            scope,
            rounds=2,
            product=1024,
            checkpoints=(20, 60),
            steps=(30, 60),
            memory_evaluations=12,
            growth_steps=30,
            photo=512,
            batch_size=128,
            crowd=20,
            contention_sizes=asked.sizes or (192,),
            contention_seconds=0.5,
        )
    chosen = {name: getattr(asked, name) for name in ("rounds", "memory_evaluations", "crowd")}
    return replace(scope, **{name: value for name, value in chosen.items() if value})


def _picture(path: Path | None, role: str, sample: str) -> Picture:
    if path is None:
        return Picture(getattr(samples, role)[sample]())
    return images.decode(path.read_bytes(), str(path))


if __name__ == "__main__":
    main()
