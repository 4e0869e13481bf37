"""Where files lie: those that travel with edgeprof (in the wheel, or in the checkout), and those that it keeps."""

import os
from pathlib import Path

CONFIG_DIR_VARIABLE = "EDGEPROF_CONFIG_DIR"
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


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, all of it or nothing: what stood there stays until the new content is complete.

    What is no ordinary file (`/dev/stdout`), or lies in a folder that may not be written, is written as it is.

    Raises:
        OSError: It cannot be written.
    """
    stream = path.absolute().parts[:2] in (("/", "dev"), ("/", "proc"))
    if path.exists() and (stream or not path.is_file() or not os.access(path.parent, os.W_OK)):
        path.write_bytes(data)
        return
    target = path.resolve()
    part = target.with_name(f".edgeprof-{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # a name that is moved before its bytes are kept is an empty file after a power cut
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def cache_dir() -> Path:
    """Return the host's cache: `EDGEPROF_CACHE_DIR`, else the user's. It need not exist; all in it can be remade."""
    given = os.environ.get("EDGEPROF_CACHE_DIR")
    if given:
        return Path(given).expanduser()
    from platformdirs import user_cache_path  # noqa: PLC0415 - not where the variable is set

    return user_cache_path("edgeprof")


def config_dir() -> Path:
    """Return the folder of the user's configuration; it need not exist."""
    given = os.environ.get(CONFIG_DIR_VARIABLE)
    if given:
        return Path(given).expanduser()
    from platformdirs import user_config_path  # noqa: PLC0415 - not where the variable is set

    return user_config_path("edgeprof")
