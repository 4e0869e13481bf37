"""Consoles and tables that everything printed for people shares."""

import sys
from dataclasses import replace

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.table import Table
from rich.text import Text

# A terminal's lines are broken between words. Piped output is not folded at 80 columns: a table keeps its lines whole
# for `grep` and `less -S`.
_PIPED_WIDTH = 240
_UNBOUNDED = 10_000


def console() -> Console:
    """Return the console for results on standard output."""
    found = Console(highlight=False)
    if not found.is_terminal:
        found.soft_wrap = True
        found.width = max(found.width, _PIPED_WIDTH)
    return found


class _Fitting(Table):
    """A table that fits a narrow terminal: its columns stand closer together, then those it can spare are left out."""

    spare: tuple[str, ...] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        def too_wide() -> bool:
            return self.__rich_measure__(console, options.update(max_width=_UNBOUNDED)).maximum > options.max_width

        if too_wide():
            self.padding = (0, 1, 0, 0)
        left_out = []
        for name in self.spare:
            if too_wide():
                kept = [column for column in self.columns if column.header != name]
                # rich knows by its number which column is the last, and gives that one no padding
                self.columns = [replace(column, _index=place) for place, column in enumerate(kept)]
                left_out.append(name)
        yield from super().__rich_console__(console, options)
        if left_out:
            yield Text(f"no room for {', '.join(left_out)}: widen the terminal, or --json")


def table(
    *columns: str, right: tuple[str, ...] = (), whole: tuple[str, ...] = (), spare: tuple[str, ...] = ()
) -> Table:
    """Return an empty table.

    Args:
        columns: The headings.
        right: Those that hold numbers.
        whole: Those whose texts are never broken.
        spare: Those to leave out where there is no room, the first to go first.
    """
    made = _Fitting(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    made.spare = spare
    for column in columns:
        justify: JustifyMethod = "right" if column in right else "left"
        made.add_column(column, justify=justify, overflow="fold", no_wrap=column in whole)
    return made


def plain(text: object) -> Text:
    """Return user text as it is: no markup in a model's name is obeyed, no control character reaches the terminal."""
    return Text("".join(char if char.isprintable() else "?" for char in str(text)))


def write(text: str) -> None:
    """Write a document to standard output."""
    sys.stdout.write(text + "\n")
