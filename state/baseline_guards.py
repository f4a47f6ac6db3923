"""The guards about what must be known of the unmodified model (P1)."""

from edgewright.state.asked import Asked
from edgewright.state.errors import Code, Refusal
from edgewright.state.run import Run


def baseline_complete(run: Run | None, asked: Asked) -> Refusal | None:
    """Nothing is done to a model before latency, accuracy, size and memory of the unmodified one are known (P1)."""
    missing = ["everything"] if run is None or run.profiled is None else run.profiled.baseline.missing
    return _unmeasured(asked, missing) if missing else None


def source_measured(run: Run | None, asked: Asked) -> Refusal | None:
    """Before the baseline is complete only a source is converted, and only once it was measured itself (P1)."""
    if run is not None and run.source is not None and run.profiled is None:
        return None
    return _unmeasured(asked, ["everything"])


def _unmeasured(asked: Asked, missing: list[str]) -> Refusal:
    return Refusal(
        Code.EVIDENCE_MISSING,
        f"{asked.call} without a complete baseline",
        f"not measured of the unmodified model: {', '.join(missing)}",
        "call profile_model and wait until it is done",
        {"missing": missing},
        ("P1",),
    )
