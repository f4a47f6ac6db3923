"""Keras models, as the probe sees them: loaded in safe mode, in the toolchain that brings Keras.

A model's inputs are called as Keras calls them; outputs by the keys of its dictionary of outputs, otherwise by the
layers that they come from.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

# Read when the libraries load: which of its backends Keras computes with, and how much TensorFlow says.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import tensorflow as tf

from edgewright.tools.probe.answer import ProbeError
from edgewright.tools.probe.columns import Array
from edgewright.tools.probe.session import Description, Feed, OperatorTime, Port

HDF5 = b"\x89HDF"


class KerasSession:
    """A model with the function that answers as it does."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.inputs = tuple(Port(tensor.name, tensor.dtype, tuple(tensor.shape)) for tensor in model.inputs)
        self.outputs = _outputs(model)
        self.function = _function(model, self.inputs)

    def run(self, feed: Feed) -> List[Array]:
        """Run one inference.

        Raises:
            ProbeError: Keras failed.
        """
        try:
            answers = self.function(*(tf.constant(feed[port.name]) for port in self.inputs))
        except Exception as error:  # what a layer raises shares no other base class
            raise _probe_error("run", error) from error
        return [answer.numpy() for answer in answers]


def version() -> str:
    """Return the version of the library."""
    return str(keras.__version__)


def load(path: str, threads: int) -> KerasSession:
    """Load a model file in safe mode, for inference alone.

    Raises:
        ProbeError: Keras refused the file, or it says nothing of its inputs.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    try:
        # Keras goes by the file's name, and files of the store have none.
        link = Path(tempfile.mkdtemp()) / ("model.h5" if _is_hdf5(path) else "model.keras")
        link.symlink_to(path)
        model = keras.saving.load_model(link, compile=False, safe_mode=True)
    except Exception as error:  # its own, TensorFlow's, HDF5's and a hostile configuration's share no other base class
        raise _probe_error("load", error) from error
    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        raise ProbeError("load", "it does not say what it takes: rebuild it as a functional model and save it again")
    return KerasSession(model)


def profile(path: str, threads: int, feeds: Sequence[Feed], warmup_runs: int, folder: Path) -> Tuple[OperatorTime, ...]:
    """Return nothing: times of Keras layers say nothing of any device."""
    del path, threads, feeds, warmup_runs, folder
    return ()


def describe(session: KerasSession) -> Description:
    """Say what a model is."""
    model = session.model
    layers = Counter(type(layer).__name__ for layer in model._flatten_layers(include_self=False))  # noqa: SLF001
    sizes: Dict[str, int] = Counter()
    for weight in model.weights:
        sizes[str(weight.dtype)] += max(1, int(tf.size(weight)))
    weights = max(sizes, key=lambda name: sizes[name]) if sizes else "float32"
    return Description(int(model.count_params()), dict(layers), weights, "Keras, loaded by version %s" % version())


def _outputs(model: Any) -> Tuple[Port, ...]:
    struct = model._outputs_struct if hasattr(model, "_outputs_struct") else model.outputs  # noqa: SLF001
    tensors = keras.tree.flatten(struct)
    if isinstance(struct, dict):
        names = [str(name) for name in sorted(struct)]  # the order in which dictionaries are flattened
    else:
        names = [str(tensor._keras_history.operation.name) for tensor in tensors]  # noqa: SLF001
    if len(names) != len(tensors) or len(set(names)) != len(names):
        names = ["output_%d" % number for number in range(len(tensors))]
    return tuple(Port(name, tensor.dtype, tuple(tensor.shape)) for name, tensor in zip(names, tensors))


def _function(model: Any, inputs: Sequence[Port]) -> Any:
    """Return the model as one graph function of its inputs, in their order, that gives its outputs in theirs."""
    signature = [tf.TensorSpec(port.shape, port.dtype, name=port.name) for port in inputs]

    def call(*tensors: Any) -> List[Any]:
        given = tensors[0] if len(tensors) == 1 else list(tensors)
        answers: List[Any] = keras.tree.flatten(model(given, training=False))
        return answers

    return tf.function(call, input_signature=signature)


def _is_hdf5(path: str) -> bool:
    with open(path, "rb") as stream:
        return stream.read(len(HDF5)) == HDF5


def _probe_error(kind: str, error: Exception) -> ProbeError:
    text = " ".join(str(error).split())
    out_of_memory = isinstance(error, MemoryError) or "OOM when allocating" in text
    return ProbeError("memory" if out_of_memory else kind, "%s: %s" % (type(error).__name__, text))
