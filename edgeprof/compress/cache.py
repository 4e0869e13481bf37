"""What was made before: named by the content of everything it was made from."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from tempfile import TemporaryDirectory

import edgeprof.analysis
from edgeprof.errors import ModelError
from edgeprof.resources import cache_dir

_LIBRARIES = (
    "tensorflow", "keras", "tf_keras", "tensorflow-model-optimization", "ai-edge-litert", "litert-quantizer", "numpy",
)  # fmt: skip


def place(kind: str, *parts: object) -> Path:
    """Return where a result of `kind` made from `parts` is kept; the libraries and our own code count as parts."""
    text = json.dumps([kind, _code_sha256(), library_versions(), *parts])
    return cache_dir() / kind / hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def partial(target: Path) -> Iterator[Path]:
    """Give a folder beside `target` that is gone afterwards, whatever happens; what is ready is moved out of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=".partial-") as folder:
        yield Path(folder)


def move(source: Path, target: Path) -> None:
    """Rename a finished folder to its place; one that another process put there meanwhile is as good."""
    try:
        source.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def library_versions() -> tuple[tuple[str, str], ...]:
    """Return pairs of library and version, of those that are installed."""
    return tuple((name, found) for name in _LIBRARIES if (found := _installed(name)))


def content_sha256(path: Path) -> str:
    """Return the hash of a file, or of a folder's files with their names.

    Raises:
        ModelError: A file cannot be read.
    """
    try:
        if not path.is_dir():
            return _file_sha256(path)
        files = sorted(file for file in path.rglob("*") if file.is_file())
        listing = [(file.relative_to(path).as_posix(), _file_sha256(file)) for file in files]
    except OSError as exc:
        raise ModelError(f"cannot read `{exc.filename}`: {exc.strerror}", "check its permissions") from exc
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _installed(name: str) -> str | None:
    try:
        return installed(name)
    except PackageNotFoundError:
        return None


def _code_sha256() -> str:
    """Return the hash of the code that makes what is cached."""
    folders = (Path(__file__).parent, Path(edgeprof.analysis.__file__).parent)
    content = b"".join(file.read_bytes() for folder in folders for file in sorted(folder.rglob("*.py")))
    return hashlib.sha256(content).hexdigest()
