"""Where files lie: those that travel with edgeprof (in the wheel, or in the checkout), and those that it keeps."""

import os
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


def cache_dir() -> Path:
    """Return the host's cache: `EDGEPROF_CACHE_DIR`, else the user's. It need not exist; all in it can be remade."""
    from platformdirs import user_cache_path  # noqa: PLC0415 - only where it is not given

    given = os.environ.get("EDGEPROF_CACHE_DIR")
    return Path(given).expanduser() if given else user_cache_path("edgeprof")
