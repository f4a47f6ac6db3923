"""The real ledger and guards against a small independent model, whatever is called in whatever order."""

import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import run_builder as build
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from edgewright.state.events import CallRefused, Event, JobOutcome, Kept, Packaged, Reverted
from edgewright.state.guards import refusal_for
from edgewright.state.ledger import Ledger
from edgewright.state.phases import Call, Phase
from edgewright.state.run import Run, fold

SCORES = {"good": 0.89, "edge": 0.9 * 0.98, "bad": 0.8}


@dataclass
class Model:
    """What a person would keep in mind of one run: no phases, only what is there."""

    busy: Call | None = None
    profiled: bool = False
    calibrated: bool = False
    candidate: str = ""
    timed: bool = False
    score: float | None = None
    accepted: set[tuple[str, float]] = field(default_factory=set)
    kept: dict[str, tuple[float, float]] = field(default_factory=dict)
    ratio: float = 1.0

    def legal(self, call: Call) -> bool:
        """Whether a call may begin."""
        waiting = bool(self.candidate)
        ready = self.profiled and not waiting
        return (
            not self.busy
            and {
                Call.PROFILE_MODEL: not self.profiled,
                Call.ANALYZE: ready and self.calibrated,
                Call.QUANTIZE: ready and self.calibrated,
                Call.CONVERT: ready,
                Call.BENCHMARK: ready or (waiting and not self.timed),
                Call.VALIDATE: waiting and self.timed,
                Call.KEEP: waiting and self.timed and self.may_ship(self.candidate, self.score),
                Call.REVERT: waiting,
                Call.ACCEPT: waiting and self.score is not None and not self.may_ship(self.candidate, self.score),
                Call.PACKAGE: ready,
            }[call]
        )

    def may_ship(self, name: str, score: float | None) -> bool:
        """Whether a score is good enough, or was accepted as it is."""
        return score is not None and (score >= SCORES["edge"] or (name, score) in self.accepted)

    def best(self) -> str:
        """What is shipped."""
        return min(self.kept, key=lambda name: self.kept[name][1]) if self.kept else build.ORIGINAL.sha256

    def decide(self, *, keep: bool) -> None:
        """The end of a step."""
        if keep:
            assert self.score is not None
            self.kept[self.candidate] = (self.score, self.ratio)
        self.candidate, self.timed, self.score, self.ratio = "", False, None, 1.0


class Workflow(RuleBasedStateMachine):
    """Asks, works, accepts, restarts; after each, ledger and model agree."""

    def __init__(self) -> None:
        super().__init__()
        place = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self.folder = tempfile.TemporaryDirectory(dir=place)
        self.path = Path(self.folder.name) / "ledger.db"
        self.ledger = Ledger(self.path)
        self.model = Model()
        self.acknowledged = 0
        self.serial = 0

    def teardown(self) -> None:
        self.folder.cleanup()

    def append(self, *events: Event) -> Run:
        with self.ledger.change() as change:
            run = change.append("run", *events)
        self.acknowledged += len(events)
        return run

    @initialize(far=st.booleans())
    def start(self, *, far: bool) -> None:
        """Begin at the beginning, or where a timed candidate waits for its accuracy."""
        self.append(build.started())
        if far:
            of = build.digest("candidate 0")
            self.append(build.profiled(), build.candidate("candidate 0"), build.benchmarked(of))
            self.model = Model(profiled=True, calibrated=True, candidate=of, timed=True, ratio=0.8)

    # profile_model is not asked while it is at work; tests/state/test_every_path.py holds that
    @rule(call=st.sampled_from(Call))
    def ask(self, call: Call) -> None:
        if call is Call.PROFILE_MODEL and self.model.busy:
            return
        asked = build.asked(call, needs_calibration=call in {Call.ANALYZE, Call.QUANTIZE})
        with self.ledger.change() as change:
            run = change.run("run")
            refusal = refusal_for(run, asked)
            assert (refusal is None) is self.model.legal(call), (call, refusal, self.model)
            if refusal:
                events: tuple[Event, ...] = (CallRefused(call, refusal),)
            else:
                events = (self.event_of(call, run),)
            change.append("run", *events)
        self.acknowledged += 1
        if refusal is None:
            if call in {Call.KEEP, Call.REVERT}:
                self.model.decide(keep=call is Call.KEEP)
            elif call is Call.ACCEPT:
                assert self.model.score is not None
                self.model.accepted.add((self.model.candidate, self.model.score))
            else:
                self.model.busy = call

    def event_of(self, call: Call, run: Run) -> Event:
        """Return what a legal call writes down at once."""
        self.serial += 1
        match call:
            case Call.KEEP:
                exact = (waiver.nonce for waiver in run.waivers if waiver.subject.value == self.model.score)
                return Kept(self.model.candidate, next(exact, ""))
            case Call.REVERT:
                return Reverted(self.model.candidate)
            case Call.ACCEPT:
                return build.waived(run, nonce=f"nonce-{self.serial}")
            case _:
                return build.job_started(call, f"job-{self.serial}")

    @precondition(lambda self: not self.model.busy)
    @rule(choice=st.integers(0, 6))
    def proceed(self, choice: int) -> None:
        legal = [call for call in Call if self.model.legal(call)]
        self.ask(legal[choice % len(legal)])

    @precondition(lambda self: self.model.score is not None)
    @rule()
    def wish_to_keep(self) -> None:
        self.ask(Call.KEEP)

    @precondition(lambda self: self.model.busy)
    @rule(score=st.sampled_from([*SCORES.values()]), ratio=st.sampled_from([0.5, 0.8, 1.3]), good=st.booleans())
    def finish(self, score: float, ratio: float, *, good: bool) -> None:
        model, call = self.model, self.model.busy
        model.busy = None
        end = build.job_ended(job=f"job-{self.serial}")
        match call:
            case Call.PROFILE_MODEL:
                model.profiled, model.calibrated = True, good
                data = build.dataset("calibration") if good else None
                self.append(build.profiled(calibration=data), end)
            case Call.ANALYZE:
                self.append(build.analysed(), end)
            case Call.QUANTIZE | Call.CONVERT:
                model.candidate = build.digest(f"candidate {self.serial}")
                self.append(build.candidate(f"candidate {self.serial}"), end)
            case Call.BENCHMARK if not model.candidate:
                self.append(build.sustained(model.best(), valid=good), end)
            case Call.BENCHMARK:
                model.timed, model.ratio = good, ratio
                self.append(build.benchmarked(model.candidate, ratio, valid=good), end)
            case Call.VALIDATE:
                model.score = score if model.score is None else min(score, model.score)  # the worst counts
                self.append(build.validated(model.candidate, score), end)
            case _:
                self.append(build.packaged(model.best()), end)

    @precondition(lambda self: self.model.busy)
    @rule(outcome=st.sampled_from([outcome for outcome in JobOutcome if outcome is not JobOutcome.DONE]))
    def fail(self, outcome: JobOutcome) -> None:
        self.model.busy = None
        self.append(build.job_ended(outcome, f"job-{self.serial}"))

    @precondition(lambda self: self.model.score is not None and not self.model.busy)
    @rule(off=st.sampled_from([0.0, 0.0, 1e-12]))
    def waive(self, off: float) -> None:
        with self.ledger.read() as look:
            run = look.run("run")
        assert self.model.score is not None
        self.serial += 1
        self.append(build.waived(run, value=self.model.score + off, nonce=f"nonce-{self.serial}"))
        self.model.accepted.add((self.model.candidate, self.model.score + off))

    @rule()
    def restart(self) -> None:
        self.ledger = Ledger(self.path)

    @rule()
    def crash_inside_a_change(self) -> None:
        with suppress(ZeroDivisionError), self.ledger.change() as change:
            change.append("run", CallRefused("quantize", build.refusal()))
            raise ZeroDivisionError

    @invariant()
    def ledger_and_model_agree(self) -> None:
        if self.acknowledged == 0:
            return
        with self.ledger.read() as look:
            events = [record.event for record in look.records("run")]
        run = fold("run", events)
        model = self.model
        assert run.version == self.acknowledged
        assert (run.open_step.artifact.sha256 if run.open_step else "") == model.candidate
        assert (run.phase in {Phase.BENCHMARK, Phase.VALIDATE}) is bool(model.candidate)
        assert {step.artifact.sha256 for step in run.kept} == set(model.kept)
        assert (run.job.call if run.job else None) == model.busy
        for event in events:
            if isinstance(event, Packaged) and event.artifact != build.ORIGINAL.sha256:
                assert model.may_ship(event.artifact, model.kept[event.artifact][0])


Workflow.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None, derandomize=True)


@pytest.mark.promise("P1", "P2", "P3", "P11")
class TestWorkflow(Workflow.TestCase):  # type: ignore[misc, valid-type]
    """The machine, run by pytest."""
