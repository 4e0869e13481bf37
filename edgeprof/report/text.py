"""Consoles and tables that everything printed for people shares."""

import sys

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Piped output is not folded at 80 columns: a table keeps its lines whole for `grep` and `less -S`.
_PIPED_WIDTH = 240


def console() -> Console:
    """Return the console for results on standard output."""
    found = Console(highlight=False, soft_wrap=True)
    if not found.is_terminal:
        found.width = max(found.width, _PIPED_WIDTH)
    return found


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """Return an empty table; the columns named in `right` hold numbers."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def plain(text: object) -> Text:
    """Return user text as it is: no markup in a model's name is obeyed, no control character reaches the terminal."""
    return Text("".join(char if char.isprintable() else "?" for char in str(text)))


def write(text: str) -> None:
    """Write a document to standard output."""
    sys.stdout.write(text + "\n")
