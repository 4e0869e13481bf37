"""Make the tiny models under `models/`: run once with the `compress` extra, the results are committed.

python -m tests.contract.agent.make_models
"""

from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils

FOLDER = Path(__file__).parent / "models"
FLOAT4 = tf.TensorSpec([1, 4], tf.float32, name="x")


class Counter(tf.Module):
    """Adds its input to what it has seen: the output tells how often it ran."""

    def __init__(self):
        super().__init__()
        self.total = tf.Variable(tf.zeros([1, 4]), trainable=False)

    @tf.function(input_signature=[FLOAT4])
    def __call__(self, x):
        return self.total.assign_add(x)


class Affine(tf.Module):
    """y = W x + b with weights in whole numbers."""

    def __init__(self):
        super().__init__()
        self.weights = tf.constant(np.arange(-8, 8).reshape(4, 4), tf.float32)

    @tf.function(input_signature=[FLOAT4])
    def __call__(self, x):
        return tf.matmul(x, self.weights) + 1.0


class AnyBatch(tf.Module):
    """Twice its input, for any number of rows."""

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def __call__(self, x):
        return x * 2.0


class TwoAndTwo(tf.Module):
    """Sum and difference of two inputs that differ in shape and type."""

    @tf.function(input_signature=[FLOAT4, tf.TensorSpec([1], tf.int32, name="k")])
    def __call__(self, x, k):
        return {"scaled": x * tf.cast(k, tf.float32), "next": k + 1}


class Loop(tf.Module):
    """Halves its input until it sums to less than 1: a graph that calls others."""

    @tf.function(input_signature=[FLOAT4])
    def __call__(self, x):
        return tf.while_loop(lambda y: tf.reduce_sum(y) > 1.0, lambda y: (tf.sin(y) * 0.5,), [x + 2.0])[0] * 3.0


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, module in (
        ("counter", Counter()),
        ("any_batch", AnyBatch()),
        ("two_and_two", TwoAndTwo()),
        ("loop", Loop()),
    ):
        (FOLDER / f"{name}.tflite").write_bytes(converter(module).convert())
    (FOLDER / "reversed.tflite").write_bytes(reversed_graph((FOLDER / "two_and_two.tflite").read_bytes()))
    (FOLDER / "int8.tflite").write_bytes(full_integer(converter(Affine())).convert())


def converter(module: tf.Module) -> tf.lite.TFLiteConverter:
    made = tf.lite.TFLiteConverter.from_concrete_functions([module.__call__.get_concrete_function()], module)
    made.experimental_enable_resource_variables = True
    return made


def reversed_graph(data: bytes) -> bytes:
    """Return a model whose graph lists inputs and outputs the other way round than its signature does."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
    graph = model.subgraphs[0]
    graph.inputs, graph.outputs = list(graph.inputs)[::-1], list(graph.outputs)[::-1]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def full_integer(made: tf.lite.TFLiteConverter) -> tf.lite.TFLiteConverter:
    rows = np.random.default_rng(0).uniform(-1, 1, (64, 1, 4)).astype(np.float32)
    made.optimizations = [tf.lite.Optimize.DEFAULT]
    made.representative_dataset = lambda: ([row] for row in rows)
    made.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    made.inference_input_type = made.inference_output_type = tf.int8
    return made


if __name__ == "__main__":
    main()
