"""Quantisation-aware training by TFMOT, layer by layer. Child only."""

from importlib import import_module
from typing import Any

from edgeprof.compress.bridge import clone
from edgeprof.compress.steps import Qat
from edgeprof.compress.teller import Teller
from edgeprof.compress.training import fine_tune
from edgeprof.compress.training_data import TrainingData
from edgeprof.compress.wrapping import wrap

_FOLDED = ("BatchNormalization", "SyncBatchNormalization")
# No shorter way leads to it.
_STRIP = "tensorflow_model_optimization.python.core.quantization.keras.collab_opts.cluster_preserve.cluster_utils"
_BEFORE = ("Conv2D", "DepthwiseConv2D", "Dense")


def apply(model: Any, step: Qat, training: TrainingData | None, teller: Teller) -> Any:  # noqa: ANN401
    """See `edgeprof.compress.stages.apply_step`.

    Layers that TFMOT cannot train so are quantised after training instead; where it can take none, or fails on the
    model, all are, and a warning says so.
    """
    from tensorflow_model_optimization.quantization import keras as quantization

    if training is None:
        raise AssertionError("the host asks for training data before")
    picked, folded = _annotated(model, step)
    why = ""
    for names in (picked | folded, picked):
        try:
            annotated = wrap(model, names, quantization.quantize_annotate_layer)
            with quantization.quantize_scope():
                made = quantization.quantize_apply(annotated, _scheme(step))
        except (ValueError, RuntimeError, TypeError, AttributeError, KeyError) as exc:
            why = (str(exc).strip().splitlines() or [type(exc).__name__])[0][:200]
            continue
        _say_what_is_left(model, step, names, teller)
        fine_tune(made, training, step, teller)
        return _stripped(made, step)
    teller.warn("qat_left_out", f"TFMOT cannot train this model for int8, so it is quantised after training: {why}")
    return clone(model)


def _annotated(model: Any, step: Qat) -> tuple[set[str], set[str]]:  # noqa: ANN401
    """Return layers that TFMOT knows, and batch normalisations that it may fold into the layer before."""
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_registry as registry,
    )

    known = registry.Default8BitQuantizeRegistry()
    picked = {layer.name for layer in _layers(model, step) if known.supports(layer)}
    return picked, {layer.name for layer in _layers(model, step) if _follows(layer, picked)}


def _follows(layer: Any, picked: set[str]) -> bool:  # noqa: ANN401
    if type(layer).__name__ not in _FOLDED or len(layer.inbound_nodes) != 1:
        return False
    before = layer.inbound_nodes[0].inbound_layers
    return getattr(before, "name", None) in picked and type(before).__name__ in _BEFORE


def _layers(model: Any, step: Qat) -> list[Any]:  # noqa: ANN401
    return [layer for layer in model.layers if type(layer).__name__ != "InputLayer" and layer.name not in step.leave]


def _say_what_is_left(model: Any, step: Qat, names: set[str], teller: Teller) -> None:  # noqa: ANN401
    others = [f"{layer.name} ({type(layer).__name__})" for layer in _layers(model, step) if layer.name not in names]
    if others:
        more = f" and {len(others) - 8} more" if len(others) > 8 else ""
        listed = ", ".join(others[:8]) + more
        teller.warn(
            "qat_partly", f"TFMOT cannot train these layers for int8; they are quantised after training: {listed}"
        )


def _scheme(step: Qat) -> Any:  # noqa: ANN401
    from tensorflow_model_optimization import experimental
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_scheme as default,
    )

    combine = experimental.combine
    match step.keep:
        case "zeros":
            return combine.Default8BitPrunePreserveQuantizeScheme()
        case "clusters":
            return combine.Default8BitClusterPreserveQuantizeScheme()
        case "zeros+clusters":
            return combine.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=True)
        case _:
            return default.Default8BitQuantizeScheme()


def _stripped(model: Any, step: Qat) -> Any:  # noqa: ANN401
    if "clusters" not in step.keep:
        return model
    return import_module(_STRIP).strip_clustering_cqat(model)
