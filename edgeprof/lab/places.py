"""Where the lab keeps what it builds, and how two processes do not build it twice."""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from edgeprof.resources import cache_dir

GUEST = Path(__file__).parent / "guest"
Say = Callable[[str], None]


def lab_dir() -> Path:
    """Return the lab's folder in the host's cache; it need not exist."""
    return cache_dir() / "lab"


def key_of(*parts: object) -> str:
    """Return a short name for everything that a result was made from; a file among `parts` stands for its content."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else json.dumps(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` against other processes; the kernel frees the lock however this one ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return `folder`, made by `make` in a folder beside it if it is not there; a failure leaves nothing."""
    if folder.is_dir():
        return folder
    with locked(folder):
        if not folder.is_dir():
            _sweep(folder)
            partial = Path(mkdtemp(dir=folder.parent, prefix=f".partial-{folder.name}-"))
            try:
                make(partial)
                partial.chmod(0o755)
                partial.rename(folder)
            finally:
                with suppress(OSError):
                    shutil.rmtree(partial)
    return folder


def _sweep(folder: Path) -> None:
    """Remove what killed processes left; nobody else can be at it while we hold the lock."""
    for left in folder.parent.glob(f".partial-{folder.name}-*"):
        shutil.rmtree(left, ignore_errors=True)
