"""What the demo does, as data: each call, and whether the server is expected to refuse it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Arguments = Callable[[str], Mapping[str, object]]
"""Called with the run's handle."""


@dataclass(frozen=True)
class Scene:
    """One call of the demo.

    Attributes:
        say: What a viewer is told before it.
        tool: The tool.
        arguments: Its arguments.
        refused_as: The code of the expected refusal, or `None` where the call is honest.
    """

    say: str
    tool: str
    arguments: Arguments
    refused_as: str | None = None


def scenes(model: str, validation: str, calibration: str) -> tuple[Scene, ...]:
    """Return the demo in order. Paths are absolute."""
    profile = {
        "model_path": model,
        "validation": validation,
        "metric": "top-1",
        "target_device": "cpu-generic",
    }
    return (
        Scene("Where do we stand?", "get_state", lambda _: {}),
        Scene(
            "Shortcut 1: ask for a tolerance of 30 %, so that anything passes",
            "profile_model",
            lambda _: {**profile, "calibration": calibration, "accuracy_tolerance": 0.3},
            "TOLERANCE_ABOVE_CAP",
        ),
        Scene(
            "Measure the unmodified model first",
            "profile_model",
            lambda _: {**profile, "calibration": calibration, "accuracy_tolerance": 0.02},
        ),
        Scene(
            "One step: static INT8, ranges from real calibration images",
            "quantize",
            lambda run: {"run": run, "scheme": "int8_static", "base": "original"},
        ),
        Scene(
            "Shortcut 2: package it right away, it will be fine",
            "package",
            lambda run: {"run": run},
            "PHASE",
        ),
        Scene(
            "Shortcut 3: save the time for the benchmark and bring the number along",
            "benchmark",
            lambda run: {"run": run, "latency_ms": 0.1},
            "UNKNOWN_ARGUMENT",
        ),
        Scene("Then measure: candidate and baseline in turn", "benchmark", lambda run: {"run": run}),
        Scene("And its accuracy, on the baseline's own data", "validate", lambda run: {"run": run}),
        Scene("It passed: keep it", "decide", lambda run: {"run": run, "decision": "keep"}),
        Scene("Package what was kept, and run the package", "package", lambda run: {"run": run}),
        Scene("Where the run stands now", "get_state", lambda run: {"run": run}),
    )
