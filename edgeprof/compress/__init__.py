"""From a user's model to artifacts ready for boards.

TensorFlow is imported in child processes only (`program`, `converting`, `worker`); the rest runs without it.
"""

from edgeprof.compress.artifacts import load_artifact
from edgeprof.compress.calibration import check_ranges
from edgeprof.compress.compression import compress, compress_each, reference
from edgeprof.compress.inspection import is_tflite
from edgeprof.compress.recipes import recipe_names
from edgeprof.compress.request import CompressRequest

__all__ = [
    "CompressRequest",
    "check_ranges",
    "compress",
    "compress_each",
    "is_tflite",
    "load_artifact",
    "recipe_names",
    "reference",
]
