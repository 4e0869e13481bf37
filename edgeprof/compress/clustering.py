"""Weights of a kernel share few values, by TFMOT. Child only."""

from typing import Any

import numpy as np

from edgeprof.compress.bridge import clone
from edgeprof.compress.steps import Cluster
from edgeprof.compress.teller import Teller
from edgeprof.compress.training import fine_tune
from edgeprof.compress.training_data import TrainingData
from edgeprof.compress.wrapping import kernel, pick, wrap
from edgeprof.errors import ModelError


def apply(model: Any, step: Cluster, training: TrainingData | None, teller: Teller) -> Any:  # noqa: ANN401
    """See `edgeprof.compress.stages.apply_step`.

    Raises:
        ModelError: No layer can be clustered, or a kernel has more values than were asked for.
    """
    from tensorflow_model_optimization.clustering import keras as clustering
    from tensorflow_model_optimization.python.core.clustering.keras.experimental import cluster

    picked = pick(model, step.leave, teller, "clustering")
    picked -= _small(model, step, picked, teller)
    if not picked:
        raise ModelError("no layer of the model can be clustered", "it takes Dense and Conv layers with enough weights")
    first = clustering.CentroidInitialization.KMEANS_PLUS_PLUS
    # Zeros are no cluster of TFMOT's where they are kept: they would be one value more.
    keeps_zeros = step.keep == "zeros"

    def wrapped(layer: Any) -> Any:  # noqa: ANN401
        return cluster.cluster_weights(layer, step.clusters - keeps_zeros, first, preserve_sparsity=keeps_zeros)

    made = wrap(model, picked, wrapped)
    if training is None or step.epochs == 0:
        teller.warn("not_fine_tuned", "clustered at once, without `--train`: expect more loss than with fine-tuning")
    else:
        fine_tune(made, training, step, teller)
    stripped = clone(clustering.strip_clustering(made))
    _check(model, stripped, step, picked)
    return stripped


def _small(model: Any, step: Cluster, picked: set[str], teller: Teller) -> set[str]:  # noqa: ANN401
    small = {name for name in picked if len(np.unique(kernel(model.get_layer(name)))) <= step.clusters}
    if small:
        teller.warn(
            "left_dense",
            f"these have no more than {step.clusters} distinct weights as they are: {', '.join(sorted(small))}",
        )
    return small


def _check(before: Any, after: Any, step: Cluster, picked: set[str]) -> None:  # noqa: ANN401
    """Refuse a kernel with more values, or fewer zeros, than were asked for.

    Raises:
        ModelError: Names the layer.
    """
    for name in picked:
        weights, old = kernel(after.get_layer(name)), kernel(before.get_layer(name))
        values = len(np.unique(weights))
        if values > step.clusters:
            raise ModelError(f"layer `{name}` has {values} distinct weights, {step.clusters} were asked for", None)
        if step.keep == "zeros" and ((old == 0) & (weights != 0)).any():
            raise ModelError(f"clustering lost zeros of layer `{name}`", "cluster without `keep`, or prune less")
