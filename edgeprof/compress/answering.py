"""A question about a model that a child with TensorFlow answers once; then the cache does."""

from collections.abc import Callable
from pathlib import Path

from edgeprof.compress.cache import move, partial
from edgeprof.compress.child import require_extra, run_child
from edgeprof.compress.jobs import Job
from edgeprof.compress.making import Progress


def answer(program: str, job: Callable[[Path], Job], kept: Path, progress: Progress) -> str:
    """Return what a child wrote, of this time or of an earlier one.

    Args:
        program: What the child runs; it writes a file of the name of `kept` into its job's folder.
        job: Makes the job, given its folder.
        kept: The file in the cache, in a folder of its own.
        progress: Told what goes on.

    Raises:
        UsageError: The `compress` extra is not installed.
        ModelError: The model or its data are at fault.
    """
    if not kept.is_file():
        require_extra()
        progress("starting TensorFlow", None)
        with partial(kept.parent) as folder:
            run_child(program, job(folder), lambda line: progress(line.text, line.fraction))
            made = folder / "made"
            made.mkdir()
            (folder / kept.name).rename(made / kept.name)
            move(made, kept.parent)
    return kept.read_text()
