"""What real boards said, as their owners posted it: tests/data/recorded/, each file with where it was found."""

from pathlib import Path

_FOLDER = Path(__file__).parent / "data" / "recorded"


def recorded(name: str) -> str:
    """Return a recording without its header."""
    lines = (_FOLDER / name).read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#"))
