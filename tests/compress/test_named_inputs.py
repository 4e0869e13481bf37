import os
import subprocess
import sys

import numpy as np
import pytest

from edgeprof.compress import CompressRequest, compress, load_artifact
from edgeprof.errors import ModelError
from tests.compress.conftest import silent

pytestmark = pytest.mark.tensorflow

# Keys in another order than their sorted one, of different sizes: a mix-up cannot go unseen.
MODEL = """
import sys, keras
zeta, alpha = keras.Input((4,), name="zeta"), keras.Input((3,), name="alpha")
joined = keras.layers.Concatenate()([zeta, alpha])
outputs = {"q": keras.layers.Dense(2)(joined), "p": keras.layers.Dense(5)(joined)}
keras.Model({"zeta": zeta, "alpha": alpha}, outputs).save(sys.argv[1])
"""


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    pytest.importorskip("ai_edge_litert", reason="needs the `compress` extra")
    folder = tmp_path_factory.mktemp("named")
    random = np.random.default_rng(1)
    np.savez(folder / "data.npz", zeta=random.random((12, 4), np.float32), alpha=random.random((12, 3), np.float32))
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-c", MODEL, str(folder / "named.keras")]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    return folder


def test_a_model_of_named_inputs_converts_and_agrees_with_keras(named):
    request = CompressRequest(named / "named.keras", ("fp32", "int8"), named / "data.npz")

    made = compress(request, silent)

    for artifact in made:
        assert sorted(spec.shape for spec in artifact.inputs) == [(1, 3), (1, 4)]
        assert sorted(spec.shape for spec in artifact.outputs) == [(1, 2), (1, 5)]
        assert artifact.warnings == ()


def test_dynamic_says_that_it_quantised_nothing_in_a_model_of_small_layers(named):
    (made,) = compress(CompressRequest(named / "named.keras", ("dynamic",)), silent)

    assert [code for code, _ in made.warnings] == ["nothing_quantised"]


def test_damaged_golden_vectors_in_the_cache_are_made_again(named):
    request = CompressRequest(named / "named.keras")
    (first,) = compress(request, silent)
    first.golden.write_bytes(b"damaged")

    (again,) = compress(request, silent)

    with np.load(again.golden) as vectors:
        assert len(vectors["in0"]) == 4


def test_a_copy_whose_golden_vectors_were_changed_is_taken_as_it_is(named, tmp_path):
    (copy,) = compress(CompressRequest(named / "named.keras", out=tmp_path), silent)
    copy.golden.write_bytes(b"changed")

    found = load_artifact(copy.path)

    assert found.recipe == "as-is"
    assert found.golden != copy.golden


def test_an_array_that_claims_more_than_memory_holds_is_refused(named, tmp_path):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 28), }".ljust(117) + b"\n"
    path = tmp_path / "huge.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00v\x00" + header)

    with pytest.raises(ModelError, match=r"is not a readable \.npy file"):
        compress(CompressRequest(named / "named.keras", ("int8",), path), silent)
