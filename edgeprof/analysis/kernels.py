"""Which operators of the graph a delegate's kernels stand for, where that is certain.

XNNPACK runs the operators it was given in their order, but fuses some, drops some and adds helpers of its own, and
its profiler names kernels, not operators. A kernel is given an operator only if every way to lay the kernels over the
operators, in order and by type, gives it the same one.

Source: google/XNNPACK, src/enums/operator-type.c (names of kernels); tensorflow,
tensorflow/lite/delegates/xnnpack/xnnpack_delegate.cc (which operator becomes what).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edgeprof.analysis.graph import Operator

_BINARY = frozenset({"ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "POW", "PRELU"})
_UNARY = frozenset((
    "ABS", "CEIL", "ELU", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOG", "LOGISTIC", "NEG", "RELU",
    "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "ROUND", "RSQRT", "SIN", "COS", "SIGN", "SQRT", "SQUARE", "TANH",
    "QUANTIZE", "DEQUANTIZE", "CAST",
))  # fmt: skip
# The first words of a kernel's name, and the operators that it may be the work of.
_MAKES: dict[str, frozenset[str]] = {
    "Binary Elementwise": _BINARY,
    "Unary Elementwise": _UNARY,
    **{
        name: frozenset(operators.split())
        for name, operators in {
            "Convolution": "CONV_2D DEPTHWISE_CONV_2D",
            "Deconvolution": "TRANSPOSE_CONV",
            "Fully Connected": "FULLY_CONNECTED CONV_2D BATCH_MATMUL",
            "Dynamic Fully Connected": "FULLY_CONNECTED BATCH_MATMUL",
            "Batch Matrix Multiply": "BATCH_MATMUL FULLY_CONNECTED",
            "Average Pooling": "AVERAGE_POOL_2D MEAN",
            "Global Average Pooling": "MEAN AVERAGE_POOL_2D",
            "Global Sum Pooling": "SUM",
            "Max Pooling": "MAX_POOL_2D",
            "Mean": "MEAN",
            "Sum": "SUM",
            "Reduce Max": "REDUCE_MAX",
            "Reduce Min": "REDUCE_MIN",
            "Softmax": "SOFTMAX",
            "Sigmoid": "LOGISTIC",
            "Tanh": "TANH",
            "TanH": "TANH",
            "HardSwish": "HARD_SWISH",
            "ELU": "ELU",
            "GELU": "GELU",
            "ApproxGELU": "GELU",
            "LeakyReLU": "LEAKY_RELU",
            "Leaky ReLU": "LEAKY_RELU",
            "PReLU": "PRELU",
            "Add": "ADD",
            "Subtract": "SUB",
            "Multiply": "MUL",
            "Divide": "DIV",
            "Maximum": "MAXIMUM",
            "Minimum": "MINIMUM",
            "Squared Difference": "SQUARED_DIFFERENCE",
            "Square": "SQUARE MUL",
            "Square Root": "SQRT",
            "Reciprocal Square Root": "RSQRT",
            "Power": "POW",
            "Abs": "ABS",
            "Negate": "NEG",
            "Floor": "FLOOR",
            "Ceiling": "CEIL",
            "Bankers Rounding": "ROUND",
            "Exp": "EXP",
            "Log": "LOG",
            "Sine": "SIN",
            "Cosine": "COS",
            "Resize Bilinear": "RESIZE_BILINEAR",
            "Constant Pad": "PAD PADV2",
            "Space To Depth": "SPACE_TO_DEPTH",
            "Depth To Space": "DEPTH_TO_SPACE",
            "Slice": "SLICE STRIDED_SLICE SPLIT SPLIT_V",
            "Transpose": "TRANSPOSE",
            "Clamp": "RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1 AVERAGE_POOL_2D MAX_POOL_2D",
            "Convert": "QUANTIZE DEQUANTIZE CAST",
            "Copy": "RESHAPE SQUEEZE EXPAND_DIMS CONCATENATION SPLIT SPLIT_V PACK UNPACK ASSIGN_VARIABLE READ_VARIABLE",
            "Static Reshape": "RESHAPE SQUEEZE EXPAND_DIMS",
            "Static Expand Dims": "EXPAND_DIMS RESHAPE",
        }.items()
    },
}
# Kernels that may also be nobody's: layouts, types and ranges changed on the way to another kernel.
_HELPERS = frozenset((
    "Clamp", "Convert", "Copy", "Fuse Dims", "Slice", "Split Dims", "Static Expand Dims", "Static Reshape",
    "Transpose",
))  # fmt: skip
# Operators that may leave no kernel: fused into a neighbour, computed beforehand, or made of helpers only.
_SILENT = frozenset((
    "ASSIGN_VARIABLE", "CALL_ONCE", "CONCATENATION", "DENSIFY", "DEQUANTIZE", "EXPAND_DIMS", "PACK", "PAD",
    "READ_VARIABLE", "RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "RESHAPE", "SPLIT", "SPLIT_V", "SQUEEZE",
    "UNPACK", "VAR_HANDLE",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """What a profiler showed, in the order in which it ran.

    Attributes:
        is_kernel: A delegate's kernel, else a node that the runtime ran itself.
        tag: The kernel's name, or the node's operator.
        index: The node's number; of a kernel, its number in its delegate.
    """

    is_kernel: bool
    tag: str
    index: int


def match_operators(operators: Sequence[Operator], seen: Sequence[Seen]) -> tuple[int | None, ...]:
    """Return for each of `seen` the operator that it is, or `None` where that is not certain."""
    nodes = [None if event.is_kernel else _node(operators, event) for event in seen]
    if any(node is None and not event.is_kernel for node, event in zip(nodes, seen, strict=True)):
        return tuple(nodes)  # a node that is not in the file: another graph ran than the one we have
    found = list(nodes)
    groups = _groups(seen)
    possible = [_possible(operators, nodes, group) for group in groups]
    for group, mine in zip(groups, possible, strict=True):
        loose = {index for index in mine if sum(index in other for other in possible) > 1}
        kernels = [_first_words(seen[place].tag) for place in group]
        found[group.start : group.stop] = _laid(kernels, [operators[index] for index in mine], loose)
    return tuple(found)


def _node(operators: Sequence[Operator], event: Seen) -> int | None:
    inside = 0 <= event.index < len(operators)
    return event.index if inside and operators[event.index].name == event.tag else None


def _groups(seen: Sequence[Seen]) -> list[range]:
    """Return the runs of kernels that one delegate's part of the graph ran at one go: its own numbers rise."""
    groups: list[range] = []
    for place, event in enumerate(seen):
        if not event.is_kernel:
            continue
        follows = groups and groups[-1].stop == place and event.index > seen[place - 1].index
        if follows:
            groups[-1] = range(groups[-1].start, place + 1)
        else:
            groups.append(range(place, place + 1))
    return groups


def _possible(operators: Sequence[Operator], nodes: Sequence[int | None], group: range) -> list[int]:
    """Return the operators that one part may hold: none that ran by itself, and none that the flow of data forbids.

    What ran here needs nothing of what ran later, and nothing that ran earlier needs it.
    """
    earlier = {node for node in nodes[: group.start] if node is not None}
    later = {node for node in nodes[group.stop :] if node is not None}
    needs = _ancestors(operators)
    needed_earlier = set[int]().union(*(needs[node] for node in earlier))
    free = (index for index in range(len(operators)) if index not in earlier | later | needed_earlier)
    return [index for index in free if not needs[index] & later]


def _ancestors(operators: Sequence[Operator]) -> list[set[int]]:
    """Return for each operator those whose results it needs, at any remove."""
    maker: dict[int, int] = {}
    needs: list[set[int]] = []
    for operator in operators:
        direct = {maker[tensor] for tensor in operator.inputs if tensor in maker}
        needs.append(direct.union(*(needs[index] for index in direct)))
        maker.update(dict.fromkeys(operator.outputs, operator.index))
    return needs


def _first_words(tag: str) -> str:
    return tag.partition(" (")[0]


def _laid(kernels: Sequence[str], operators: Sequence[Operator], loose: set[int]) -> list[int | None]:
    """Return the operator of each kernel on which all ways to lay them over the operators agree."""
    silent = [operator.name in _SILENT or operator.index in loose for operator in operators]
    names = [operator.name for operator in operators]
    to, back = _ways(kernels, names, silent), _ways(kernels[::-1], names[::-1], silent[::-1])
    n, m = len(kernels), len(operators)
    total = to[n][m]

    def is_certain(i: int, j: int) -> bool:
        return total > 0 and _fits(kernels[i], names[j]) and to[i][j] * back[n - i - 1][m - j - 1] == total

    return [next((operators[j].index for j in range(m) if is_certain(i, j)), None) for i in range(n)]


def _ways(kernels: Sequence[str], names: Sequence[str], silent: Sequence[bool]) -> list[list[int]]:
    """Return the number of ways to lay the first i kernels over the first j operators, at [i][j].

    Each step takes a kernel that is nobody's, an operator without a kernel, or a pair of both.
    """
    ways = [[0] * (len(names) + 1) for _ in range(len(kernels) + 1)]
    ways[0][0] = 1
    for i in range(len(kernels) + 1):
        for j in range(len(names) + 1):
            if i and _is_helper(kernels[i - 1]):
                ways[i][j] += ways[i - 1][j]
            if j and silent[j - 1]:
                ways[i][j] += ways[i][j - 1]
            if i and j and _fits(kernels[i - 1], names[j - 1]):
                ways[i][j] += ways[i - 1][j - 1]
    return ways


def _fits(kernel: str, name: str) -> bool:
    return kernel not in _MAKES or name in _MAKES[kernel]  # a kernel that we do not know may be anything


def _is_helper(kernel: str) -> bool:
    return kernel in _HELPERS or kernel not in _MAKES
