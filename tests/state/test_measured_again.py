"""Which measurement counts where a candidate was measured more than once: no verdict is drawn until it pleases (P3)."""

from dataclasses import replace

import pytest
import run_builder as build

from edgewright.state.errors import Code
from edgewright.state.events import Reverted
from edgewright.state.evidence import Label
from edgewright.state.guards import refusal_for
from edgewright.state.phases import Call
from edgewright.state.run import fold


@pytest.mark.promise("P3")
def test_a_candidate_that_failed_is_not_forgotten_by_reverting_it_and_making_it_again() -> None:
    made = build.candidate()
    of = made.artifact.sha256
    failed = [made, build.benchmarked(of), build.validated(of, build.FAILING), Reverted(of)]
    again = [made, build.benchmarked(of), build.validated(of, build.PASSING)]
    run = fold("run", [build.started(), build.profiled(), *failed, *again])
    refusal = refusal_for(run, build.asked(Call.KEEP))
    assert refusal is not None
    assert refusal.code is Code.ACCURACY_BELOW_FLOOR


@pytest.mark.promise("P3", "P6")
@pytest.mark.parametrize(
    ("label", "counts"), [(Label.TARGET, True), (Label.UNIDENTIFIED, True), (Label.EMULATED, False)]
)
def test_a_devices_kernels_count_before_the_hosts_and_an_emulators_do_not(label: Label, counts: object) -> None:
    made = build.candidate()
    of = made.artifact.sha256
    there = replace(build.environment(), label=label, target="pi")
    measured = [build.validated(of, build.FAILING), build.validated(of, build.PASSING, environment=there)]
    run = fold("run", [build.started(), build.profiled(), made, build.benchmarked(of), *measured])
    assert (refusal_for(run, build.asked(Call.KEEP)) is None) is counts
