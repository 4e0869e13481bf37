"""What must be said loudly of a result: it lost too much, or its outputs say nothing."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edgeprof import units
from edgeprof.accuracy.evaluation import EvalSet
from edgeprof.accuracy.judging import Outputs
from edgeprof.accuracy.scoring import predictions, threshold
from edgeprof.analysis.numbers import from_tensor
from edgeprof.records import Artifact
from edgeprof.scores import Evaluation, Score
from edgeprof.stats.accuracy import in_points, loss_name
from edgeprof.stats.packed import unpack
from edgeprof.stats.paired import float_range, loss, score_range

# A loss of more than a point is what releases forbid most often; of an error that has no scale, a tenth of itself.
LOSSY_POINTS = 1.0
_LOSSY_RATIO = 0.1
# A model that always says one class would agree as often as that.
_ONE_CLASS_RATIO = 0.95
# A range from calibration misses some values of other samples; of another scale, most.
_CLIPPED_RATIO = 0.1
# Of fewer samples no share is worth a warning.
_ENOUGH = 20


def doubts(evaluations: Sequence[Evaluation], outputs: Outputs, floats: Outputs | None) -> Iterator[tuple[str, str]]:
    """Yield pairs of warning code and text about one set's evaluations.

    Args:
        evaluations: One an output.
        outputs: What the device gave, each `(n, elements)`, in the evaluations' order.
        floats: The float model's, or `None`.
    """
    for index, evaluation in enumerate(evaluations):
        if evaluation.scores:
            yield from _lossy(evaluation, evaluation.scores[0])
        if spoilt := int(np.isnan(outputs[index]).any(axis=1).sum()):
            text = (
                f"outputs for {spoilt} of {evaluation.n_samples} samples of `{evaluation.title}` are no numbers (NaN)"
            )
            yield "nan_outputs", f"{text}: none of them counts as right; is NaN in its weights, its input scaled?"
        elif len(outputs[index]) > 1 and np.ptp(outputs[index], axis=0).max() == 0:
            text = f"the outputs are the same for all {evaluation.n_samples} samples of `{evaluation.title}`"
            alike = floats is not None and all(np.ptp(part, axis=0).max() == 0 for part in floats)
            cause = "the float model's too: is it trained, is its input scaled?" if alike else "it has lost its input"
            yield "constant_outputs", f"{text}; {cause}"
        elif _collapsed(evaluation):
            yield "constant_outputs", f"every sample of `{evaluation.title}` is taken for one and the same class"
        elif evaluation.scores:
            yield from _by_chance(evaluation, evaluation.scores[0])
        elif floats is not None:
            yield from _one_class(evaluation, floats[index])


def clipped(artifact: Artifact, evaluation: EvalSet) -> Iterator[tuple[str, str]]:
    """Yield a warning where samples reach far beyond what an integer input can hold: most likely of another scale."""
    spec = artifact.inputs[0]
    if spec.scale is None or evaluation.x.dtype == np.dtype(spec.dtype) or evaluation.base is not None:
        return
    lowest, highest = from_tensor(spec, np.array([np.iinfo(spec.dtype).min, np.iinfo(spec.dtype).max]))
    beyond = (evaluation.x < lowest - spec.scale) | (evaluation.x > highest + spec.scale)
    if (share := float(beyond.mean())) > _CLIPPED_RATIO:
        reach = f"{units.percent(share)} of the values of `{evaluation.name}` are beyond what its input holds"
        held = (
            f"{lowest:.3g} to {highest:.3g}, and the set reaches {evaluation.x.min():.3g} to {evaluation.x.max():.3g}"
        )
        yield "clipped_inputs", f"{reach} ({held}) and were clipped: scale them as its calibration data were"


def _lossy(evaluation: Evaluation, score: Score) -> Iterator[tuple[str, str]]:
    lost = loss(score)
    if lost is None or score.float_point is None:
        return
    worse, name = in_points(score, lost.worse), loss_name(score)
    most = LOSSY_POINTS if name.endswith("_points") else _LOSSY_RATIO * abs(score.float_point)
    if worse.point <= most:
        return
    limit = units.quantity(name, most).lstrip("+")
    ends = f"{units.quantity(name, worse.low)} … {units.quantity(name, worse.high)}"
    sure = f"surely more than {limit}" if worse.low > most else f"perhaps no more than {limit}"
    text = f"on `{evaluation.title}` it is worse than the float model by {units.quantity(name, worse.point)}"
    yield "lossy_result", f"{text} ({ends}, 95 %), {sure}"


def _by_chance(evaluation: Evaluation, score: Score) -> Iterator[tuple[str, str]]:
    """Yield a warning where whoever always names the commonest class may be right as often: no accuracy to compare."""
    if score.name != "top1_ratio" or evaluation.labels is None or evaluation.base is not None:
        return
    reached, whose = (float_range(score), "the float model") if score.float_values else (score_range(score), "it")
    commonest = np.unique_counts(unpack(evaluation.labels)).counts
    chance = float(commonest.max()) / evaluation.n_samples
    if reached is None or evaluation.n_samples < _ENOUGH or len(commonest) < 2 or reached.low > chance:
        return
    ends = f"{units.percent(reached.low)} … {units.percent(reached.high)}"
    text = f"on `{evaluation.title}` {whose} is right for {units.percent(reached.point)} ({ends}, 95 %)"
    guess = f"always to name the commonest class, for {units.percent(chance)}"
    yield "chance_level", f"{text}; {guess}: are the samples scaled as in training, the labels numbered alike?"


def _one_class(evaluation: Evaluation, floats: NDArray[np.float32]) -> Iterator[tuple[str, str]]:
    """Yield a warning where a model that always says the same class would agree as well."""
    if all(one.n_agreed is None for one in evaluation.agreements):
        return
    count = int(np.unique_counts(predictions(floats, threshold(floats))).counts.max(initial=0))
    if len(floats) >= _ENOUGH and count >= _ONE_CLASS_RATIO * len(floats):
        text = f"the float model takes {count} of {len(floats)} samples of `{evaluation.title}` for one class"
        yield "one_class", f"{text}: agreement on them says little; see the signal to error, or give other samples"


def _collapsed(evaluation: Evaluation) -> bool:
    """Return whether one class is all that a classifier says, of labels of several."""
    if evaluation.labels is None or evaluation.predicted is None:
        return False
    return len(set(unpack(evaluation.predicted).tolist())) == 1 and len(set(unpack(evaluation.labels).tolist())) > 1
