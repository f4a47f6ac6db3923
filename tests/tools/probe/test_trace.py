"""Reading ONNX Runtime's trace; the events are shaped as version 1.32 writes them."""

from edgewright.tools.probe.onnxruntime_session import aggregate
from edgewright.tools.probe.session import OperatorTime


def node(op_type: str, ts: int, dur: int) -> dict[str, object]:
    return {"cat": "Node", "name": f"n{ts}_kernel_time", "ts": ts, "dur": dur, "args": {"op_name": op_type}}


def run(ts: int, dur: int) -> dict[str, object]:
    return {"cat": "Session", "name": "model_run", "ts": ts, "dur": dur, "args": {}}


def test_times_are_summed_by_operator_and_warm_up_does_not_count() -> None:
    events = [
        {"cat": "Session", "name": "session_initialization", "ts": 0, "dur": 5, "args": {}},
        node("Conv", 11, 900),
        run(10, 950),
        node("Conv", 1001, 30),
        node("Relu", 1031, 4),
        node("Conv", 1035, 20),
        run(1000, 60),
    ]
    assert aggregate(events, runs=2, warmup_runs=1) == (OperatorTime("Conv", 2, 50_000), OperatorTime("Relu", 1, 4_000))


def test_a_loop_counts_without_what_runs_inside_it() -> None:
    events = [run(0, 100), node("Loop", 10, 50), node("MatMul", 12, 20), node("MatMul", 35, 20), node("Add", 60, 5)]
    assert aggregate(events, runs=1, warmup_runs=0) == (
        OperatorTime("MatMul", 2, 40_000),
        OperatorTime("Loop", 1, 10_000),
        OperatorTime("Add", 1, 5_000),
    )


def test_a_trace_that_the_event_limit_cut_names_no_operators() -> None:
    events = [node("Conv", 11, 900), run(10, 950), node("Conv", 1001, 30), run(1000, 60), node("Conv", 2001, 30)]
    assert aggregate(events, runs=3, warmup_runs=1) == ()
    assert aggregate([], runs=3, warmup_runs=1) == ()
