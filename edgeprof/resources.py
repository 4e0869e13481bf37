"""Where the files that travel with edgeprof lie: in the wheel, or in the checkout of an editable install."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """Return the folder `name` (`targets`, `device_agents`).

    Raises:
        FileNotFoundError: The installation is incomplete.
    """
    for path in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if path.is_dir():
            return path
    raise FileNotFoundError(f"edgeprof is not completely installed: no folder {name!r}")
