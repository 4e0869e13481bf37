"""Why a quantised model loses here: each reason from something measured, and none where nothing shows one."""

from dataclasses import replace

import pytest

from edgeprof.compare import findings
from edgeprof.records import ModelFacts, OpProfile, OpTime, PeakProbe, Peaks, RunResult
from edgeprof.report.quantised import finding_text
from tests.unit.test_reports import LAUNCHES, RUN

FLOATS = ModelFacts(3, 1000, (), 100, 400, 100, False, ("CONV_2D",), 0)
INT8 = ModelFacts(5, 1000, (), 100, 100, 25, True, (), 2)
PLAIN = replace(RUN, op_profile=None, peaks=None, group="g", environment=(), accuracy=None)


def launches(latency_ns: int):
    return tuple(replace(LAUNCHES[0], index=i, latency_ns=(latency_ns + i % 3,) * 20, blocks=()) for i in range(8))


def named(recipe: str, facts: ModelFacts, latency_ns: int, delegate: str = "xnnpack", **more: object) -> RunResult:
    artifact = replace(RUN.artifact, recipe=recipe)
    runtime = replace(RUN.runtime, delegate=delegate)
    whole = {"artifact": artifact, "facts": facts, "runtime": runtime, "launches": launches(latency_ns), **more}
    return replace(PLAIN, run_id=recipe, **whole)


def op(node: int, name: str, ns: int, *, delegated: bool = True, dtype: str = "int8") -> OpTime:
    return OpTime(name, delegated, node, name, (1,), dtype, 1, (ns,) * 8, 1000, "int8", 50, 50)


def profile(*ops: OpTime) -> OpProfile:
    return OpProfile(ops, (200_000,) * 8)


def peaks(floats_ns: int, int8_ns: int) -> Peaks:
    return Peaks(
        (
            PeakProbe("float32", "p", 1_000_000, (floats_ns,) * 9),
            PeakProbe("int8", "p", 1_000_000, (int8_ns,) * 9),
            PeakProbe("memory", "copy", 1_000_000, (10_000,) * 9, 1 << 20),
        ),
        (),
        0.0,
    )


FLOAT_RUN = named("fp32", FLOATS, 100_000)


def codes(other: RunResult) -> list[str]:
    (found,) = findings([FLOAT_RUN, other])
    return [reason.code for reason in found.reasons]


def test_of_several_devices_a_sentence_says_which():
    runs = [FLOAT_RUN, named("int8", INT8, 200_000, "none")]
    elsewhere = replace(FLOAT_RUN, run_id="other", device="orin", group="h")

    (found,) = findings([*runs, elsewhere])

    assert finding_text(found, [*runs, elsewhere]).startswith("pi5: int8 is 2.00 × slower")
    assert finding_text(found, runs).startswith("int8 is 2.00 × slower")


def test_int8_without_a_delegate_says_so_in_a_sentence():
    other = named("int8", INT8, 200_000, "none")

    (found,) = findings([FLOAT_RUN, other])

    assert [reason.code for reason in found.reasons] == ["not_delegated"]
    text = finding_text(found, [FLOAT_RUN, other])
    assert text.startswith("int8 is 2.00 × slower than fp32 here because ")
    assert "XNNPACK" in text


def test_operators_left_out_of_the_delegate_are_named():
    ops = profile(op(0, "CONV_2D", 100_000), op(1, "RESIZE_BILINEAR", 90_000, delegated=False))

    assert codes(named("int8", INT8, 200_000, op_profile=ops)) == ["partly_delegated"]


def test_time_at_the_borders_and_in_floats_is_counted():
    ops = profile(
        op(0, "QUANTIZE", 30_000), op(1, "CONV_2D", 100_000), op(2, "DEQUANTIZE", 30_000, dtype="float32"),
        op(3, "SOFTMAX", 40_000, dtype="float32"),
    )  # fmt: skip
    facts = replace(INT8, float_ops=("SOFTMAX",))

    assert codes(named("int8", facts, 200_000, op_profile=ops)) == ["borders", "floats_left"]


def test_a_board_whose_int8_products_are_slower_than_its_float_ones_says_so():
    assert codes(named("int8", INT8, 200_000, peaks=peaks(10_000, 20_000))) == ["slow_products"]


def test_kernels_far_below_the_board_s_limits_are_named_and_a_small_model_is_called_small():
    ops = profile(op(0, "CONV_2D", 80_000))

    assert codes(named("int8", INT8, 200_000, op_profile=ops, peaks=peaks(20_000, 10_000))) == [
        "slow_kernels",
        "overhead",
    ]


@pytest.mark.parametrize(
    ("machine", "isa", "expected"),
    [
        ("aarch64", "asimd", ["no_dot_product"]),
        ("aarch64", "asimd asimddp", []),
        ("x86_64", "avx2 fma", ["no_dot_product"]),
        ("riscv64", "v", []),
    ],
)
def test_a_processor_without_8_bit_products_is_a_reason_where_it_says_what_it_has(machine, isa, expected):
    said = (("machine", machine), ("isa", isa))

    assert codes(named("int8", INT8, 200_000, environment=said)) == expected


def test_what_a_processor_does_not_say_is_no_reason():
    assert codes(named("int8", INT8, 200_000, environment=(("machine", "aarch64"),))) == []


def test_where_nothing_shows_a_reason_none_is_made_up():
    other = named("int8", INT8, 200_000)

    (found,) = findings([other, FLOAT_RUN])

    assert found.reasons == ()
    assert "no reason was found" in finding_text(found, [other, FLOAT_RUN])
    assert "--per-op" in finding_text(found, [other, FLOAT_RUN])


def test_a_gain_below_half_of_what_products_alone_would_give_is_asked_for_its_reason():
    (found,) = findings([FLOAT_RUN, named("int8", INT8, 90_000, peaks=peaks(40_000, 10_000))])

    assert (found.kind, found.expected_ratio) == ("gains_little", pytest.approx(0.25))
    assert "only 1.11 × as fast as fp32" in finding_text(found, [FLOAT_RUN, found.other])


@pytest.mark.parametrize(
    "other",
    [
        named("int8", INT8, 50_000),
        named("int8", INT8, 30_000, peaks=peaks(40_000, 10_000)),
        named("int8", INT8, 200_000, group="another"),
        named("fp16", FLOATS, 200_000),
        replace(named("int8", INT8, 200_000), launches=launches(200_000)[:1]),
    ],
)
def test_a_gain_an_unlike_pair_or_too_few_launches_give_no_finding(other: RunResult):
    assert findings([FLOAT_RUN, other]) == ()
