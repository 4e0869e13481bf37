"""What a model of a known architecture costs, as it comes out of the converter."""

import os
import subprocess
import sys

import pytest

from edgeprof.analysis import read_costs

# Keras's own MobileNetV2 at 224 × 224, layer by layer: 300.77 million, as M. Sandler et al. (2018), table 4, round to 300.
MOBILENET_V2_MACS = 300_774_272
PROGRAM = """
import sys, keras, tensorflow as tf
model = keras.applications.MobileNetV2((224, 224, 3), weights=None)
open(sys.argv[1], "wb").write(tf.lite.TFLiteConverter.from_keras_model(model).convert())
"""


@pytest.mark.tensorflow
def test_mobilenet_v2_costs_what_its_paper_and_a_count_by_hand_say(tmp_path):
    pytest.importorskip("ai_edge_litert", reason="needs the `compress` extra")
    path = tmp_path / "mobilenet_v2.tflite"
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run([sys.executable, "-c", PROGRAM, path], check=True, capture_output=True, env=environment)

    cost = read_costs(path)

    assert cost.macs == MOBILENET_V2_MACS
    assert cost.uncounted == ()
