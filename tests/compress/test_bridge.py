import pytest

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("name", ["slopes", "recurrent", "hard", "nested", "shared", "attention"])
def test_a_keras_3_model_computes_the_same_in_tf_keras(bridged, name):
    assert bridged[name] is True


def test_an_operation_that_tf_keras_lacks_is_named(bridged):
    assert bridged["no_such_layer"].startswith("layer `sin` is a `Sin`, which tf_keras does not have")


def test_a_setting_that_would_be_lost_is_refused_by_name(bridged):
    assert (
        "layer `rms` (LayerNormalization) has `rms_scaling = True`, which tf_keras cannot do"
        in bridged["no_such_setting"]
    )
    assert "recipe without steps" in bridged["no_such_setting"]


def test_a_model_with_code_of_its_own_says_what_would_work(bridged):
    assert "`Own` has code of its own" in bridged["own"]
    assert "keras.Model(inputs, outputs)" in bridged["own"]
