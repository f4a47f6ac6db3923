"""A waiver put straight into the ledger: it lets exactly that artifact with exactly those numbers through."""

from dataclasses import fields, replace
from datetime import timedelta
from math import inf, nan, nextafter

import pytest
import run_builder as build

from edgewright.state.artifacts import Device, Recipe
from edgewright.state.errors import Code, CorruptLedger, Refusal
from edgewright.state.events import CandidateMade, Event, Kept, Reverted, WaiverGranted
from edgewright.state.guards import acceptable, accepted, refusal_for
from edgewright.state.ledger import Ledger
from edgewright.state.phases import Call, Phase
from edgewright.state.policy import Level, Policy
from edgewright.state.run import Job, Run, TurnedDown, apply, fold
from edgewright.state.waivers import AccuracyLoss, NotSustained, UnfitCalibration, Waiver

OF = build.digest("candidate")
FAILED = build.run_in(Phase.VALIDATE, build.FAILING)
HONEST = build.waived(FAILED).waiver
LOSS = HONEST.subject
assert isinstance(LOSS, AccuracyLoss)
ALTERATIONS: list[tuple[str, object]] = [
    ("artifact", build.digest("second")),
    ("artifact", build.ORIGINAL.sha256),
    ("artifact", OF.upper()),
    ("artifact", OF[:12]),
    ("artifact", ""),
    ("reference", build.digest("second")),
    ("reference", OF),
    ("reference", ""),
    ("dataset", build.digest("calibration")),
    ("dataset", ""),
    ("metric", "top5"),
    ("metric", "TOP1"),
    ("metric", ""),
    ("floor", nextafter(LOSS.floor, inf)),
    ("floor", nextafter(LOSS.floor, -inf)),
    ("floor", build.FAILING),
    ("floor", 0.0),
    ("floor", nan),
    ("value", nextafter(LOSS.value, inf)),
    ("value", nextafter(LOSS.value, -inf)),
    ("value", build.PASSING),
    ("value", 0.0),
    ("value", nan),
    ("n", 999),
    ("n", 1001),
    ("n", 0),
    ("kind", "calibration"),
    ("run", "run-2"),
    ("run", ""),
    ("nonce", ""),
    ("level", Level.RELAYED),
    ("expires", build.NOW.isoformat()),
    ("expires", (build.NOW - timedelta(microseconds=1)).isoformat()),
    ("expires", "2020-01-01T00:00:00+00:00"),
    ("expires", "2026-11-01T13:30:00+02:00"),
]


def with_waiver(waiver: Waiver, run: Run = FAILED) -> Run:
    return replace(run, waivers=(waiver,))


@pytest.mark.promise("P3")
def test_a_failing_candidate_is_not_kept_without_a_waiver() -> None:
    refusal = refusal_for(FAILED, build.asked(Call.KEEP))
    assert refusal is not None
    assert refusal.code is Code.ACCURACY_BELOW_FLOOR
    assert refusal.facts["candidate"] == build.FAILING
    assert refusal.facts["n"] == 1000


@pytest.mark.promise("P3")
def test_a_waiver_in_the_ledger_lets_exactly_its_artifact_be_kept_and_packaged(ledger: Ledger) -> None:
    with ledger.change() as change:
        change.append("run", *build.past(Phase.VALIDATE, build.FAILING))
        run = change.append("run", WaiverGranted(HONEST))
        assert refusal_for(run, build.asked(Call.KEEP)) is None
        change.append("run", Kept(OF, HONEST.nonce))
    with ledger.change() as change:
        run = change.run("run")
        assert run.current is not None
        assert run.current.sha256 == OF
        assert refusal_for(run, build.asked(Call.PACKAGE)) is None


@pytest.mark.promise("P3")
def test_an_honest_waiver_is_accepted() -> None:
    assert refusal_for(with_waiver(HONEST), build.asked(Call.KEEP)) is None


@pytest.mark.promise("P3")
@pytest.mark.parametrize(("field", "value"), ALTERATIONS)
def test_an_altered_waiver_is_not_accepted(field: str, value: object) -> None:
    altered = build.altered(HONEST, **{field: value})
    for call, run in ((Call.KEEP, with_waiver(altered)), (Call.PACKAGE, shipped(altered))):
        refusal = refusal_for(run, build.asked(call))
        assert refusal is not None
        assert refusal.code in {Code.ACCURACY_BELOW_FLOOR, Code.WAIVER_INSUFFICIENT}
        assert (refusal.code is Code.WAIVER_INSUFFICIENT) is (field in {"level", "expires", "nonce"})


def shipped(waiver: Waiver) -> Run:
    kept = fold("run", [*build.past(Phase.VALIDATE, build.FAILING), Kept(OF)])
    return with_waiver(waiver, kept)


def test_the_alterations_cover_every_field_that_binds_a_waiver() -> None:
    # Words and marks of the person; nothing measured to compare with. The signature has tests of its own.
    free = {"approver", "reason", "issued", "signature"}
    bound = {field.name for field in (*fields(Waiver), *fields(AccuracyLoss))} - {"subject"}
    assert {field for field, _ in ALTERATIONS} | free == bound
    assert len(ALTERATIONS) >= 30


@pytest.mark.promise("P3")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("issued", (build.NOW + timedelta(seconds=1)).isoformat()),
        ("expires", "2026-11-02T12:00:00"),
        ("expires", "tomorrow"),
        ("expires", ""),
        ("approver", ""),
        ("reason", " "),
    ],
)
def test_a_waiver_that_no_person_can_have_given_is_refused_and_breaks_nothing(field: str, value: str) -> None:
    altered = replace(HONEST, **{field: value})  # type: ignore[arg-type]
    assert refusal_for(with_waiver(altered), build.asked(Call.KEEP)) is not None


@pytest.mark.promise("P3")
@pytest.mark.parametrize("given", Level)
@pytest.mark.parametrize("least", Level)
def test_a_waiver_counts_from_the_operators_least_level_on(given: Level, least: Level) -> None:
    asked = build.asked(Call.KEEP, policy=Policy(least_level=least))
    refusal = refusal_for(with_waiver(replace(HONEST, level=given)), asked)
    assert (refusal is None) is (given.value >= least.value)


@pytest.mark.promise("P3")
@pytest.mark.parametrize(
    "changes",
    [{"value": 0.7999}, {"n": 900}, {"dataset": build.digest("other")}, {"metric": "top5"}],
    ids=str,
)
def test_a_waiver_ends_with_the_numbers_that_it_accepted(changes: dict[str, object]) -> None:
    events = (*build.past(Phase.VALIDATE, build.FAILING), WaiverGranted(HONEST))
    again = build.validated(OF, **{"value": build.FAILING, **changes})  # type: ignore[arg-type]
    assert refusal_for(fold("run", events), build.asked(Call.KEEP)) is None
    assert refusal_for(fold("run", [*events, again]), build.asked(Call.KEEP)) is not None


@pytest.mark.promise("P3")
def test_measuring_again_cannot_make_a_verdict_better() -> None:
    drawn_again = (*build.past(Phase.VALIDATE, build.FAILING), build.validated(OF, build.PASSING))
    refusal = refusal_for(fold("run", drawn_again), build.asked(Call.KEEP))
    assert refusal is not None
    assert refusal.facts["candidate"] == build.FAILING


@pytest.mark.promise("P7")
def test_an_unfit_calibration_set_can_be_accepted_for_one_candidate_and_only_as_it_was_found() -> None:
    unfit = refused_calibration(build.run_in(Phase.OPTIMIZE))
    (subject,) = acceptable(unfit, build.asked(Call.ACCEPT))
    assert isinstance(subject, UnfitCalibration)
    given = apply(unfit, WaiverGranted(replace(HONEST, subject=subject)))
    assert accepted(given, subject, build.asked(Call.QUANTIZE)) is not None
    assert acceptable(given, build.asked(Call.ACCEPT)) == ()
    assert accepted(given, replace(subject, findings="worse"), build.asked(Call.QUANTIZE)) is None
    recipe = Recipe("quantize", "int8_static", {"calibration": subject.calibration})
    made = apply(given, CandidateMade(build.artifact("static", build.ORIGINAL, recipe=recipe), ()))
    assert accepted(made, subject, build.asked(Call.QUANTIZE)) is None


@pytest.mark.promise("P7", "P9")
def test_a_calibration_set_that_is_prepared_in_another_way_cannot_be_accepted() -> None:
    run = refused_calibration(build.run_in(Phase.OPTIMIZE), "P7", "P9")
    refusal = refusal_for(run, build.asked(Call.ACCEPT))
    assert refusal is not None
    assert refusal.code is Code.NOTHING_TO_ACCEPT


def refused_calibration(run: Run, *promises: str) -> Run:
    why = "3 of its 100 samples repeat another one"
    refusal = Refusal(Code.CALIBRATION_UNFIT, "calibrating", why, "give more", {"findings": {}}, promises or ("P7",))
    return replace(run, turned_down=(TurnedDown(Job("job", "quantize", {}), refusal),))


@pytest.mark.promise("P8")
def test_another_format_than_the_devices_can_be_accepted_for_one_package_of_exactly_that_file() -> None:
    run = replace(build.run_in(Phase.OPTIMIZE), started=build.started(target_device=Device.RASPBERRY_PI_5))
    refusal = refusal_for(run, build.asked(Call.PACKAGE))
    assert refusal is not None
    assert refusal.code is Code.FORMAT_DEVICE
    (subject,) = acceptable(run, build.asked(Call.ACCEPT))
    given = apply(run, WaiverGranted(replace(HONEST, subject=subject)))
    assert refusal_for(given, build.asked(Call.PACKAGE)) is None
    strict = build.asked(Call.PACKAGE, policy=Policy(least_level=Level.SIGNED))
    assert refusal_for(given, strict) is not None
    packaged = apply(given, build.packaged(build.ORIGINAL.sha256))
    assert refusal_for(packaged, build.asked(Call.PACKAGE)) is not None


@pytest.mark.promise("P6", "P10")
def test_a_package_without_its_sustained_run_can_be_accepted_once_for_exactly_that_file_and_protocol() -> None:
    on_target = (build.started(target="bench"), build.profiled())
    asked = build.asked(Call.PACKAGE, enrolled={"bench": Device.CPU_GENERIC})
    run = fold("run", on_target)
    refusal = refusal_for(run, asked)
    assert refusal is not None
    assert refusal.code is Code.SUSTAINED_MISSING
    (subject,) = acceptable(run, build.asked(Call.ACCEPT))
    assert (subject.kind, "without a sustained run there" in subject.sentence) == ("sustained", True)
    given = apply(run, WaiverGranted(replace(HONEST, subject=subject)))
    assert refusal_for(given, asked) is None
    strict = replace(asked, policy=Policy(least_level=Level.SIGNED))
    assert refusal_for(given, strict) is not None
    kept = [build.candidate(), build.benchmarked(OF), build.validated(OF), Kept(OF)]
    other = fold("run", [*on_target, WaiverGranted(replace(HONEST, subject=subject)), *kept])
    assert refusal_for(other, asked) is not None  # another file, timed for longer
    (longer,) = acceptable(other, build.asked(Call.ACCEPT))
    assert isinstance(longer, NotSustained)
    assert (longer.artifact, longer.protocol) == (OF, "quick")
    packaged = apply(given, build.packaged(build.ORIGINAL.sha256))
    assert refusal_for(packaged, asked) is not None
    lasted = apply(run, build.sustained(build.ORIGINAL.sha256))
    assert acceptable(lasted, build.asked(Call.ACCEPT)) == ()


@pytest.mark.promise("P3")
def test_a_waiver_ends_with_the_tolerance_that_it_was_given_under() -> None:
    run = with_waiver(HONEST)
    assert run.profiled is not None
    stricter = replace(run, profiled=replace(run.profiled, tolerance=0.01))
    assert refusal_for(stricter, build.asked(Call.KEEP)) is not None


@pytest.mark.promise("P3")
def test_a_waiver_of_one_candidate_does_not_carry_to_the_next() -> None:
    second = build.digest("second")
    run = fold(
        "run",
        [
            *build.past(Phase.VALIDATE, build.FAILING),
            WaiverGranted(HONEST),
            Kept(OF, HONEST.nonce),
            build.candidate("second"),
            build.benchmarked(second),
            build.validated(second, build.FAILING),
        ],
    )
    assert refusal_for(run, build.asked(Call.KEEP)) is not None


@pytest.mark.promise("P3")
def test_one_good_waiver_among_bad_ones_is_enough_and_many_bad_ones_are_not() -> None:
    bad = tuple(build.altered(HONEST, value=value) for value in (0.79, 0.81))
    assert refusal_for(replace(FAILED, waivers=bad), build.asked(Call.KEEP)) is not None
    assert refusal_for(replace(FAILED, waivers=(*bad, HONEST)), build.asked(Call.KEEP)) is None


@pytest.mark.promise("P3")
def test_a_waiver_that_has_run_out_leaves_a_passing_kept_artifact_to_ship() -> None:
    second = build.digest("second")
    run = fold(
        "run",
        [
            *build.past(Phase.VALIDATE, build.FAILING),
            WaiverGranted(HONEST),
            Kept(OF, HONEST.nonce),
            build.candidate("second"),
            build.benchmarked(second, 0.9),
            build.validated(second),
            Kept(second),
        ],
    )
    late = build.asked(Call.PACKAGE, now=build.NOW + timedelta(days=2))
    assert refusal_for(run, late) is None


@pytest.mark.promise("P3")
def test_an_acceptance_is_used_up_by_the_decision_that_it_allows() -> None:
    past = [*build.past(Phase.VALIDATE, build.FAILING), WaiverGranted(HONEST), Kept(OF, HONEST.nonce)]
    run = fold("run", past)
    assert run.waivers == ()
    assert run.steps[0].waiver == HONEST
    assert refusal_for(run, build.asked(Call.PACKAGE)) is None
    again = fold("run", [*past, *_second_try()])
    assert refusal_for(again, build.asked(Call.KEEP)) is not None


@pytest.mark.promise("P3")
def test_a_candidate_that_was_put_aside_takes_its_acceptance_with_it() -> None:
    past = [*build.past(Phase.VALIDATE, build.FAILING), WaiverGranted(HONEST), Reverted(OF), *_second_try()]
    assert refusal_for(fold("run", past), build.asked(Call.KEEP)) is not None


@pytest.mark.promise("P3")
@pytest.mark.parametrize("changes", [{}, {"reason": "once more"}, {"run": "run-2", "nonce": "other"}], ids=str)
def test_an_acceptance_given_before_or_for_another_run_cannot_be_recorded(changes: dict[str, object]) -> None:
    past = [*build.past(Phase.VALIDATE, build.FAILING), WaiverGranted(HONEST), Reverted(OF), *_second_try()]
    with pytest.raises(CorruptLedger):
        fold("run", [*past, WaiverGranted(build.altered(HONEST, **changes))])


def _second_try() -> tuple[Event, ...]:
    """Return the events of making and measuring the same candidate again."""
    return (build.candidate(), build.benchmarked(OF), build.validated(OF, build.FAILING))
