"""Which channels go: by a share of the multiply-accumulates or of the channels, layer by layer or over all."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgeprof.compress.techniques.atoms import Labels
from edgeprof.compress.techniques.coupling import Coupling, Family, Kept, macs
from edgeprof.compress.techniques.importance import Scores
from edgeprof.errors import ModelError

_STEPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How many channels go, and where from.

    Attributes:
        share: What is to go, 0 to 1.
        by: Of what: `macs` or `channels`.
        scope: `layer`: the same share of each layer; `global`: the least important wherever they are.
        multiple: What is left of each layer is a multiple of this, or all of it.
        least: Share of each layer that stays at least, however unimportant.
    """

    share: float
    by: str = "macs"
    scope: str = "layer"
    multiple: int = 1
    least: float = 0.1


def choose(coupling: Coupling, scores: Scores, choice: Choice) -> Kept:
    """Return which classes stay so that at least the share asked for goes, and as little more as can be.

    Where multiples are asked for, no layer could have one more.

    Args:
        coupling: The model; only its families lose channels.
        scores: Importance by class number, comparable between families where the scope is global.
        choice: How many go.

    Raises:
        ModelError: So much cannot go; says how much can, and which layers stay whole and why.
    """
    kept_at = _global(coupling, scores, choice) if choice.scope == "global" else _layerwise(coupling, scores, choice)
    low, high = 0, _STEPS
    most = gone(coupling, kept_at(high), choice.by)
    if most < choice.share:
        raise _too_much(coupling, choice, most)
    while low < high:
        middle = (low + high) // 2
        if gone(coupling, kept_at(middle), choice.by) >= choice.share:
            high = middle
        else:
            low = middle + 1
    kept = kept_at(high)
    # One by one, layers step so finely that they take little more than was asked for as it is.
    return kept if choice.multiple == 1 else _given_back(coupling, scores, kept, choice)


def gone(coupling: Coupling, kept: Kept, by: str) -> float:
    """Return the share of the multiply-accumulates, or of all channels that layers make, that is no more there."""
    if by == "macs":
        whole = macs(coupling, coupling.all_kept())
        return 1 - macs(coupling, kept) / whole if whole else 0.0
    made = [notes.made for notes in coupling.slices.values() if notes.made is not None]
    count = sum(len(labels) for labels in made)
    return 1 - sum(int(coupling.keeps(labels, kept).sum()) for labels in made) / count if count else 0.0


def _given_back(coupling: Coupling, scores: Scores, kept: Kept, choice: Choice) -> Kept:
    """Return `kept` with a multiple given back to one layer after another, until no layer can have one more.

    Layers that lose alike reach a multiple at the same step, and together take far more than was asked for. Each layer
    that has lost the largest share comes first; where the scope is global, whose channels matter most.
    """
    able = list(coupling.families)
    while able:
        gifts = [_gift(family, scores, kept, choice) for family in able]
        first = min(range(len(able)), key=lambda i: _need(able[i], scores, kept, gifts[i], choice))
        more = kept.copy()
        more[gifts[first]] = True
        if len(gifts[first]) and gone(coupling, more, choice.by) >= choice.share:
            kept = more
        else:
            able.pop(first)  # later it would cost no less
    return kept


def _gift(family: Family, scores: Scores, kept: Kept, choice: Choice) -> Labels:
    """Return the most important of the channels that a family has lost: those of one multiple."""
    lost = family.classes[~kept[family.classes]]
    count = min(len(lost), choice.multiple)
    return lost[np.argsort(-scores[lost], kind="stable")[:count]]


def _need(family: Family, scores: Scores, kept: Kept, gift: Labels, choice: Choice) -> float:
    if choice.scope == "global" and len(gift):
        return -float(scores[gift].mean())
    return float(kept[family.classes].mean())


def _layerwise(coupling: Coupling, scores: Scores, choice: Choice) -> Callable[[int], Kept]:
    ranked = [family.classes[np.argsort(scores[family.classes], kind="stable")] for family in coupling.families]

    def kept_at(step: int) -> Kept:
        kept = coupling.all_kept()
        for family in ranked:
            left = _left(len(family), len(family) * (1 - step / _STEPS), choice)
            kept[family[: len(family) - left]] = False
        return kept

    return kept_at


def _global(coupling: Coupling, scores: Scores, choice: Choice) -> Callable[[int], Kept]:
    every = np.concatenate([family.classes for family in coupling.families] or [np.zeros(0, np.int64)])
    order = np.sort(scores[every])

    def kept_at(step: int) -> Kept:
        count = round(len(order) * step / _STEPS)
        limit = order[count - 1] if count else -np.inf
        kept = coupling.all_kept()
        for family in coupling.families:
            ranked = family.classes[np.argsort(scores[family.classes], kind="stable")]
            left = _left(len(ranked), float((scores[ranked] > limit).sum()), choice)
            kept[ranked[: len(ranked) - left]] = False
        return kept

    return kept_at


def _left(size: int, wanted: float, choice: Choice) -> int:
    """Return how many of a family's `size` channels stay: at least `wanted`, in multiples, and never none."""
    least = max(1.0, wanted, size * choice.least)
    return min(size, int(np.ceil(least / choice.multiple - 1e-9)) * choice.multiple)


def _too_much(coupling: Coupling, choice: Choice, most: float) -> ModelError:
    what = "multiply-accumulates" if choice.by == "macs" else "channels"
    whole = "; ".join(f"`{name}` stays whole: {reason}" for name, reason in list(coupling.fixed.items())[:5])
    if not coupling.families:
        return ModelError(
            f"no channel of `{coupling.model.name}` can be removed: {whole or 'no layer makes any'}",
            "low rank and quantisation need no such freedom: see docs/compression.md",
        )
    share = f"ask for at most `share = {np.floor(most * 100) / 100:.2f}`"
    rounding = ", or for a smaller `multiple`" if choice.multiple > 1 else ""
    return ModelError(
        f"at most {most:.0%} of the {what} of `{coupling.model.name}` can go, and {choice.share:.0%} were asked for"
        + (f" ({whole})" if whole else ""),
        share + rounding,
    )


def describe(coupling: Coupling, kept: Kept) -> list[tuple[str, int, int]]:
    """Return for each layer that loses channels its name, how many it had and how many it has."""
    rows = []
    for notes in coupling.slices.values():
        if notes.made is not None:
            left = int(coupling.keeps(notes.made, kept).sum())
            if left < len(notes.made):
                rows.append((notes.layer.name, len(notes.made), left))
    return rows
