"""ONNX to TFLite by onnx2tf's direct back end, which needs no TensorFlow; float32 alone.

Its own quantisers are left out: they give files that do not load, that lose all accuracy, or that take float16.
"""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx
import onnx2tf
import onnxsim

from edgewright.tools.probe.answer import ProbeError

Request = Mapping[str, Any]


def onnx_to_tflite(request: Request) -> list[str]:
    """Convert with every input in its own layout and one sample at a time; names stay those of the graph.

    Raises:
        ProbeError: The converter ended without a file.
    """
    folder = Path(request["folder"]) / "out"
    fixed = str(Path(request["folder"]) / "model.onnx")
    inputs = _fix_batch(request["source"], fixed)
    try:
        onnx2tf.convert(
            input_onnx_file_path=fixed,
            output_folder_path=str(folder),
            tflite_backend="flatbuffer_direct",
            keep_shape_absolutely_input_names=inputs,
            copy_onnx_input_output_names_to_tflite=True,
            non_verbose=True,
        )
    except SystemExit as error:  # how it reports what it cannot convert
        raise ProbeError("load", "onnx2tf gave up; the job's log says at which operator") from error
    made = sorted(folder.glob("*_float32.tflite"))
    if len(made) != 1:
        raise ProbeError("load", "onnx2tf left no float32 file")
    made[0].replace(request["made"])
    return [f"converted by onnx2tf {version('onnx2tf')}, float32, one sample at a time"]


def _fix_batch(source: str, fixed: str) -> list[str]:
    """Write the graph for one sample at a time, simplified; return the names of its inputs."""
    model = onnx.load(source, load_external_data=False)
    stored = {tensor.name for tensor in model.graph.initializer}
    shapes = {}
    for value in model.graph.input:
        if value.name not in stored:
            sizes = value.type.tensor_type.shape.dim
            is_open = bool(sizes) and not sizes[0].HasField("dim_value")
            shapes[value.name] = [1 if is_open and axis == 0 else size.dim_value for axis, size in enumerate(sizes)]
    known = {name: shape for name, shape in shapes.items() if all(shape)}
    simplified, _ = onnxsim.simplify(model, overwrite_input_shapes=known)
    onnx.save(simplified, fixed)
    return list(shapes)
