"""The phase table against SPEC.md, "The phases"."""

from dataclasses import replace

import pytest
import run_builder as build

from edgewright.state.artifacts import Device
from edgewright.state.errors import Code
from edgewright.state.guards import refusal_for
from edgewright.state.phases import TABLE, Call, Fact, Phase, advance, diagram, legal_calls
from edgewright.state.run import Run, apply

LEGAL = {
    Phase.PROFILE: {Call.PROFILE_MODEL, Call.CONVERT},
    Phase.OPTIMIZE: {Call.ANALYZE, Call.QUANTIZE, Call.CONVERT, Call.BENCHMARK, Call.PACKAGE, Call.ACCEPT},
    Phase.BENCHMARK: {Call.BENCHMARK, Call.REVERT},
    Phase.VALIDATE: {Call.VALIDATE, Call.KEEP, Call.REVERT, Call.ACCEPT},
    Phase.PACKAGE: {Call.PACKAGE, Call.ANALYZE, Call.QUANTIZE, Call.CONVERT, Call.BENCHMARK, Call.ACCEPT},
}
MOVES = {
    (Phase.PROFILE, Fact.BASELINE_COMPLETE): Phase.OPTIMIZE,
    (Phase.OPTIMIZE, Fact.CANDIDATE_MADE): Phase.BENCHMARK,
    (Phase.OPTIMIZE, Fact.SUSTAINED_MEASURED): Phase.OPTIMIZE,
    (Phase.OPTIMIZE, Fact.SENSITIVITY_ANALYSED): Phase.OPTIMIZE,
    (Phase.OPTIMIZE, Fact.PACKAGED): Phase.PACKAGE,
    (Phase.BENCHMARK, Fact.BENCHMARK_VALID): Phase.VALIDATE,
    (Phase.BENCHMARK, Fact.REVERTED): Phase.OPTIMIZE,
    (Phase.VALIDATE, Fact.ACCURACY_MEASURED): Phase.VALIDATE,
    (Phase.VALIDATE, Fact.KEPT): Phase.OPTIMIZE,
    (Phase.VALIDATE, Fact.REVERTED): Phase.OPTIMIZE,
    (Phase.PACKAGE, Fact.PACKAGED): Phase.PACKAGE,
    (Phase.PACKAGE, Fact.CANDIDATE_MADE): Phase.BENCHMARK,
    (Phase.PACKAGE, Fact.SUSTAINED_MEASURED): Phase.PACKAGE,
    (Phase.PACKAGE, Fact.SENSITIVITY_ANALYSED): Phase.PACKAGE,
    (Phase.OPTIMIZE, Fact.WAIVER_GRANTED): Phase.OPTIMIZE,
    (Phase.VALIDATE, Fact.WAIVER_GRANTED): Phase.VALIDATE,
    (Phase.PACKAGE, Fact.WAIVER_GRANTED): Phase.PACKAGE,
}


def with_something_to_accept(phase: Phase) -> Run:
    """Return a run whose candidate fails, and whose files have another format than its device's."""
    return replace(build.run_in(phase, build.FAILING), started=build.started(target_device=Device.RASPBERRY_PI_5))


@pytest.mark.promise("P1", "P2")
@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("call", Call)
def test_a_call_is_legal_in_exactly_the_phases_of_the_specification(phase: Phase, call: Call) -> None:
    run = build.run_in(phase)
    if call is Call.ACCEPT:
        run = with_something_to_accept(phase)
    elif (phase, call) == (Phase.PROFILE, Call.CONVERT):  # of a model that no device runs, and of no other
        run = apply(run, build.source())
    refusal = refusal_for(run, build.asked(call))
    assert (refusal is None) is (call in LEGAL[phase])
    assert set(legal_calls(phase)) == LEGAL[phase]


@pytest.mark.promise("P12")
@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("call", Call)
def test_a_call_of_another_phase_is_refused_with_the_calls_that_are_legal(phase: Phase, call: Call) -> None:
    if call in LEGAL[phase]:
        return
    refusal = refusal_for(build.run_in(phase), build.asked(call))
    assert refusal is not None
    assert refusal.code is Code.PHASE
    assert all(str(legal) in refusal.do for legal in LEGAL[phase])
    assert str(phase) in refusal.why


@pytest.mark.promise("P1", "P2", "P3")
@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("fact", Fact)
def test_a_fact_moves_a_run_only_as_the_specification_says(phase: Phase, fact: Fact) -> None:
    assert advance(phase, fact) is MOVES.get((phase, fact))


def test_a_fact_leads_to_one_phase_whichever_row_names_it() -> None:
    for rows in TABLE.values():
        for fact in Fact:
            assert len({row.to for row in rows.values() if row.fact is fact}) <= 1


def test_the_diagram_has_an_edge_for_every_move() -> None:
    drawn = {line.strip().split(":")[0] for line in diagram().splitlines()[1:]}
    assert drawn == {f"{start} --> {end}" for (start, _), end in MOVES.items()} | {f"[*] --> {Phase.PROFILE}"}
