"""What the demo does, as data: each call, and whether the server is expected to refuse it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edgewright.state.artifacts import Device

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


_START = Scene("Where do we stand?", "get_state", lambda _: {})
_BENCHMARK = Scene("Then measure: candidate and baseline in turn", "benchmark", lambda run: {"run": run})
_VALIDATE = Scene("And its accuracy, on the baseline's own data", "validate", lambda run: {"run": run})
_KEEP = Scene("It passed: keep it", "decide", lambda run: {"run": run, "decision": "keep"})
_PACKAGE = Scene("Package what was kept, and run the package", "package", lambda run: {"run": run})
_END = Scene("Where the run stands now", "get_state", lambda run: {"run": run})

# The demo's pictures as the TFLite model takes them: channels last.
LITE_CARD = MappingProxyType(
    {
        "inputs": {
            "image": {
                "kind": "image",
                "colour": "GRAY",
                "scale": 1 / 255,
                "mean": 0.2860,
                "std": 0.3530,
                "layout": "NHWC",
            }
        },
        "label": "label",
    }
)


def pi_scenes(model: str, validation: str, calibration: str) -> tuple[Scene, ...]:
    """Return the demo of a TFLite model for a Raspberry Pi in order. Paths are absolute."""

    def data(path: str) -> dict[str, object]:
        return {"path": path, "card": dict(LITE_CARD)}

    return (
        _START,
        Scene(
            "Measure the unmodified model first; the Pi should answer within 1 ms",
            "profile_model",
            lambda _: {
                "model_path": model,
                "validation": data(validation),
                "calibration": data(calibration),
                "metric": "top-1",
                "target_device": "raspberry-pi-5",
                "latency_target_ms": 1.0,
            },
        ),
        Scene(
            "The safe first step on an ARM CPU: float16",
            "quantize",
            lambda run: {"run": run, "scheme": "fp16", "base": "original"},
        ),
        _BENCHMARK,
        _VALIDATE,
        _KEEP,
        Scene(
            "Shortcut: make INT8 out of the float16 file",
            "quantize",
            lambda run: {"run": run, "scheme": "int8_static", "base": "current"},
            "SCHEME_NOT_OFFERED",
        ),
        Scene(
            "No Pi is here to show that 1 ms is met, so: full INT8 from the original, integers in and out",
            "quantize",
            lambda run: {"run": run, "scheme": "int8_static", "base": "original", "io_dtype": "int8"},
        ),
        _BENCHMARK,
        _VALIDATE,
        _KEEP,
        _PACKAGE,
        _END,
    )


def scenes(model: str, validation: str, calibration: str) -> tuple[Scene, ...]:
    """Return the demo in order. Paths are absolute."""
    profile = {
        "model_path": model,
        "validation": validation,
        "metric": "top-1",
        "target_device": "cpu-generic",
    }
    return (
        _START,
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
        _BENCHMARK,
        _VALIDATE,
        _KEEP,
        _PACKAGE,
        _END,
    )


SCRIPTS = MappingProxyType(
    {
        Device.CPU_GENERIC: ("fashion_mnist_cnn.onnx", scenes),
        Device.RASPBERRY_PI_5: ("fashion_mnist_mobile.tflite", pi_scenes),
    }
)
"""Device to the model of its demo and what is done with it."""
