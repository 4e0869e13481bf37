"""The steps of a recipe carried out on a tf_keras model, each kept as soon as it is done. Child only."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprof.compress.bridge import know_activations
from edgeprof.compress.cache import move, partial
from edgeprof.compress.steps import Channels, Cluster, Discrete, Distill, LowRank, Prune, Qat, Step
from edgeprof.compress.teller import Teller
from edgeprof.compress.training import set_seeds
from edgeprof.compress.training_data import TrainingData
from edgeprof.errors import ModelError

_MODEL, _ABOUT = "model.h5", "stage.json"
Tell = Callable[[str, float | None], None]
# Warnings and notes of a step.
_Told = tuple[list[tuple[str, str]], list[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Staged:
    """A model after the steps of a recipe.

    Attributes:
        model: A tf_keras model.
        warnings: Pairs of code and text that its steps gave: what is doubtful.
        notes: Such pairs about what they did.
    """

    model: Any
    warnings: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...]


def apply_step(model: Any, step: Step, training: TrainingData | None, teller: Teller) -> Any:  # noqa: ANN401
    """Return a new tf_keras model: `model` after one step.

    The contract of every module named here, `apply(model, step, training, teller)`:

    - `model` is a functional or Sequential tf_keras model that is never changed, nor are its weights: begin with
      `edgeprof.compress.bridge.clone`. What is returned is an uncompiled tf_keras model with the same inputs and
      outputs, which `bridge.clone`, the next step, the TFLite converter and `.h5` can take.
    - `training` is `None` without `--train`; never so for a step whose `trains` is true. Fine-tune by
      `training.fine_tune`, choose by `training.validation`; evaluation sets are never there.
    - `teller.progress(text, fraction)` while it works; `teller.warn(code, text)` for what is doubtful about the
      result, `teller.note(code, text)` for what was done and is as it should be; all in the user's words.
    - The seeds are set before. A layer that cannot take the step is left as it is with a warning that names it and
      says why; if none can, `ModelError` says what would work.
    """
    # A step's module brings its libraries: it is imported when a recipe asks for it.
    match step:
        case Prune():
            from edgeprof.compress import pruning

            return pruning.apply(model, step, training, teller)
        case Cluster():
            from edgeprof.compress import clustering

            return clustering.apply(model, step, training, teller)
        case Qat():
            from edgeprof.compress import qat

            return qat.apply(model, step, training, teller)
        case Channels():
            from edgeprof.compress import channel_pruning

            return channel_pruning.apply(model, step, training, teller)
        case LowRank():
            from edgeprof.compress import low_rank

            return low_rank.apply(model, step, training, teller)
        case Distill():
            from edgeprof.compress import distilling

            return distilling.apply(model, step, training, teller)
        case Discrete():
            from edgeprof.compress import discretising

            return discretising.apply(model, step, training, teller)
        case _:
            raise ModelError(f"step `{step.kind}` has no code", "this is a defect of edgeprof: report it")


def run_steps(
    start: Callable[[], Any],
    steps: Sequence[Step],
    places: Sequence[Path],
    training: Callable[[], TrainingData | None],
    tell: Tell,
) -> Staged:
    """Return the model after all steps; those that were done before are read and not done again.

    Args:
        start: Gives the tf_keras model to begin with.
        steps: In order.
        places: Where the model after each step is kept.
        training: Gives the training data; called when a step has to be done.
        tell: Told what goes on and the share of all steps that is done.

    Raises:
        ModelError: A step cannot be done; says which layer, why, and what would work.
    """
    done = next((i for i in range(len(steps), 0, -1) if (places[i - 1] / _ABOUT).is_file()), 0)
    model = _read(places[done - 1]) if done else start()
    told = [_told(place) for place in places[:done]]
    for i in range(done, len(steps)):
        data = training()
        set_seeds(data.seed if data else 0)
        teller = Teller(lambda text, part, i=i: tell(text, (i + (part or 0)) / len(steps)))  # type: ignore[misc]
        teller.progress(f"{steps[i].kind}: starting")
        model = apply_step(model, steps[i], data, teller)
        told.append((teller.warnings, teller.notes))
        _keep(model, told[-1], places[i])
    warnings, notes = (tuple(pair for one in told for pair in one[kind]) for kind in (0, 1))
    return Staged(model, warnings, notes)


def _keep(model: Any, told: _Told, place: Path) -> None:  # noqa: ANN401
    with partial(place) as folder:
        made = folder / "made"
        made.mkdir()
        model.save(made / _MODEL, include_optimizer=False)
        (made / _ABOUT).write_text(json.dumps({"warnings": told[0], "notes": told[1]}))
        move(made, place)


def _read(place: Path) -> Any:  # noqa: ANN401
    import tensorflow_model_optimization as tfmot
    import tf_keras

    know_activations()
    with tfmot.quantization.keras.quantize_scope():
        return tf_keras.models.load_model(place / _MODEL, compile=False)


def _told(place: Path) -> _Told:
    found = json.loads((place / _ABOUT).read_text())
    warnings, notes = ([(code, text) for code, text in found[kind]] for kind in ("warnings", "notes"))
    return warnings, notes
