"""Losses do not add up over runs: what descends from an earlier run keeps that run's original and floor (P3)."""

import pytest
import run_builder as build

from edgewright.state.artifacts import Ancestor
from edgewright.state.errors import Code
from edgewright.state.events import Profiled
from edgewright.state.guards import refusal_for
from edgewright.state.ledger import Ledger
from edgewright.state.phases import Call, Phase
from edgewright.state.run import Run, fold

FIRST_LOSS = 0.885  # 1.7 % below 0.9
SECOND_LOSS = 0.870  # 1.7 % below 0.885, 3.3 % below 0.9
MADE = build.artifact("candidate", build.ORIGINAL)


def second_run(found: Profiled, value: float) -> Run:
    of = build.digest("again")
    made = build.candidate("again", found.original)
    return fold("second", [build.started(), found, made, build.benchmarked(of), build.validated(of, value)])


@pytest.mark.promise("P3")
def test_a_second_run_measures_its_candidates_against_the_first_runs_original() -> None:
    refusal = refusal_for(second_run(build.inherited(MADE, FIRST_LOSS), SECOND_LOSS), build.asked(Call.KEEP))
    assert refusal is not None
    assert refusal.code is Code.ACCURACY_BELOW_FLOOR
    assert refusal.facts["baseline"] == build.BASELINE_VALUE


@pytest.mark.promise("P3")
def test_the_same_candidate_would_pass_against_the_model_that_it_was_made_from() -> None:
    own = build.profiled(MADE, baseline=build.baseline(MADE, FIRST_LOSS))
    assert refusal_for(second_run(own, SECOND_LOSS), build.asked(Call.KEEP)) is None


@pytest.mark.promise("P3")
def test_a_candidate_above_the_inherited_floor_is_kept() -> None:
    assert refusal_for(second_run(build.inherited(MADE, FIRST_LOSS), FIRST_LOSS), build.asked(Call.KEEP)) is None


@pytest.mark.promise("P3")
def test_an_inherited_model_below_its_floor_is_not_shipped_unmodified() -> None:
    run = fold("second", [build.started(), build.inherited(MADE, SECOND_LOSS)])
    refusal = refusal_for(run, build.asked(Call.PACKAGE))
    assert refusal is not None
    assert refusal.code is Code.ACCURACY_BELOW_FLOOR


@pytest.mark.promise("P3")
def test_an_inherited_model_above_its_floor_may_be_shipped_unmodified() -> None:
    run = fold("second", [build.started(), build.inherited(MADE, FIRST_LOSS)])
    assert refusal_for(run, build.asked(Call.PACKAGE)) is None


@pytest.mark.promise("P3")
def test_the_ledger_knows_what_every_candidate_descends_from(ledger: Ledger) -> None:
    with ledger.change() as change:
        change.append("first", *build.past(Phase.BENCHMARK))
    with ledger.read() as look:
        assert look.ancestors() == {MADE.sha256: Ancestor("first", build.ORIGINAL, 0.02)}


@pytest.mark.promise("P3")
def test_descent_reaches_the_first_original_over_two_runs(ledger: Ledger) -> None:
    with ledger.change() as change:
        change.append("first", *build.past(Phase.BENCHMARK))
        change.append("second", build.started(), build.inherited(MADE, FIRST_LOSS), build.candidate("again", MADE))
    with ledger.read() as look:
        found = look.ancestors()
    assert {sha256: ancestor.original for sha256, ancestor in found.items()} == {
        MADE.sha256: build.ORIGINAL,
        build.digest("again"): build.ORIGINAL,
    }


@pytest.mark.promise("P3")
@pytest.mark.parametrize("order", [(0.02, 0.01), (0.01, 0.02)])
def test_of_several_runs_that_made_a_file_the_strictest_counts(ledger: Ledger, order: tuple[float, float]) -> None:
    with ledger.change() as change:
        for number, tolerance in enumerate(order):
            found = build.profiled(tolerance=tolerance)
            change.append(f"run-{number}", build.started(), found, build.candidate())
    with ledger.read() as look:
        assert look.ancestors()[MADE.sha256].tolerance == 0.01


@pytest.mark.promise("P3")
def test_a_profile_cannot_loosen_the_tolerance_that_the_run_was_started_with() -> None:
    of = build.digest("candidate")
    loosened = build.profiled(tolerance=0.2)
    of_run = (build.started(), loosened, build.candidate(), build.benchmarked(of), build.validated(of, build.FAILING))
    assert refusal_for(fold("run", of_run), build.asked(Call.KEEP)) is not None
