"""Keras to TFLite by TensorFlow's own converter, and to ONNX by tf2onnx. Both begin from one graph function."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from edgewright.tools.probe.keras_session import KerasSession, load
from edgewright.tools.probe.session import Port

Request = Mapping[str, Any]


def keras_to_tflite(request: Request) -> list[str]:
    """Convert with builtin operators alone; the interface is that of a signature with the model's own names."""
    session = load(request["source"], 1)
    converter = tf.lite.TFLiteConverter.from_keras_model(_named(session, static=request["static"]))
    Path(request["made"]).write_bytes(converter.convert())
    return [f"converted by tf.lite.TFLiteConverter of TensorFlow {tf.__version__}, float32"]


def keras_to_onnx(request: Request) -> list[str]:
    """Convert with tf2onnx; the outputs keep their order, and get their names from whoever asked."""
    import tf2onnx

    session = load(request["source"], 1)
    signature = _signature(session, static=request["static"])
    opset = request["opset"]
    tf2onnx.convert.from_function(session.function, signature, opset=opset, output_path=request["made"])
    return [f"converted by tf2onnx {tf2onnx.__version__}, opset {opset} asked for"]


def _signature(session: KerasSession, *, static: bool) -> list[Any]:
    """Return what the model takes; with `static`, one sample at a time."""

    def shape(port: Port) -> list[Any]:
        return [1 if static and axis == 0 and size is None else size for axis, size in enumerate(port.shape)]

    return [tf.TensorSpec(shape(port), port.dtype, name=port.name) for port in session.inputs]


def _named(session: KerasSession, *, static: bool) -> Any:
    """Return the model as one whose outputs have names; with `static`, it takes one sample at a time."""
    given = session.model.inputs
    if static:
        specs = _signature(session, static=True)
        given = [keras.Input(batch_shape=tuple(spec.shape), dtype=spec.dtype.name, name=spec.name) for spec in specs]
    answers = session.model(given[0] if len(given) == 1 else given) if static else session.model.outputs
    names = [port.name for port in session.outputs]
    return keras.Model(given, dict(zip(names, keras.tree.flatten(answers), strict=True)))
