"""What a file says a model costs, against counts made by hand; and files that are no models."""

import json
import random
from contextlib import suppress

import jsonschema
import numpy as np
import pytest

from edgeprof import resources
from edgeprof.analysis import read_costs
from edgeprof.errors import EdgeprofError, ModelError
from edgeprof.report.costs import print_costs
from edgeprof.report.document import schema

SELFTEST = resources.folder("device_agents") / "selftest.tflite"

# Layer by layer: output height × width × channels × (kernel height × width × input channels of a group).
RESNET_8 = [
    32 * 32 * 16 * 3 * 3 * 3,
    *[32 * 32 * 16 * 3 * 3 * 16] * 2,
    16 * 16 * 32 * 3 * 3 * 16, 16 * 16 * 32 * 3 * 3 * 32, 16 * 16 * 32 * 1 * 1 * 16,
    8 * 8 * 64 * 3 * 3 * 32, 8 * 8 * 64 * 3 * 3 * 64, 8 * 8 * 64 * 1 * 1 * 32,
    64 * 10,
]  # fmt: skip
DS_CNN = [25 * 5 * 64 * 10 * 4 * 1, *[25 * 5 * 64 * 3 * 3, 25 * 5 * 64 * 64] * 4, 64 * 12]
# A. Howard et al. (2017), "MobileNets", table 1: output channels at width 1 and stride of each depthwise-separable block.
MOBILENET_V1 = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1),
)  # fmt: skip


def mobilenet_v1(width: float, side: int) -> list[int]:
    """Return the MACs of each layer of MobileNet V1 with 1,001 classes."""
    channels, side = round(32 * width), side // 2
    macs = [side * side * channels * 3 * 3 * 3]
    for out, stride in MOBILENET_V1:
        side = -(-side // stride)
        macs += [side * side * channels * 3 * 3, side * side * round(out * width) * channels]
        channels = round(out * width)
    return [*macs, channels * 1001]


AUTOENCODER = [640 * 128, *[128 * 128] * 3, 128 * 8, 8 * 128, *[128 * 128] * 3, 128 * 640]


@pytest.mark.parametrize(
    ("name", "macs", "parameters"),
    [
        ("pretrainedResnet.tflite", RESNET_8, 77_706),
        ("pretrainedResnet_quant.tflite", RESNET_8, 77_706),
        ("kws_ref_model.tflite", DS_CNN, None),
        ("ad01_fp32.tflite", AUTOENCODER, None),
        ("ad01_int8.tflite", AUTOENCODER, None),
        ("mobilenet_v1_0.25_128_quant.tflite", mobilenet_v1(0.25, 128), None),
        ("mobilenet_v1_0.5_160_quant.tflite", mobilenet_v1(0.5, 160), None),
    ],
)
def test_real_models_cost_what_a_count_by_hand_says(data, name, macs, parameters):
    cost = read_costs(next((data / "models").rglob(name)))

    assert sorted(op.macs for op in cost.ops if op.macs) == sorted(macs)
    assert cost.macs == sum(macs)
    assert parameters in (None, cost.parameters)
    assert (cost.uncounted, cost.other_graphs) == ((), 0)
    assert cost.weight_bytes < cost.file_bytes


def test_activations_live_from_where_they_are_written_to_where_they_are_last_read(data):
    """ResNet-8: while its second convolution of the first block runs, the block's input waits for the addition."""
    cost = read_costs(next((data / "models").rglob("pretrainedResnet_quant.tflite")))
    image = 32 * 32 * 16

    assert cost.ops[1].live_bytes == 2 * image
    assert cost.ops[2].live_bytes == 3 * image
    assert (cost.peak_op, cost.peak_live_bytes) == (2, 3 * image)


def test_integers_take_a_quarter_of_floats(data):
    floats, integers = (
        read_costs(next((data / "models").rglob(name)))
        for name in ("pretrainedResnet.tflite", "pretrainedResnet_quant.tflite")
    )

    assert floats.peak_live_bytes == 4 * integers.peak_live_bytes
    assert floats.parameters == integers.parameters
    assert floats.weight_bytes == 4 * floats.parameters


def test_the_document_is_valid_by_the_schema(capsys):
    print_costs("selftest.tflite", read_costs(SELFTEST), None, as_json=True)

    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, schema())
    (item,) = document["items"]
    assert item["flops"] == 2 * item["macs"] == 2 * sum(op["macs"] for op in item["ops"])
    assert [op["flops"] for op in item["ops"]] == [2 * op["macs"] for op in item["ops"]]


def test_people_see_each_operator_or_the_costliest(data, capsys):
    cost = read_costs(next((data / "models").rglob("pretrainedResnet_quant.tflite")))

    print_costs("m", cost, 2, as_json=False)

    out = capsys.readouterr().out
    assert out.count("CONV_2D") == 2
    assert "14 operators more: without --top" in out
    assert "16 operators, 12.5 M MACs (25.0 M FLOPs), 77.7 k parameters in 76.9 KiB of a file of 96.2 KiB" in out


def test_a_file_cut_anywhere_or_with_broken_bytes_is_an_error_and_no_traceback(tmp_path):
    whole = SELFTEST.read_bytes()
    chance = random.Random(7)
    path = tmp_path / "broken.tflite"
    hostile = [whole[: len(whole) * part // 50] for part in range(50)]
    for _ in range(300):
        flipped = bytearray(whole)
        for _ in range(3):
            flipped[chance.randrange(8, len(whole))] = chance.randrange(256)
        hostile.append(bytes(flipped))

    for content in hostile:
        path.write_bytes(content)
        with suppress(EdgeprofError):
            read_costs(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a keras file", np.arange(9).tobytes()])
def test_what_is_no_tflite_file_is_said_so(tmp_path, content):
    path = tmp_path / "m.tflite"
    path.write_bytes(content)

    with pytest.raises(ModelError) as caught:
        read_costs(path)

    assert caught.value.hint
