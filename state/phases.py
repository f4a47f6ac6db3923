"""The workflow as one table.

The rules of this file:

1. Whatever depends on the phase of a run stands in `TABLE`; no other module compares phases.
2. A row is one call in one phase: the guards that it must pass, the fact that moves the run, and where to.
3. A call that is not in the row of its phase is refused. Reading calls are in no row: they are always legal.
4. A fact moves a run only from a phase whose rows name it; any other is a corrupt ledger.

The guards named here are the functions of `edgewright.state.guards`; keep both in step.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Phase(StrEnum):
    """Where a run stands."""

    PROFILE = "PROFILE"
    OPTIMIZE = "OPTIMIZE"
    BENCHMARK = "BENCHMARK"
    VALIDATE = "VALIDATE"
    PACKAGE = "PACKAGE"


class Call(StrEnum):
    """The calls that change a run. `decide` is two calls, since its two answers need different evidence."""

    PROFILE_MODEL = "profile_model"
    ANALYZE = "analyze_sensitivity"
    QUANTIZE = "quantize"
    CONVERT = "convert"
    BENCHMARK = "benchmark"
    VALIDATE = "validate"
    KEEP = "decide(keep)"
    REVERT = "decide(revert)"
    ACCEPT = "accept_tradeoff"
    PACKAGE = "package"


class Fact(StrEnum):
    """The recorded facts that move a run."""

    BASELINE_COMPLETE = "baseline_complete"
    SENSITIVITY_ANALYSED = "sensitivity_analysed"
    CANDIDATE_MADE = "candidate_made"
    BENCHMARK_VALID = "benchmark_valid"
    SUSTAINED_MEASURED = "sustained_measured"
    ACCURACY_MEASURED = "accuracy_measured"
    KEPT = "kept"
    REVERTED = "reverted"
    WAIVER_GRANTED = "waiver_granted"
    PACKAGED = "packaged"


@dataclass(frozen=True)
class Row:
    """One legal call: what it must pass, the fact it can bring about, and the phase that the fact leads to."""

    guards: tuple[str, ...]
    fact: Fact
    to: Phase


_STEP_GUARDS = ("idle", "baseline_complete", "no_open_candidate", "base_known")
_STEPS = {
    Call.QUANTIZE: Row((*_STEP_GUARDS, "calibration_present"), Fact.CANDIDATE_MADE, Phase.BENCHMARK),
    Call.CONVERT: Row(_STEP_GUARDS, Fact.CANDIDATE_MADE, Phase.BENCHMARK),
}
_PACKAGE = Row(
    (
        "idle",
        "baseline_complete",
        "no_open_candidate",
        "target_measures",
        "shipped_is_proven",
        "format_fits_device",
        "sustained_on_target",
    ),
    Fact.PACKAGED,
    Phase.PACKAGE,
)


def _sustain(phase: Phase) -> Row:
    """Return the row of the long run over what would ship; it proves something and moves nothing."""
    guards = ("idle", "baseline_complete", "no_open_candidate", "target_measures", "protocol_is_sustained")
    return Row(guards, Fact.SUSTAINED_MEASURED, phase)


def _analyze(phase: Phase) -> Row:
    """Return the row of a look at a model's parts; it proves something and moves nothing."""
    return Row((*_STEP_GUARDS, "calibration_present"), Fact.SENSITIVITY_ANALYSED, phase)


_ACCEPT_GUARDS = ("idle", "something_to_accept")
_REVERT = Row(("idle", "candidate_open"), Fact.REVERTED, Phase.OPTIMIZE)

START = Row(
    ("idle", "tolerance_within_cap", "metric_allowed", "target_measures"), Fact.BASELINE_COMPLETE, Phase.OPTIMIZE
)
"""The one call without a run: it makes one, which is in PROFILE until its baseline is complete."""

TWIN = Row(("idle", "source_measured"), Fact.BASELINE_COMPLETE, Phase.OPTIMIZE)
"""The conversion that completes the baseline of a source that no device runs: what it makes is timed, not optimised."""

TABLE: Mapping[Phase, Mapping[Call, Row]] = MappingProxyType(
    {
        Phase.PROFILE: MappingProxyType({Call.PROFILE_MODEL: START, Call.CONVERT: TWIN}),
        Phase.OPTIMIZE: MappingProxyType(
            {
                Call.ANALYZE: _analyze(Phase.OPTIMIZE),
                **_STEPS,
                Call.BENCHMARK: _sustain(Phase.OPTIMIZE),
                Call.PACKAGE: _PACKAGE,
                Call.ACCEPT: Row(_ACCEPT_GUARDS, Fact.WAIVER_GRANTED, Phase.OPTIMIZE),
            }
        ),
        Phase.BENCHMARK: MappingProxyType(
            {
                Call.BENCHMARK: Row(
                    ("idle", "candidate_open", "target_measures", "protocol_long_enough"),
                    Fact.BENCHMARK_VALID,
                    Phase.VALIDATE,
                ),
                Call.REVERT: _REVERT,
            }
        ),
        Phase.VALIDATE: MappingProxyType(
            {
                Call.VALIDATE: Row(
                    ("idle", "candidate_open", "benchmark_valid"), Fact.ACCURACY_MEASURED, Phase.VALIDATE
                ),
                Call.KEEP: Row(
                    ("idle", "candidate_open", "benchmark_valid", "candidate_passes"), Fact.KEPT, Phase.OPTIMIZE
                ),
                Call.REVERT: _REVERT,
                Call.ACCEPT: Row(_ACCEPT_GUARDS, Fact.WAIVER_GRANTED, Phase.VALIDATE),
            }
        ),
        Phase.PACKAGE: MappingProxyType(
            {
                Call.PACKAGE: _PACKAGE,
                Call.ANALYZE: _analyze(Phase.PACKAGE),
                **_STEPS,
                Call.BENCHMARK: _sustain(Phase.PACKAGE),
                Call.ACCEPT: Row(_ACCEPT_GUARDS, Fact.WAIVER_GRANTED, Phase.PACKAGE),
            }
        ),
    }
)


def legal_calls(phase: Phase) -> tuple[Call, ...]:
    """Return the calls that change a run and are legal in this phase, guards aside."""
    return tuple(TABLE[phase])


def advance(phase: Phase, fact: Fact) -> Phase | None:
    """Return the phase that a fact leads to, or `None` where no row of `phase` names it."""
    return next((row.to for row in TABLE[phase].values() if row.fact is fact), None)


def diagram() -> str:
    """Return the table as a Mermaid state diagram, for the README."""
    lines = ["stateDiagram-v2", f"    [*] --> {Phase.PROFILE}: {Call.PROFILE_MODEL}"]
    edges: dict[tuple[Phase, Phase], list[str]] = {}
    for phase, rows in TABLE.items():
        for call, row in rows.items():
            cause = row.fact if call is Call.PROFILE_MODEL else call
            edges.setdefault((phase, row.to), []).append(str(cause))
    lines += [f"    {start} --> {end}: {', '.join(causes)}" for (start, end), causes in edges.items()]
    return "\n".join(lines)
