"""The three named ways to time a model. A measurement says which one it used, and its numbers."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class ProtocolName(StrEnum):
    """Names of the protocols."""

    QUICK = "quick"
    STANDARD = "standard"
    SUSTAINED = "sustained"


@dataclass(frozen=True)
class Protocol:
    """How long to warm up and to measure; each bound but `settle_s` is a minimum that must be reached.

    Attributes:
        name: Which of the three.
        warmup_runs: Untimed runs at least.
        warmup_s: Untimed seconds at least, per model.
        runs: Timed runs at least, per model and process.
        duration_s: Timed seconds at least, per model and process.
        processes: Fresh processes, whose samples are pooled.
        settle_s: Untimed seconds at most, per model, that the warm-up waits for steady times beyond its minima.
    """

    name: ProtocolName
    warmup_runs: int
    warmup_s: float
    runs: int
    duration_s: float
    processes: int
    settle_s: float = 0.0

    @property
    def shortened(self) -> bool:
        """Whether the operator made it shorter than its name promises."""
        return self.duration_s < PROTOCOLS[self.name].duration_s

    @property
    def title(self) -> str:
        """Its name as it is shown, with what was cut from it."""
        if not self.shortened:
            return str(self.name)
        usual_s = PROTOCOLS[self.name].duration_s
        return f"{self.name} (shortened by the operator to {self.duration_s:g} s of {usual_s:g} s)"


# P1 asks for 100 timed runs; P95 needs 130 (LEAST_RUNS below). Standard follows the shape of MLPerf's single stream
# (>= 10 s) in three processes, as pyperf does, since one process's memory layout can favour a model.
PROTOCOLS = MappingProxyType(
    {
        ProtocolName.QUICK: Protocol(ProtocolName.QUICK, 10, 0.2, 130, 1.0, 1, 0.5),
        ProtocolName.STANDARD: Protocol(ProtocolName.STANDARD, 10, 1.0, 100, 10.0, 3, 5.0),
        ProtocolName.SUSTAINED: Protocol(ProtocolName.SUSTAINED, 10, 1.0, 100, 300.0, 1, 5.0),
    }
)

# The fewest samples whose order statistics bound a percentile with 99 % confidence: MLPerf inference rules, the
# early-stopping criterion of the single-stream scenario (mlcommons/inference_policies, inference_rules.adoc).
LEAST_RUNS = MappingProxyType({50: 11, 90: 64, 95: 130, 97: 219, 99: 662})
BASELINE_RUNS = 100
