"""Evaluation sets of a profile, and what must be said of them before anything runs."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from edgeprof.accuracy import EvalSet, corrupted, find_leaks, load_eval, parse_corruption
from edgeprof.compress import CompressRequest, calibration_samples, check_ranges, training_samples
from edgeprof.errors import UsageError
from edgeprof.records import Warning_
from edgeprof.warnings_ import warning


def load_sets(named: Sequence[tuple[str, Path]], corruptions: Sequence[str]) -> tuple[EvalSet, ...]:
    """Return evaluation sets, and the first of them spoilt in each way that was asked for.

    Raises:
        UsageError: A file does not hold what it should, a corruption is unknown, or there is nothing to spoil.
        ModelError: The first set holds no images.
    """
    ways = dict.fromkeys(way for text in corruptions for way in parse_corruption(text))
    if ways and not named:
        raise UsageError("`--corrupt` needs samples to spoil", "add `--eval test.npz`")
    sets = [load_eval(path, name) for name, path in named]
    made = [corrupted(sets[0], *way) for way in ways]
    taken = {one.name for one in sets} & {one.name for one in made}
    if taken:
        raise UsageError(f"two evaluation sets are called `{taken.pop()}`", "give yours another name: --eval NAME=FILE")
    return (*sets, *made)


def data_warnings(compression: CompressRequest, evaluations: Sequence[EvalSet]) -> tuple[Warning_, ...]:
    """Return what is doubtful about data in their roles: ranges, and samples that a model has seen before.

    Raises:
        UsageError: Data cannot be read.
        ModelError: They are damaged.
    """
    if not evaluations:
        return ()
    return tuple(warning(code, text) for code, text in _found(compression, evaluations))


def _found(compression: CompressRequest, evaluations: Sequence[EvalSet]) -> Iterator[tuple[str, str]]:
    calibration = compression.calibration
    if calibration is not None and not calibration.is_dir():
        text = check_ranges(calibration, evaluations[0].x)
        if text is not None:
            yield "calibration_range", text
    seen = (
        ("training", compression.train, training_samples),
        ("calibration", calibration, calibration_samples),
    )
    for role, path, samples_of in seen:
        samples = None if path is None else samples_of(path)
        if samples is not None:
            for text in find_leaks(evaluations, role, samples):
                yield "leaked_eval_data", text
        elif path is not None:
            text = f"whether evaluation samples are in the {role} data is not known: `{path}` is no .npz of samples"
            yield "leaks_not_checked", text
