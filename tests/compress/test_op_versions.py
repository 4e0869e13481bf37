"""Dense layers with a scale for each output: tflite-runtime 2.14 takes them for ones with a single scale and computes
nonsense, unless the operator's version tells it to refuse."""

import pytest
import tflite

from edgeprof.analysis import read_model
from edgeprof.compress import CompressRequest, compress
from tests.compress.conftest import silent

pytestmark = pytest.mark.tensorflow

REFUSED_FROM = 12  # by tflite-runtime 2.14
_FULLY_CONNECTED = tflite.BuiltinOperator.FULLY_CONNECTED


def dense(path):
    """Return, for each Dense layer of a file, its operator's version and how many scales its weights have."""
    model = tflite.Model.GetRootAs(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    ops = [graph.Operators(i) for i in range(graph.OperatorsLength())]
    codes = [model.OperatorCodes(op.OpcodeIndex()) for op in ops]
    return [
        (code.Version(), graph.Tensors(op.Inputs(1)).Quantization())
        for op, code in zip(ops, codes, strict=True)
        if max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) == _FULLY_CONNECTED
    ]


def scales(quantization):
    return 0 if quantization is None else quantization.ScaleLength()


def test_dense_layers_of_mixed_precision_have_a_version_that_older_runtimes_refuse(step_models):
    recipes = ("w4a8", "w8a16", "w4")
    request = CompressRequest(step_models / "small.keras", recipes, step_models / "calibration.npz")

    made = compress(request, silent)
    found = {artifact.recipe: dense(artifact.path) for artifact in made}

    assert "DEQUANTIZE" in read_model(made[2].path).ops  # its number stands in the newer field alone
    assert "ADD" not in read_model(made[2].path).ops
    ((_, quantization),) = found["w8a16"]
    assert scales(quantization) == 3  # one for each output: why the version matters
    assert {recipe: min(version for version, _ in layers) for recipe, layers in found.items()} == dict.fromkeys(
        recipes, REFUSED_FROM
    )


def test_dense_layers_of_dynamic_have_one_scale_so_that_older_runtimes_take_them(artifacts):
    found = dense(artifacts["dynamic"].path)

    assert [scales(quantization) for _, quantization in found] == [1, 0]  # the narrow one stays in float
    assert max(version for version, _ in found) < REFUSED_FROM


def test_convolutions_of_dynamic_keep_a_scale_for_each_channel(artifacts):
    model = tflite.Model.GetRootAs(artifacts["dynamic"].path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    tensors = [graph.Tensors(i) for i in range(graph.TensorsLength())]
    kernels = [t for t in tensors if t.ShapeLength() == 4 and t.Type() == tflite.TensorType.INT8]

    assert sorted(scales(kernel.Quantization()) for kernel in kernels) == [32, 64]
