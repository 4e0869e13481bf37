"""Consoles and tables that everything printed for people shares."""

import sys

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.table import Table
from rich.text import Text

# Piped output is not folded at 80 columns: a table keeps its lines whole for `grep` and `less -S`.
_PIPED_WIDTH = 240
_UNBOUNDED = 10_000


def console() -> Console:
    """Return the console for results on standard output."""
    found = Console(highlight=False, soft_wrap=True)
    if not found.is_terminal:
        found.width = max(found.width, _PIPED_WIDTH)
    return found


class _Fitting(Table):
    """A table whose columns stand closer together where the terminal is too narrow for it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.__rich_measure__(console, options.update(max_width=_UNBOUNDED)).maximum > options.max_width:
            self.padding = (0, 1, 0, 0)
        yield from super().__rich_console__(console, options)


def table(*columns: str, right: tuple[str, ...] = (), whole: tuple[str, ...] = ()) -> Table:
    """Return an empty table; columns named in `right` hold numbers, those in `whole` names that stay whole."""
    made = _Fitting(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
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
