"""LiteRT on the CPU, as the probe sees it."""

from __future__ import annotations

from pathlib import Path
from typing import List, Sequence, Tuple

from edgewright.tools.probe import litert_runner
from edgewright.tools.probe.answer import ProbeError
from edgewright.tools.probe.columns import Array
from edgewright.tools.probe.session import Feed, OperatorTime, Port


class LiteRtSession:
    """A model in an interpreter."""

    def __init__(self, runner: litert_runner.Runner) -> None:
        self._run = runner.run
        self.inputs = tuple(_port(tensor) for tensor in runner.inputs)
        self.outputs = tuple(_port(tensor) for tensor in runner.outputs)

    def run(self, feed: Feed) -> List[Array]:
        """Run one inference.

        Raises:
            ProbeError: The runtime refused or failed.
        """
        try:
            return self._run(feed)
        except (ValueError, RuntimeError, TypeError) as error:
            raise _probe_error("run", error) from error


def version() -> str:
    """Return the version of the library."""
    return litert_runner.version()


def load(path: str, threads: int) -> LiteRtSession:
    """Load a model file with the delegate that a plain user gets, XNNPACK, and this number of threads.

    Raises:
        ProbeError: The runtime refused the file.
    """
    try:
        return LiteRtSession(litert_runner.Runner(path, threads))
    except (ValueError, RuntimeError, TypeError, MemoryError) as error:
        raise _probe_error("load", error) from error


def profile(path: str, threads: int, feeds: Sequence[Feed], warmup_runs: int, folder: Path) -> Tuple[OperatorTime, ...]:
    """Return nothing: LiteRT's Python interface gives no times of operators (2.3), and unknown stays unknown."""
    del path, threads, feeds, warmup_runs, folder
    return ()


def _probe_error(kind: str, error: Exception) -> ProbeError:
    text = " ".join(str(error).split())
    out_of_memory = isinstance(error, MemoryError) or "bad_alloc" in text or "Failed to allocate" in text
    return ProbeError("memory" if out_of_memory else kind, text or type(error).__name__)


def _port(tensor: litert_runner.Tensor) -> Port:
    return Port(tensor.name, tensor.dtype, tensor.shape, tensor.quantization)
