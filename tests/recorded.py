"""What boards say: recorded on real ones (tests/data/recorded/, with the place), or by hand (tests/data/synthetic/)."""

from pathlib import Path

_DATA = Path(__file__).parent / "data"


def recorded(name: str) -> str:
    """Return what a real board said, as its owner posted it, without the file's header."""
    return _without_header(_DATA / "recorded" / name)


def synthetic(name: str) -> str:
    """Return what somebody wrote by hand, which verifies nothing about real boards, without the file's header."""
    return _without_header(_DATA / "synthetic" / name)


def _without_header(path: Path) -> str:
    lines = path.read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#"))
