"""How long a refused call takes through a client over stdio: `python benchmarks/refusals.py [CALLS]`.

The calls are refused by the arguments, by an unknown run, and by the operator's bounds; nothing else runs.
"""

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median, quantiles

import anyio
from mcp import Client, StdioServerParameters

CALLS: Mapping[str, tuple[str, dict[str, object]]] = {
    "unknown argument": ("benchmark", {"run": "run-1", "latency_ms": 1}),
    "unknown run": ("validate", {"run": "run-1"}),
    "above the cap": (
        "profile_model",
        {
            "model_path": "/m.onnx",
            "validation": "/v.npz",
            "metric": "top-1",
            "target_device": "cpu-generic",
            "accuracy_tolerance": 0.5,
        },
    ),
}


async def measure(calls: int) -> dict[str, list[float]]:
    """Return the milliseconds of each call, by kind."""
    times: dict[str, list[float]] = {name: [] for name in CALLS}
    with tempfile.TemporaryDirectory() as folder:
        (root := Path(folder) / "allowed").mkdir()
        state = Path(folder) / "state"
        arguments = ["-m", "edgewright.server", "serve", "--state-folder", str(state), "--root", str(root)]
        async with Client(StdioServerParameters(command=sys.executable, args=arguments)) as client:
            for number in range(calls + 5):
                for name, (tool, given) in CALLS.items():
                    began = time.perf_counter()
                    result = await client.call_tool(tool, given)
                    taken_ms = (time.perf_counter() - began) * 1000
                    assert result.is_error
                    if number >= 5:
                        times[name].append(taken_ms)
    return times


if __name__ == "__main__":
    for name, values in anyio.run(measure, int(sys.argv[1]) if len(sys.argv) > 1 else 100).items():
        print(f"{name:<17} median {median(values):6.2f} ms, P95 {quantiles(values, n=20)[-1]:6.2f} ms, n={len(values)}")
