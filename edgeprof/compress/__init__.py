"""From a user's model to artifacts ready for boards.

TensorFlow is imported in child processes only (`worker` and what says "Child only"); the rest runs without it.

A recipe is a sequence of steps, then a conversion. Where to look:

- `steps`: what each step is called and takes; how to add one. `recipes`: the named ones and a user's TOML.
- `stages.apply_step`: the contract of a step's module, `apply(model, step, training, teller) -> model`.
- `bridge`: `clone` (begin every step with it) and Keras 3 to tf_keras. `training_data`: `TrainingData`; `training`:
  `fine_tune`. `teller`: progress and warnings. `wrapping`: which layers have kernels.
"""

from edgeprof.analysis.weights import static_cost
from edgeprof.compress.artifacts import load_artifact
from edgeprof.compress.calibration import calibration_samples, check_ranges
from edgeprof.compress.child import require_extra
from edgeprof.compress.compression import compress, compress_each, references
from edgeprof.compress.error_report import report_errors
from edgeprof.compress.host import host_outputs
from edgeprof.compress.inspection import is_tflite
from edgeprof.compress.layers import MOST_SAMPLES, LayerError, layer_errors
from edgeprof.compress.recipes import find_recipes, recipe_names
from edgeprof.compress.request import CompressRequest
from edgeprof.compress.sensitivity import scan
from edgeprof.compress.training_files import training_samples

__all__ = [
    "MOST_SAMPLES",
    "CompressRequest",
    "LayerError",
    "calibration_samples",
    "check_ranges",
    "compress",
    "compress_each",
    "find_recipes",
    "host_outputs",
    "is_tflite",
    "layer_errors",
    "load_artifact",
    "recipe_names",
    "references",
    "report_errors",
    "require_extra",
    "scan",
    "static_cost",
    "training_samples",
]
