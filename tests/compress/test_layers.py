"""Where two artifacts part, layer by layer."""

import pytest

from edgeprof.accuracy import load_eval
from edgeprof.analysis.graph import Operator
from edgeprof.compress import layer_errors
from edgeprof.compress.layers import NAME, ORDER, match_layers
from edgeprof.errors import ModelError
from edgeprof.report.layers import parting

pytestmark = pytest.mark.tensorflow


def layers(*names):
    """Return outputs such as `a:CONV_2D:8`: name, operator and size."""
    parts = [name.split(":") for name in names]
    return [(name, Operator(i, op, (), (i,), (1, int(size)), "int8")) for i, (name, op, size) in enumerate(parts)]


def test_outputs_of_one_name_and_shape_are_matched_whatever_stands_between():
    one, other = layers("q:QUANTIZE:4", "a:CONV:8", "b:ADD:8"), layers("a:CONV:8", "x:MUL:8", "b:ADD:8")

    assert match_layers(one, other) == {1: (0, NAME), 2: (2, NAME)}


def test_what_has_no_name_in_common_is_matched_by_its_order_between_what_has():
    one = layers("a:CONV:8", "p:RELU:8", "b:ADD:8", "out_int8:SOFTMAX:3")
    other = layers("a:CONV:8", "r:RELU:8", "b:ADD:8", "out:SOFTMAX:3")

    assert match_layers(one, other) == {0: (0, NAME), 1: (1, ORDER), 2: (2, NAME), 3: (3, ORDER)}


def test_another_shape_is_no_match_though_the_name_is_the_same():
    assert match_layers(layers("a:CONV:8"), layers("a:CONV:4")) == {}


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEPROF_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


def test_the_layers_of_an_int8_model_are_held_against_its_float_model(data):
    folder = data / "models" / "mlperf_tiny"
    samples = load_eval(data / "eval" / "cifar10_test500_lossless.npz").x

    found = layer_errors(folder / "pretrainedResnet_quant.tflite", folder / "pretrainedResnet.tflite", samples)

    assert [one.matched for one in found] == [NAME] * 15 + [ORDER]
    assert all(20 < one.sqnr_db < 40 for one in found)
    assert found[0].sqnr_db > found[9].sqnr_db
    assert parting(found) is None


def test_a_model_is_equal_to_itself_in_every_layer(data):
    model = data / "models" / "mlperf_tiny" / "ad01_int8.tflite"

    found = layer_errors(model, model, None)

    assert {(one.sqnr_db, one.max_error) for one in found} == {(None, 0.0)}


def test_models_of_other_inputs_are_refused(data):
    folder = data / "models" / "mlperf_tiny"

    with pytest.raises(ModelError, match="takes"):
        layer_errors(folder / "ad01_int8.tflite", folder / "vww_96_float.tflite", None)
