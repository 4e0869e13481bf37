"""Operators cut out of real models compute what they compute inside them."""

from pathlib import Path

import numpy as np
import pytest

from edgeprof.analysis import cut, distinct, read_costs
from tests.contract.agent.client import MODELS

interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="needs a runtime on the host")

REAL = (
    "mlperf_tiny/pretrainedResnet.tflite", "mlperf_tiny/pretrainedResnet_quant.tflite", "mlperf_tiny/kws_ref_model.tflite",
    "mlperf_tiny/vww_96_int8.tflite", "mlperf_tiny/ad01_fp32.tflite", "coral/mobilenet_v1_0.25_128_quant.tflite",
    "own/fmnist_cnn_int8.tflite",
)  # fmt: skip


def runner(model: bytes):
    # Reference kernels: what a delegate fuses is rounded elsewhere.
    plain = interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    made = interpreter.Interpreter(model_content=model, experimental_op_resolver_type=plain)
    made.allocate_tensors()
    return made


def run(model: bytes, values: list[np.ndarray]) -> list[np.ndarray]:
    made = runner(model)
    for detail, value in zip(made.get_input_details(), values, strict=True):
        made.set_tensor(detail["index"], value)
    made.invoke()
    return [made.get_tensor(detail["index"]) for detail in made.get_output_details()]


def sample(detail: dict) -> np.ndarray:
    chance = np.random.default_rng(1)
    if detail["dtype"] == np.float32:
        return chance.random(detail["shape"], dtype=np.float32)
    limits = np.iinfo(detail["dtype"])
    return chance.integers(limits.min, limits.max, detail["shape"]).astype(detail["dtype"])


@pytest.mark.parametrize("name", REAL)
def test_all_operators_one_after_another_give_what_the_whole_model_gives(data: Path, name: str):
    path = data / "models" / name
    whole = runner(path.read_bytes())
    (first,), (last,) = whole.get_input_details(), whole.get_output_details()
    x = sample(first)
    known = {first["index"]: x}

    for part, op in zip(cut(path), whole._get_ops_details(), strict=True):
        assert part.model is not None, part.why_not
        fed = [known[i] for i in dict.fromkeys(op["inputs"]) if i in known]
        known.update(zip(op["outputs"], run(part.model, fed), strict=True))

    (expected,) = run(path.read_bytes(), [x])
    np.testing.assert_array_equal(known[last["index"]], expected)


@pytest.mark.parametrize("name", REAL)
def test_a_cut_operator_costs_what_it_costs_inside_the_model(data: Path, tmp_path: Path, name: str):
    path, part = data / "models" / name, tmp_path / "part.tflite"

    for one, inside in zip(cut(path), read_costs(path).ops, strict=True):
        part.write_bytes(one.model)
        (alone,) = read_costs(part).ops
        for fact in ("name", "shape", "dtype", "macs", "arithmetic", "parameters", "weight_bytes", "activation_bytes"):
            assert getattr(alone, fact) == getattr(inside, fact), (one.node, fact)


@pytest.mark.parametrize(("name", "reason"), [("counter", "keeps_state"), ("loop", "calls_other_graphs")])
def test_what_cannot_stand_alone_says_why(name: str, reason: str):
    assert reason in {one.why_not for one in cut(MODELS / f"{name}.tflite")}


def test_equal_operators_are_one_model():
    found = cut(MODELS / "reversed.tflite")

    assert sorted(node for nodes in distinct(found * 2).values() for node in nodes) == sorted([0, 1, 2] * 2)
    assert len(distinct(found * 2)) == len(distinct(found))
