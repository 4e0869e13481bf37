"""`python -m benchmarks.compress [NAME…]`: figures of compression, resumable; writes docs/compression-figures.md.

Sizes and accuracy of every subject come first, for they are the same on a busy machine; then latencies, then instructions
if a virtual board is up (`edgeprof lab up --cpu cortex-a76`). Each finished cell is kept below the folder: Ctrl-C loses
none, and the next run goes on. Without `--all` a subject's usual recipes are made, which takes less than 90 minutes on two
cores; the page shows whatever is there. `--again` measures latencies anew, on a quieter machine.
"""

import argparse
import shutil
import sys
from pathlib import Path

from benchmarks.compress.figures import rows
from benchmarks.compress.ledger import ACCURACY, INSTRUCTIONS, LATENCY, Ledger
from benchmarks.compress.measuring import (
    COUNTING,
    Bench,
    OutOfTime,
    Pace,
    count_instructions,
    measure_accuracies,
    measure_latencies,
)
from benchmarks.compress.models import EPOCHS, ROOT
from benchmarks.compress.page import Absence, fill_example, write_page
from benchmarks.compress.subjects import NAMES, USUAL_NAMES, Absent, Place, Subject, prepare, subject
from edgeprof.cli.terminal import Terminal
from edgeprof.store import open_store

EXAMPLE = "fashion_cnn"
STAGES = (ACCURACY, LATENCY, INSTRUCTIONS)


def main(arguments: list[str]) -> int:
    """Measure what is missing, as far as the minutes go, and write the page."""
    options = _options(arguments)
    place = Place(options.folder.absolute(), options.rows, options.epochs)
    place.folder.mkdir(parents=True, exist_ok=True)
    status = 0
    with Terminal() as terminal, open_store(f"{place.folder}/results.db") as store:
        pace = Pace(lambda text: terminal.host(text, None), options.minutes)
        bench = Bench(place.folder, Ledger(place.folder), store, terminal, pace, options.launches)
        try:
            if not options.page_only:
                _measure(bench, place, options)
        except OutOfTime:
            terminal.host("the minutes are over; the same command goes on", None)
        except KeyboardInterrupt:
            status = 130
            terminal.host("interrupted; the same command goes on", None)
        finally:
            shutil.rmtree(bench.board, ignore_errors=True)
        _write(bench, place, options)
    return status


def _measure(bench: Bench, place: Place, options: argparse.Namespace) -> None:
    """Go from stage to stage: every accuracy, every latency, every count."""
    names, stages = options.names or (NAMES if options.all else USUAL_NAMES), options.only or STAGES
    for name in names if ACCURACY in stages else ():
        bench.pace.check()
        bench.terminal.host(f"{name}: data and model", None)
        found = _subject(name, place, make=True)
        if isinstance(found, Subject):
            measure_accuracies(bench, found, everything=options.all)
    there = [found for name in names if isinstance(found := _subject(name, place), Subject) and found.timed]
    for one in there if LATENCY in stages else ():
        measure_latencies(bench, one, again=options.again)
    for one in there if INSTRUCTIONS in stages else ():
        if not count_instructions(bench, one, again=options.again):
            bench.terminal.host(f"instructions: no board `{COUNTING}`: edgeprof lab up --cpu cortex-a76", None)
            return


def _subject(name: str, place: Place, *, make: bool = False) -> Subject | Absence:
    try:
        if make:
            prepare(name, place)
        return subject(name, place)
    except Absent as exc:
        return Absence(name, str(exc))


def _write(bench: Bench, place: Place, options: argparse.Namespace) -> None:
    """Write the page of every subject, whichever were measured now."""
    note = (
        f"A trial: the two models for Fashion-MNIST saw at most {options.rows:,} of its 60,000 training images."
        if options.rows
        else None
    )
    found = [_subject(name, place) for name in NAMES]
    write_page(options.page, bench, found, note)
    print(options.page)
    example = next((one for one in found if isinstance(one, Subject) and one.name == EXAMPLE), None)
    if example:
        fill_example(options.table, rows(bench, example))
        print(options.table)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compress", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which subjects: {', '.join(NAMES)}")
    parser.add_argument("--minutes", type=float, help="begin nothing after so many")
    parser.add_argument("--all", action="store_true", help="every subject and every recipe: four to five hours")
    parser.add_argument("--again", action="store_true", help="measure latencies and instructions anew")
    parser.add_argument("--only", action="append", choices=STAGES, help="this stage alone; repeat for several")
    parser.add_argument("--page-only", action="store_true", help="measure nothing")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench" / "compress")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "compression-figures.md")
    parser.add_argument("--table", type=Path, default=ROOT / "docs" / "compression.md")
    parser.add_argument(
        "--rows", type=int, help="a trial: the two models for Fashion-MNIST get so many images of each part"
    )
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of training the two models")
    parser.add_argument("--launches", type=int, default=16, help="of each latency")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(NAMES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
