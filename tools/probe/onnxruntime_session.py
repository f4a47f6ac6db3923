"""ONNX Runtime on the CPU."""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

# Read once, when the library loads; from version 1.29 on it reports model names and weight hashes otherwise.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

from edgewright.tools.probe.answer import ProbeError
from edgewright.tools.probe.columns import Array
from edgewright.tools.probe.session import Feed, OperatorTime, Port

ERROR_SEVERITY = 3
# Element types of onnxruntime's type strings whose NumPy name differs; the others are spelled alike.
NUMPY_NAMES = {"float": "float32", "double": "float64"}


class OnnxRuntimeSession:
    """A model in an `onnxruntime.InferenceSession`."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._run = session.run
        self.inputs = tuple(_port(node) for node in session.get_inputs())
        self.outputs = tuple(_port(node) for node in session.get_outputs())

    def run(self, feed: Feed) -> List[Array]:
        """Run one inference.

        Raises:
            ProbeError: The runtime refused or failed.
        """
        try:
            outputs: List[Array] = self._run(None, feed)
        except Exception as error:  # its exceptions share no other base class
            raise _probe_error("run", error) from error
        return outputs


def version() -> str:
    """Return the version of the library."""
    return str(onnxruntime.__version__)


def load(path: str, threads: int) -> OnnxRuntimeSession:
    """Load a model file with the options that a plain user gets, but for the number of threads.

    Raises:
        ProbeError: The runtime refused the file.
    """
    return OnnxRuntimeSession(_session(path, _options(threads)))


def profile(path: str, threads: int, feeds: Sequence[Feed], warmup_runs: int, folder: Path) -> Tuple[OperatorTime, ...]:
    """Run every feed once under ONNX Runtime's profiler.

    Times have the profiler's resolution of a microsecond, and its own cost is in them.

    Raises:
        ProbeError: The runtime refused the file or failed.
    """
    options = _options(threads)
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "trace")
    session = _session(path, options)
    wrapped = OnnxRuntimeSession(session)
    for feed in feeds:
        wrapped.run(feed)
    trace = Path(session.end_profiling())
    try:
        events = json.loads(trace.read_text(encoding="utf-8"))
    finally:
        trace.unlink()
    return aggregate(events, len(feeds), warmup_runs)


def aggregate(events: Sequence[Dict[str, Any]], runs: int, warmup_runs: int) -> Tuple[OperatorTime, ...]:
    """Sum the trace's node times by operator type, the longest first.

    Only the faster half of the inferences counts, scaled to all: one that the system put aside for a moment would
    charge that moment to whichever operator was at work. An operator with a subgraph (If, Loop, Scan) counts without
    the nodes inside, which are in the trace themselves.

    Args:
        events: Chrome trace events as ONNX Runtime writes them; `ts` and `dur` in microseconds.
        runs: Inferences that were made, warm-up included.
        warmup_runs: Inferences at the start that do not count.

    Returns:
        Nothing where the trace ends before the last inference: the profiler keeps a limited number of events.
    """
    timed = sorted((event["ts"], event["dur"]) for event in events if event.get("name") == "model_run")
    if len(timed) < runs:
        return ()
    starts = [start for start, _ in timed]
    counted = range(warmup_runs, runs)
    faster = set(sorted(counted, key=lambda run: timed[run][1])[: (len(counted) + 1) // 2])
    nodes = [event for event in events if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")]
    nodes.sort(key=lambda event: (event["ts"], -event["dur"]))
    calls: Dict[str, int] = {}
    total_us: Dict[str, int] = {}
    open_nodes: List[Dict[str, Any]] = []
    for node in nodes:
        run = bisect_right(starts, node["ts"]) - 1
        if run not in counted:
            continue
        op_type = node["args"]["op_name"]
        calls[op_type] = calls.get(op_type, 0) + 1
        spent_us = node["dur"] if run in faster else 0
        total_us[op_type] = total_us.get(op_type, 0) + spent_us
        while open_nodes and node["ts"] >= open_nodes[-1]["ts"] + open_nodes[-1]["dur"]:
            open_nodes.pop()
        if open_nodes:
            total_us[open_nodes[-1]["args"]["op_name"]] -= spent_us
        open_nodes.append(node)
    scale = 1000 * len(counted) / len(faster)
    times = [OperatorTime(op_type, calls[op_type], round(scale * total_us[op_type])) for op_type in calls]
    return tuple(sorted(times, key=lambda time: -time.total_ns))


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERROR_SEVERITY
    # Two sessions take turns in this process: the idle one's threads must not spin on the other's cores
    # (microsoft/onnxruntime, pull request 11841).
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _session(path: str, options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no other base class
        raise _probe_error("load", error) from error


def _probe_error(kind: str, error: Exception) -> ProbeError:
    text = " ".join(str(error).split())
    out_of_memory = isinstance(error, MemoryError) or "bad_alloc" in text or "Failed to allocate memory" in text
    return ProbeError("memory" if out_of_memory else kind, text or type(error).__name__)


def _port(node: onnxruntime.NodeArg) -> Port:
    kind = str(node.type)
    if kind.startswith("tensor(") and kind.endswith(")"):
        kind = NUMPY_NAMES.get(kind[7:-1], kind[7:-1])
    shape: Tuple[Optional[int], ...] = tuple(size if isinstance(size, int) else None for size in node.shape)
    return Port(str(node.name), kind, shape)
