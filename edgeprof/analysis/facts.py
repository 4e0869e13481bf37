"""What of a model's file is kept with its runs."""

from pathlib import Path

from edgeprof.analysis.costs import read_costs
from edgeprof.analysis.flatbuffer import BORDER_OPS, read_model
from edgeprof.records import ModelFacts


def model_facts(path: Path) -> ModelFacts:
    """Return what the file at `path` says.

    Raises:
        ModelError: It is missing, cut short or no `.tflite` file.
    """
    model, cost = read_model(path), read_costs(path)
    return ModelFacts(
        operators=len(cost.ops),
        macs=cost.macs,
        uncounted=cost.uncounted,
        parameters=cost.parameters,
        weight_bytes=cost.weight_bytes,
        peak_live_bytes=cost.peak_live_bytes,
        quantised=model.quantised,
        float_ops=model.float_ops,
        border_ops=sum(op.name in BORDER_OPS for op in cost.ops),
    )
