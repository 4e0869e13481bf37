"""A kernel gets an operator only where nothing else is possible."""

import pytest

from edgeprof.analysis.graph import Operator, read_operators
from edgeprof.analysis.kernels import Seen, match_operators
from edgeprof.errors import ModelError
from tests.contract.agent.client import MODELS


def chain(*names: str) -> list[Operator]:
    """Return operators each of which takes what the one before gives."""
    return [Operator(i, name, (i,), (i + 1,), (1, 4), "float32") for i, name in enumerate(names)]


def kernels(*tags: str) -> list[Seen]:
    return [Seen(is_kernel=True, tag=tag, index=i) for i, tag in enumerate(tags)]


def node(tag: str, index: int) -> Seen:
    return Seen(is_kernel=False, tag=tag, index=index)


def test_kernels_in_the_order_of_their_operators_are_theirs():
    operators = chain("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "SOFTMAX")
    seen = kernels(
        "Convolution (NHWC, F32) IGEMM", "Convolution (NHWC, F32) DWConv", "Max Pooling (NHWC)", "Softmax (NC)"
    )

    assert match_operators(operators, seen) == (0, 1, 2, 3)


def test_a_fused_operator_has_no_kernel_and_the_others_keep_theirs():
    operators = chain("PAD", "CONV_2D", "RELU", "CONV_2D", "RESHAPE", "FULLY_CONNECTED")
    seen = kernels("Convolution (NHWC)", "Convolution (NHWC)", "Fully Connected (NC)")

    assert match_operators(operators, seen) == (1, 3, 5)


def test_a_helper_between_two_operators_stays_without_one():
    operators = chain("MEAN", "FULLY_CONNECTED")
    seen = kernels("Mean (ND) Reduce2", "Static Reshape (NC)", "Fully Connected (NC, F32) GEMM")

    assert match_operators(operators, seen) == (0, None, 1)


def test_two_reshapes_for_one_are_not_told_apart():
    operators = chain("RESHAPE", "FULLY_CONNECTED")
    seen = kernels("Static Reshape (NC)", "Static Reshape (NC)", "Fully Connected (NC)")

    assert match_operators(operators, seen) == (None, None, 1)


def test_one_kernel_for_one_of_two_fused_operators_is_nobody_s():
    operators = chain("CONV_2D", "RELU", "RELU6", "SOFTMAX")
    seen = kernels("Convolution (NHWC)", "Clamp (NC)", "Softmax (NC)")

    assert match_operators(operators, seen) == (0, None, 3)


def test_kernels_that_do_not_fit_the_graph_have_no_operators_at_all():
    operators = chain("CONV_2D", "SOFTMAX")
    seen = kernels("Convolution (NHWC)", "Reduce Max (ND)", "Subtract (ND)", "Exp (NC)", "Sum (ND)", "Divide (ND)")

    assert match_operators(operators, seen) == (None,) * 6


def test_an_unknown_kernel_between_known_ones_is_the_operator_that_is_left():
    operators = chain("CONV_2D", "CUMSUM", "SOFTMAX")
    seen = kernels("Convolution (NHWC)", "Running Total (ND)", "Softmax (NC)")

    assert match_operators(operators, seen) == (0, 1, 2)


def test_a_node_of_the_runtime_parts_the_kernels_before_it_from_those_after():
    operators = chain("CONV_2D", "CONV_2D", "AVERAGE_POOL_2D", "RESHAPE", "FULLY_CONNECTED")
    seen = [
        *kernels("Convolution (NHWC)", "Fully Connected (NC)"),
        node("AVERAGE_POOL_2D", 2),
        *kernels("Static Reshape (NC)", "Static Reshape (NC)", "Fully Connected (NC)"),
    ]

    assert match_operators(operators, seen) == (0, 1, 2, None, None, 4)


# Two branches from tensor 0: operator 0 alone, which may run at any time, and 1, 2, 3 one after the other.
BRANCHES = [
    Operator(0, "ADD", (0,), (1,), (1,), "float32"),
    Operator(1, "ADD", (0,), (2,), (1,), "float32"),
    Operator(2, "CUSTOM_OP", (2,), (3,), (1,), "float32"),
    Operator(3, "ADD", (3,), (4,), (1,), "float32"),
]


@pytest.mark.parametrize(("before", "after", "found"), [(2, 1, (0, 1, 2, 3)), (1, 2, (1, 2, 0, 3))])
def test_the_number_of_kernels_tells_where_a_free_operator_ran(before: int, after: int, found: tuple[int, ...]):
    seen = [*kernels(*["Add (ND)"] * before), node("CUSTOM_OP", 2), *kernels(*["Add (ND)"] * after)]

    assert match_operators(BRANCHES, seen) == found


def test_of_two_free_operators_it_is_not_guessed_which_ran_first():
    operators = [
        Operator(0, "ADD", (0,), (1,), (1,), "float32"),
        Operator(1, "ADD", (0,), (2,), (1,), "float32"),
        Operator(2, "CUSTOM_OP", (0,), (3,), (1,), "float32"),
    ]
    seen = [*kernels("Add (ND)"), node("CUSTOM_OP", 2), *kernels("Add (ND)")]

    assert match_operators(operators, seen) == (None, 2, None)


def test_a_node_of_another_graph_leaves_every_kernel_unknown():
    seen = [*kernels("Convolution (NHWC)"), node("SOFTMAX", 0)]

    assert match_operators(chain("CONV_2D", "SOFTMAX"), seen) == (None, None)


def test_the_operators_of_a_file_have_their_shapes_and_neighbours():
    operators = read_operators(MODELS / "two_and_two.tflite")

    assert [operator.name for operator in operators] == ["CAST", "ADD", "MUL"]
    assert operators[0].outputs[0] in operators[2].inputs
    assert (operators[2].shape, operators[2].dtype) == ((1, 4), "float32")
    assert (operators[1].shape, operators[1].dtype) == ((1,), "int32")


@pytest.mark.parametrize("kept", [8, 100, 400])
def test_a_file_cut_short_has_no_operators_but_an_error(kept: int, tmp_path):
    path = tmp_path / "cut.tflite"
    path.write_bytes((MODELS / "int8.tflite").read_bytes()[:kept])

    with pytest.raises(ModelError, match="damaged or cut short"):
        read_operators(path)
