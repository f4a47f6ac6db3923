"""The tasks of a request. Each returns what it found out about every model."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Callable, Dict, Iterator, List, Mapping, Tuple

import numpy as np

from edgewright.tools.probe import inference, memory, timing
from edgewright.tools.probe.answer import ProbeError
from edgewright.tools.probe.feeds import Feeding, feeding, open_columns
from edgewright.tools.probe.progress import Progress
from edgewright.tools.probe.sampling import Sampling
from edgewright.tools.probe.session import Port, Session, runtime

Request = Mapping[str, Any]
Facts = Dict[str, Dict[str, Any]]

PROFILE_WARMUP_RUNS = 5
# The profiler keeps a million events at most; this many inferences of a graph of 10,000 nodes fit.
PROFILE_RUNS = 25


def latency(request: Request) -> Facts:
    """Time the models in turn; leave each one's raw times as `times-N.npy`, int64 nanoseconds, shape (runs,)."""
    folder = Path(request["folder"])
    with Sampling(folder) as sampling:
        lanes, plans, load_ns = _lanes(request)
        sampling.wait_until_ready()
        conditions = sampling.conditions(*_measure(lanes, request["protocol"], Progress(folder)))
    answer: Facts = {}
    for number, (lane, plan) in enumerate(zip(lanes, plans)):
        np.save(folder / f"times-{number}.npy", np.array(lane.times_ns, dtype=np.int64))
        answer[lane.name] = {
            "times": f"times-{number}.npy",
            "runs": len(lane.times_ns),
            "warmup_runs": lane.warmup_runs,
            "steady": lane.steady,
            "feeds": len(lane.feeds),
            "first_ns": lane.first_ns,
            "load_ns": load_ns[number],
            "batch": plan.batch or 1,
            "conditions": conditions,
        }
    return answer


def outputs(request: Request) -> Facts:
    """Run one model over all samples and leave its outputs as columns."""
    model = _single(request)
    session, _ = _load(model)
    folder = Path(request["folder"])
    return {model["name"]: inference.write_outputs(session, _plan(request, session), folder, Progress(folder))}


def peak_memory(request: Request) -> Facts:
    """Load and run one model; the runtime alone is the same process before the model came."""
    model = _single(request)
    runtime(model["runtime"])
    empty = memory.peak_bytes()
    session, _ = _load(model)
    for feed in _plan(request, session).spread(request["samples"]):
        session.run(feed)
    return {model["name"]: {"peak_bytes": memory.peak_bytes(), "empty_runtime_bytes": empty}}


def operators(request: Request) -> Facts:
    """Run one model under its runtime's profiler."""
    model = _single(request)
    feeds = _plan(request, _load(model)[0]).spread(request["samples"])
    cycled = [feeds[number % len(feeds)] for number in range(PROFILE_WARMUP_RUNS + PROFILE_RUNS)]
    times = runtime(model["runtime"]).profile(
        model["path"], model["threads"], cycled, PROFILE_WARMUP_RUNS, Path(request["folder"])
    )
    rows = [{"op_type": time.op_type, "calls": time.calls, "total_ns": time.total_ns} for time in times]
    return {model["name"]: {"runs": PROFILE_RUNS, "operators": rows}}


def description(request: Request) -> Facts:
    """Load one model of a framework and say what it is; nothing is run."""
    model = _single(request)
    session, _ = _load(model)
    said: Any = runtime(model["runtime"])  # a framework's module has this beside what every runtime's has
    content = asdict(said.describe(session))
    ports = {side: [_port(port) for port in getattr(session, side)] for side in ("inputs", "outputs")}
    return {model["name"]: {**content, **ports}}


def _port(port: Port) -> Dict[str, Any]:
    return {"name": port.name, "dtype": port.dtype, "shape": list(port.shape)}


TASKS: Dict[str, Callable[[Request], Facts]] = {
    "latency": latency,
    "outputs": outputs,
    "memory": peak_memory,
    "operators": operators,
    "description": description,
}


def _lanes(request: Request) -> Tuple[List[timing.Lane], List[Feeding], List[int]]:
    """Load the models; return them ready to be timed, how each is fed, and the nanoseconds that loading took."""
    plans: List[Feeding] = []
    lanes: List[timing.Lane] = []
    load_ns: List[int] = []
    _set_up(request)
    for model in request["models"]:
        with _blamed(model):
            session, taken = _load(model)
            plans.append(_plan(request, session))
        load_ns.append(taken)
        lanes.append(timing.Lane(model["name"], session, plans[-1].spread(request["samples"])))
    return lanes, plans, load_ns


def _measure(lanes: List[timing.Lane], protocol: Mapping[str, Any], progress: Progress) -> Tuple[int, int]:
    return timing.measure(
        lanes,
        warmup_runs=protocol["warmup_runs"],
        warmup_s=protocol["warmup_s"],
        runs=protocol["runs"],
        duration_s=protocol["duration_s"],
        settle_s=protocol["settle_s"],
        progress=progress,
    )


def _load(model: Mapping[str, Any]) -> Tuple[Session, int]:
    """Return the loaded model and the nanoseconds it took, the import of the runtime not included."""
    library = runtime(model["runtime"])
    start = perf_counter_ns()
    session = library.load(model["path"], model["threads"])
    return session, perf_counter_ns() - start


@contextmanager
def _blamed(model: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    try:
        yield model
    except ProbeError as error:
        error.model = model["name"]
        raise


def _set_up(request: Request) -> None:
    """Load and run the first model of each runtime once: what a process pays once is charged to no model."""
    first = {model["runtime"]: model for model in reversed(request["models"])}
    for known in first.values():
        with _blamed(known) as model:
            session, _ = _load(model)
            session.run(_plan(request, session).spread(1)[0])


def _plan(request: Request, session: Session) -> Feeding:
    return feeding(session.inputs, open_columns(request["index"], request["objects"]))


def _single(request: Request) -> Mapping[str, Any]:
    if len(request["models"]) != 1:
        raise ProbeError("input", f"{request['task']} takes one model, not {len(request['models'])}")
    model: Mapping[str, Any] = request["models"][0]
    return model
