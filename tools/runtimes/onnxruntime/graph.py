"""ONNX Runtime's graph optimiser, run once and written to a file."""

from pathlib import Path

import onnxruntime

# BASIC folds and removes nodes and stays within standard ONNX. EXTENDED would write operators of `com.microsoft` that
# neither the quantiser nor another runtime knows, ALL layouts of this one processor; every session applies both when
# it loads a file, so writing them down gains nothing.
LEVEL = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC


def optimize_graph(source: Path, target: Path) -> None:
    """Write `source` as ONNX Runtime's basic optimisations leave it."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = LEVEL
    options.optimized_model_filepath = str(target)
    options.intra_op_num_threads = 1
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
