"""Which layers to leave in float: layers are tried alone and with those that read them, the best ones together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgeprof.compress.error_report import FINE, IMPROVED, NOTHING, REPAIRED, OpError, Trial

# int8 that works leaves 20 dB and more.
FINE_DB = 20.0
FINE_SHARE = 0.99
# Less is no gain worth a larger file.
_GAIN_DB = 1.0
_NOISIEST, _NARROWEST = 8, 4
_ROUNDS, _MORE = 3, 4
Try = Callable[[tuple[str, ...], float], Trial]


@dataclass(frozen=True, slots=True)
class Finding:
    """What trying has shown.

    Attributes:
        n: Samples of each trial.
        before: The recipe as it is.
        tried: All else, in order.
        chosen: The smallest that is fine, else the best that is better than `before`, else `None`.
    """

    n: int
    before: Trial
    tried: tuple[Trial, ...]
    chosen: Trial | None

    def verdict(self, after: Trial | None) -> str:
        """Return which `ErrorReport.verdict` holds, with `after` the choice converted from the start."""
        if after is None:
            return FINE if fine(self.before, self.n) else NOTHING
        if fine(after, self.n):
            return REPAIRED
        return IMPROVED if _better(after, self.before) else NOTHING


def fine(trial: Trial, n: int) -> bool:
    """Return whether a conversion says what the float model says: 20 dB, and 99 % of the highest outputs."""
    agrees = trial.agreed is None or trial.agreed >= FINE_SHARE * n
    return agrees and (trial.sqnr_db is None or trial.sqnr_db >= FINE_DB)


def search(rows: Sequence[OpError], readers: Mapping[str, Sequence[str]], n: int, tried: Try) -> Finding:
    """Return which layers are best left in float.

    An operator that rounds badly is repaired alone. A tensor whose range is too wide for what it says is rounded again
    for whoever reads it, so that its readers have to stay in float too.

    Args:
        rows: What int8 adds at each operator.
        readers: The layers that read a layer's output.
        n: Samples of each trial.
        tried: Converts with some layers in float, given how far the search is.
    """
    before = tried((), 0.0)
    if fine(before, n):
        return Finding(n, before, (), None)
    sets = _candidates(rows, readers)
    most = len(sets) + _ROUNDS * _MORE
    trials = [tried(leave, (i + 1) / most) for i, leave in enumerate(sets)]
    ranked = sorted(trials, key=_score, reverse=True)
    for _ in range(_ROUNDS):
        if not trials or any(fine(trial, n) for trial in trials):
            break
        best = max(trials, key=_score)
        unions = dict.fromkeys(_joined(best.leave_float, other.leave_float) for other in ranked[: _MORE + 1])
        known = {trial.leave_float for trial in trials}
        more = [tried(leave, (len(trials) + i) / most) for i, leave in enumerate(unions) if leave not in known]
        trials += more
        if not any(_better(trial, best) for trial in more):
            break
    return Finding(n, before, tuple(trials), _chosen(before, trials, n))


def _chosen(before: Trial, trials: Sequence[Trial], n: int) -> Trial | None:
    good = [trial for trial in trials if fine(trial, n)]
    if good:
        return min(good, key=lambda trial: (len(trial.leave_float), trial.size_bytes))
    best = max(trials, key=_score, default=None)
    return best if best is not None and _better(best, before) else None


def _candidates(rows: Sequence[OpError], readers: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    noisy = sorted(rows, key=lambda row: -row.rmse_steps)
    narrow = sorted((row for row in rows if row.spread_steps is not None), key=lambda row: row.spread_steps or 0)
    alone = list(dict.fromkeys((row.layer,) for row in noisy))[:_NOISIEST]
    pairs = [_joined((row.layer,), tuple(readers.get(row.layer, ()))) for row in narrow]
    return list(dict.fromkeys((*alone, *list(dict.fromkeys(pairs))[:_NARROWEST])))


def _joined(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*one, *other}))


def _score(trial: Trial) -> tuple[int, float]:
    return trial.agreed or 0, float("inf") if trial.sqnr_db is None else trial.sqnr_db


def _better(trial: Trial, than: Trial) -> bool:
    agreed, decibels = _score(trial)
    was_agreed, was_decibels = _score(than)
    return decibels >= was_decibels + _GAIN_DB or (agreed > was_agreed and decibels >= was_decibels)
