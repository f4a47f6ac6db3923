"""Every sequence of calls and outcomes on an imagined run, breadth-first, until its abstract states repeat."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import pytest
import run_builder as build

from edgewright.state.artifacts import Device, Format
from edgewright.state.asked import Asked
from edgewright.state.errors import Refusal
from edgewright.state.events import (
    AccuracyRecorded,
    BenchmarkRecorded,
    CallRefused,
    CandidateMade,
    Event,
    JobOutcome,
    Kept,
    Packaged,
    Profiled,
    Reverted,
    SustainedRecorded,
    WaiverGranted,
)
from edgewright.state.guards import acceptable, refusal_for
from edgewright.state.phases import Call, Phase
from edgewright.state.run import Run, Step, apply, fold
from edgewright.state.waivers import AccuracyLoss, NotSustained

FLOOR = 0.9 * 0.98
FAILED = build.run_in(Phase.VALIDATE, build.FAILING)
REUSED = build.artifact("made by an earlier run")


@dataclass(frozen=True)
class Edge:
    """What happened to a run: the call (none for a job's end), its events, or the refusal."""

    before: Run
    call: Call | None
    events: tuple[Event, ...]
    refusal: Refusal | None
    after: Run


def key(run: Run) -> tuple[object, ...]:
    """Return the abstract state of a run: what any rule could tell apart."""
    step = run.open_step
    verdict = run.verdict_of(step) if step else None
    return (
        run.phase,
        run.job.call if run.job else None,
        run.profiled is not None and run.profiled.inherited_from,
        run.profiled is not None and run.profiled.baseline.accuracy.value,
        step is not None,
        step.benchmark.valid if step and step.benchmark else None,
        verdict.outcome if verdict else None,
        run.started.target,
        run.current is not None and lasted(run, run.current.sha256),
        bool(run.waivers),
        run.best is not None and (_value(run.best), proven(run, run.best)),
        run.source is not None,
    )


def lasted(run: Run, artifact: str) -> bool:
    """Whether a sustained run of an artifact is recorded, worked out without the guards."""
    return any(sustained.latency.artifact == artifact for sustained in run.sustained)


def asked(run: Run, call: Call) -> Asked:
    """Return the question that a call is, where the run's target is the one that is enrolled."""
    enrolled = {run.started.target: run.started.target_device} if run.started.target else {}
    return build.asked(call, needs_calibration=call in {Call.ANALYZE, Call.QUANTIZE}, enrolled=enrolled)


def proven(run: Run, step: Step) -> bool:
    """Whether a step may be shipped, worked out without the guards."""
    if step.accuracy is None or step.benchmark is None or not step.benchmark.valid:
        return False
    losses = [w.subject for w in (*run.waivers, step.waiver) if w and isinstance(w.subject, AccuracyLoss)]
    accepted = {(loss.artifact, loss.value, loss.n) for loss in losses}
    exact = (step.artifact.sha256, step.accuracy.value, step.accuracy.n)
    return step.accuracy.value >= FLOOR or exact in accepted


def findings(run: Run, call: Call) -> list[Event]:
    """Return the evidence that the work behind a call can come back with."""
    of = run.open_step.artifact.sha256 if run.open_step else ""
    match call:
        case Call.PROFILE_MODEL:
            return [build.profiled(), build.inherited(REUSED, 0.89), build.inherited(REUSED, 0.87), build.source()]
        case Call.ANALYZE:
            return [build.analysed()]
        case Call.CONVERT if run.phase is Phase.PROFILE:
            return [build.twin(), build.twin(runs=99)]
        case Call.QUANTIZE | Call.CONVERT:
            return [build.candidate(f"{call} {run.version}")]
        case Call.BENCHMARK:
            if run.open_step is None and run.current is not None:
                return [build.sustained(run.current.sha256), build.sustained(run.current.sha256, valid=False)]
            return [build.benchmarked(of), build.benchmarked(of, valid=False), build.benchmarked(of, 1.3)]
        case Call.VALIDATE:
            return [build.validated(of, build.PASSING), build.validated(of, build.FAILING)]
        case _:
            assert run.current is not None
            return [build.packaged(run.current.sha256)]


def endings(run: Run) -> Iterator[tuple[Event, ...]]:
    """Return each way in which the job of a run can end."""
    assert run.job is not None
    for found in findings(run, Call(run.job.call)):
        yield (found, build.job_ended())
    for outcome in (JobOutcome.FAILED, JobOutcome.REFUSED, JobOutcome.CANCELLED, JobOutcome.INTERRUPTED):
        yield (build.job_ended(outcome),)


def edges(run: Run) -> Iterator[Edge]:
    """Return everything that can happen to a run next."""
    for call in Call:
        if call is Call.PROFILE_MODEL and run.job is not None:
            continue  # held by its own test below
        refusal = refusal_for(run, asked(run, call))
        if refusal:
            yield Edge(run, call, (), refusal, apply(run, CallRefused(call, refusal)))
            continue
        events = at_once(run, call) or (build.job_started(call),)
        yield Edge(run, call, events, None, _after(run, events))
    if run.job:
        for events in endings(run):
            yield Edge(run, None, events, None, _after(run, events))


def at_once(run: Run, call: Call) -> tuple[Event, ...]:
    """Return the events of a call that needs no work; none of one that does."""
    of = run.open_step.artifact.sha256 if run.open_step else ""
    match call:
        case Call.ACCEPT:
            (subject, *_) = acceptable(run, build.asked(call))
            waiver = replace(build.waived(FAILED).waiver, subject=subject, nonce=str(run.version))
            return (WaiverGranted(waiver),)
        case Call.KEEP:
            return (Kept(of, run.waivers[-1].nonce if run.waivers else ""),)
        case Call.REVERT:
            return (Reverted(of),)
        case _:
            return ()


def _after(run: Run, events: tuple[Event, ...]) -> Run:
    for event in events:
        run = apply(run, event)
    return run


@cache
def explored() -> tuple[Edge, ...]:
    first = [fold("run", [build.started(target=target)]) for target in (None, "bench")]
    seen, queue, found = {key(run) for run in first}, deque(first), []
    while queue:
        for edge in edges(queue.popleft()):
            found.append(edge)
            if key(edge.after) not in seen:
                seen.add(key(edge.after))
                queue.append(edge.after)
    return tuple(found)


def happened(kind: type[Event]) -> list[tuple[Edge, Event]]:
    return [(edge, event) for edge in explored() for event in edge.events if isinstance(event, kind)]


def leading_to(goal: set[tuple[object, ...]], ways: Iterable[Edge]) -> set[tuple[object, ...]]:
    """Return the abstract states from which these ways can lead to the goal."""
    back: dict[tuple[object, ...], set[tuple[object, ...]]] = {}
    for edge in ways:
        back.setdefault(key(edge.after), set()).add(key(edge.before))
    reach, queue = set(goal), deque(goal)
    while queue:
        new = back.get(queue.popleft(), set()) - reach
        reach |= new
        queue.extend(new)
    return reach


def test_the_exploration_reaches_every_phase_every_call_and_both_verdicts() -> None:
    states = {key(edge.before) for edge in explored()}
    assert {state[0] for state in states} == set(Phase)
    assert {edge.call for edge in explored() if not edge.refusal} == {*Call, None}
    assert {edge.call for edge in explored() if edge.refusal} == {*Call}
    assert {str(state[6]) for state in states} == {"None", "PASS", "FAIL"}
    assert len(states) > 100


@pytest.mark.promise("P1")
def test_no_path_makes_a_candidate_before_the_baseline() -> None:
    made = happened(CandidateMade)
    assert made
    assert all(edge.before.profiled and edge.before.profiled.baseline.latency.runs >= 100 for edge, _ in made)


@pytest.mark.promise("P2")
def test_no_path_opens_a_second_candidate_before_the_first_is_decided() -> None:
    made = happened(CandidateMade)
    assert made
    assert all(edge.before.open_step is None for edge, _ in made)


@pytest.mark.promise("P2")
def test_no_path_keeps_a_candidate_without_a_valid_benchmark_and_an_accuracy() -> None:
    kept = happened(Kept)
    assert kept
    for edge, _ in kept:
        step = edge.before.open_step
        assert step
        assert step.benchmark
        assert step.benchmark.valid
        assert step.accuracy


@pytest.mark.promise("P3")
def test_no_path_keeps_or_packages_what_is_outside_the_tolerance_without_a_waiver() -> None:
    shipped = happened(Packaged)
    assert shipped
    for edge, _ in happened(Kept):
        assert edge.before.open_step
        assert proven(edge.before, edge.before.open_step)
    for edge, event in shipped:
        run = edge.before
        assert isinstance(event, Packaged)
        assert run.profiled
        assert run.open_step is None
        original = event.artifact == run.profiled.runnable.sha256
        if original:
            accepted = any(isinstance(w.subject, AccuracyLoss) for w in run.waivers)
            passes = run.profiled.inherited_from is None or run.profiled.baseline.accuracy.value >= FLOOR
            assert passes or accepted
        else:
            (step,) = [step for step in run.kept if step.artifact.sha256 == event.artifact]
            assert proven(run, step)


@pytest.mark.promise("P6")
def test_no_path_packages_for_a_target_what_did_not_last_there_unless_a_person_accepted_that() -> None:
    shipped = [(edge, event) for edge, event in happened(Packaged) if edge.before.started.target]
    ways = set()
    for edge, event in shipped:
        assert isinstance(event, Packaged)
        subjects = [waiver.subject for waiver in edge.before.waivers]
        accepted = any(isinstance(of, NotSustained) and of.artifact == event.artifact for of in subjects)
        ways.add((lasted(edge.before, event.artifact), accepted))
    assert (False, False) not in ways
    assert {(True, False), (False, True)} <= ways


@pytest.mark.promise("P6")
def test_a_sustained_run_moves_nothing_and_an_invalid_one_counts_for_nothing() -> None:
    for edge, event in happened(SustainedRecorded):
        assert isinstance(event, SustainedRecorded)
        assert edge.after.phase is edge.before.phase
        assert len(edge.after.sustained) - len(edge.before.sustained) == event.sustained.valid


@pytest.mark.promise("P3")
def test_some_path_ships_a_waived_candidate_and_none_ships_it_without_its_waiver() -> None:
    below = [edge for edge, _ in happened(Packaged) if edge.before.best and _value(edge.before.best) < FLOOR]
    assert below
    assert all(edge.before.best and edge.before.best.waiver for edge in below)


def _value(step: Step) -> float:
    assert step.accuracy
    return step.accuracy.value


@pytest.mark.promise("P2")
def test_only_a_valid_benchmark_moves_a_run_on() -> None:
    for edge, event in happened(BenchmarkRecorded):
        assert isinstance(event, BenchmarkRecorded)
        assert edge.after.phase is (Phase.VALIDATE if event.benchmark.valid else Phase.BENCHMARK)


@pytest.mark.promise("P2")
def test_nothing_begins_while_a_job_is_at_work() -> None:
    busy = [edge for edge in explored() if edge.before.job and edge.call]
    assert busy
    assert all(edge.refusal for edge in busy)


@pytest.mark.promise("P2")
def test_profile_model_is_refused_while_it_is_at_work_on_the_same_run() -> None:
    run = fold("run", [build.started(), build.job_started(Call.PROFILE_MODEL)])
    assert refusal_for(run, build.asked(Call.PROFILE_MODEL)) is not None


@pytest.mark.promise("P12")
def test_a_refusal_leaves_the_run_as_it_was() -> None:
    refused = [edge for edge in explored() if edge.refusal]
    assert refused
    for edge in refused:
        assert replace(edge.after, version=edge.before.version) == edge.before


@pytest.mark.promise("P12")
def test_every_refusal_says_what_why_and_what_to_do() -> None:
    for edge in explored():
        if edge.refusal:
            parts = (edge.refusal.what, edge.refusal.why, edge.refusal.do)
            assert all(part and not part.endswith(".") for part in parts)
            assert edge.refusal.promises


@pytest.mark.promise("P12")
def test_a_refusal_by_phase_lists_exactly_the_calls_of_that_phase() -> None:
    for edge in explored():
        if edge.refusal and "legal" in edge.refusal.facts:
            refused = {call for call in Call if _by_phase(edge.before, call)}
            assert set(edge.refusal.facts["legal"]) == {*Call} - refused  # type: ignore[call-overload]


def _by_phase(run: Run, call: Call) -> bool:
    refusal = refusal_for(run, asked(run, call))
    return refusal is not None and "legal" in refusal.facts


@pytest.mark.promise("P12")
def test_every_reachable_state_has_a_way_on() -> None:
    ways: dict[tuple[object, ...], int] = {}
    for edge in explored():
        moves = not edge.refusal and not any(isinstance(event, WaiverGranted) for event in edge.events)
        ways[key(edge.before)] = ways.get(key(edge.before), 0) + moves
    assert all(ways.values())


@pytest.mark.promise("P12")
def test_package_stays_reachable_from_every_reachable_state() -> None:
    reach = leading_to({key(edge.after) for edge, _ in happened(Packaged)}, explored())
    assert reach >= {key(edge.before) for edge in explored()}


@pytest.mark.promise("P12")
def test_a_candidate_can_be_put_aside_though_nothing_more_can_be_measured() -> None:
    lucky = (BenchmarkRecorded, AccuracyRecorded)
    unlucky = [edge for edge in explored() if not any(isinstance(event, lucky) for event in edge.events)]
    free = {key(edge.before) for edge in explored() if edge.before.profiled and not edge.before.open_step}
    reach = leading_to(free, unlucky)
    assert reach >= {key(edge.before) for edge in explored() if edge.before.open_step}


@pytest.mark.promise("P1")
def test_an_incomplete_baseline_does_not_open_the_phase_of_optimising() -> None:
    thin = replace(build.baseline(build.ORIGINAL), latency=build.latency(build.ORIGINAL.sha256, runs=99))
    run = fold("run", [build.started()])
    after = apply(run, Profiled(**{**vars(build.profiled()), "baseline": thin}))
    assert after.phase is Phase.PROFILE


@pytest.mark.promise("P8")
def test_a_fitting_kept_artifact_is_shipped_though_a_faster_one_does_not_fit_the_device() -> None:
    run = build.run_in(Phase.PROFILE)
    run = replace(run, started=build.started(target_device=Device.RASPBERRY_PI_5))
    for word, form, ratio in (("faster", Format.ONNX, 0.5), ("fitting", Format.TFLITE, 0.7)):
        of = build.digest(word)
        made = build.candidate(word, format=form)
        past = () if run.profiled else (build.profiled(),)
        run = _after(run, (*past, made, build.benchmarked(of, ratio), build.validated(of), Kept(of)))
    assert refusal_for(run, build.asked(Call.PACKAGE)) is None
