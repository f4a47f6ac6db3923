"""The ledger: what is written comes back as it was, and a change is one transaction."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import run_builder as build
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewright.state.codec import decode_event, encode
from edgewright.state.errors import Code, CorruptLedger, Refused
from edgewright.state.events import (
    AccuracyRecorded,
    CallRefused,
    Event,
    JobEnded,
    JobOutcome,
    JobStarted,
    Kept,
    Started,
)
from edgewright.state.guards import refusal_for
from edgewright.state.ledger import Ledger, RememberedCall, Transaction
from edgewright.state.phases import Call, Phase
from edgewright.state.run import fold


@contextmanager
def undone(ledger: Ledger, error: type[Exception]) -> Iterator[Transaction]:
    """A change that must end in this error."""
    with pytest.raises(error), ledger.change() as change:
        yield change


class TestEvents:
    def test_every_kind_of_event_is_among_the_examples(self) -> None:
        past = (*build.one_of_each(), *build.source_past())
        assert {type(event) for event in past} == set(get_args(Event))

    def test_a_run_that_begins_from_a_source_comes_back_exactly_as_it_was_written(self, ledger: Ledger) -> None:
        with ledger.change() as change:
            change.append("run", *build.source_past())
        with ledger.read() as look:
            assert tuple(record.event for record in look.records("run")) == build.source_past()
            assert look.run("run") == fold("run", build.source_past())

    @pytest.mark.promise("P3")
    def test_a_source_and_its_twin_are_recognised_when_they_come_again(self, ledger: Ledger) -> None:
        with ledger.change() as change:
            change.append("run", *build.source_past())
        with ledger.read() as look:
            assert look.originals()[build.SOURCE.sha256].original == build.SOURCE
            assert look.ancestors()[build.twin().twin.artifact.sha256].original == build.SOURCE

    def test_every_kind_of_event_comes_back_exactly_as_it_was_written(self, written: Path) -> None:
        with Ledger(written).read() as look:
            assert tuple(record.event for record in look.records("run")) == build.one_of_each()
            assert look.run("run") == fold("run", build.one_of_each())

    @settings(max_examples=40)
    @given(
        text=st.text(),
        facts=st.dictionaries(
            st.text(),
            st.recursive(
                st.none()
                | st.booleans()
                | st.integers()
                | st.floats(allow_nan=False, allow_infinity=False)
                | st.text(),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
                max_leaves=6,
            ),
            max_size=4,
        ),
        numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3),
    )
    def test_any_text_and_any_finite_number_comes_back_exactly(
        self, text: str, facts: dict[str, object], numbers: list[float]
    ) -> None:
        value, tolerance, seconds = numbers
        events: tuple[Event, ...] = (
            build.started(model_path=text, metric=text, accuracy_tolerance=tolerance, latency_target_ms=value),
            JobStarted(text, Call.QUANTIZE, facts),
            JobEnded(text, JobOutcome.REFUSED, seconds, text, build.refusal(facts=facts)),
            AccuracyRecorded(build.accuracy("a", value, per_class={text: value}, agreement=seconds), (text,)),
        )
        for event in events:
            assert written_and_read(event) == event

    @pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
    def test_a_measurement_that_is_not_a_finite_number_is_not_written(self, ledger: Ledger, number: float) -> None:
        with pytest.raises(ValueError, match="JSON"), ledger.change() as change:
            change.append("run", build.started(accuracy_tolerance=number))
        with ledger.read() as look:
            assert look.runs() == []

    @pytest.mark.promise("P12")
    def test_a_refusal_against_a_zero_baseline_can_be_written_and_read(self, ledger: Ledger) -> None:
        of = build.digest("candidate")
        zero = build.accuracy(build.ORIGINAL.sha256, 0.0)
        found = build.profiled(baseline=build.baseline(build.ORIGINAL, 0.0, zero))
        past = (build.started(), found, build.candidate(), build.benchmarked(of), build.validated(of, -0.1))
        refusal = refusal_for(fold("run", past), build.asked(Call.KEEP))
        assert refusal is not None
        with ledger.change() as change:
            change.append("run", *past, CallRefused("decide(keep)", refusal))
        with ledger.read() as look:
            assert look.run("run").version == 6

    @pytest.mark.promise("P11")
    @pytest.mark.parametrize(
        "event",
        [build.started(model_path="/models/\udcff.onnx"), CallRefused("\ud800", build.refusal())],
        ids=["a file name that is not UTF-8", "half a character"],
    )
    def test_what_could_not_be_read_again_is_not_written(self, ledger: Ledger, event: Event) -> None:
        past = () if isinstance(event, Started) else (build.started(),)
        try:
            with ledger.change() as change:
                change.append("run", *past, event)
        except (CorruptLedger, Refused, ValueError):
            return
        with ledger.read() as look:
            assert look.records("run")[-1].event == event


def written_and_read(event: Event) -> Event:
    """Return an event after its way through the ledger's own writing and reading."""
    return decode_event(type(event).__name__, encode(event))


ILLEGAL: list[tuple[Phase, Event]] = [
    (Phase.PROFILE, build.candidate()),
    (Phase.PROFILE, build.packaged(build.ORIGINAL.sha256)),
    (Phase.OPTIMIZE, build.profiled()),
    (Phase.OPTIMIZE, Kept(build.digest("candidate"))),
    (Phase.OPTIMIZE, build.benchmarked(build.digest("candidate"))),
    (Phase.OPTIMIZE, build.benchmarked(build.digest("candidate"), valid=False)),
    (Phase.OPTIMIZE, build.started()),
    (Phase.BENCHMARK, build.candidate("second")),
    (Phase.BENCHMARK, build.validated(build.digest("candidate"))),
    (Phase.BENCHMARK, build.packaged(build.ORIGINAL.sha256)),
    (Phase.BENCHMARK, Kept(build.digest("candidate"))),
    (Phase.BENCHMARK, build.benchmarked(build.digest("second"))),
    (Phase.VALIDATE, build.packaged(build.digest("candidate"))),
    (Phase.VALIDATE, build.candidate("second")),
    (Phase.VALIDATE, Kept(build.digest("second"))),
    (Phase.VALIDATE, build.validated(build.digest("second"))),
]
STALE: list[tuple[str, tuple[Event, ...]]] = [
    ("an invalid benchmark after the valid one", (build.benchmarked(build.digest("candidate"), valid=False),)),
    ("a second job beside the first", (build.job_started(Call.VALIDATE, "a"), build.job_started(Call.VALIDATE, "b"))),
    ("the end of a job that never began", (build.job_ended(job="never"),)),
    ("the end of another job", (build.job_started(Call.VALIDATE, "a"), build.job_ended(job="b"))),
]


class TestChange:
    @pytest.mark.promise("P1", "P2", "P3")
    @pytest.mark.parametrize(("phase", "event"), ILLEGAL, ids=lambda part: type(part).__name__)
    def test_an_illegal_event_is_not_written_and_takes_its_whole_change_with_it(
        self, ledger: Ledger, phase: Phase, event: Event
    ) -> None:
        with ledger.change() as change:
            before = change.append("run", *build.past(phase))
        with undone(ledger, CorruptLedger) as change:
            change.append("other", build.started())
            change.remember(RememberedCall("key", "digest", "other", "job", 1))
            change.append("run", CallRefused("keep", build.refusal()), event)
        with ledger.read() as look:
            assert look.run("run") == before
            assert look.runs() == ["run"]
            assert look.remembered("key") is None

    @pytest.mark.promise("P2", "P11")
    @pytest.mark.parametrize("events", [events for _, events in STALE], ids=[name for name, _ in STALE])
    def test_an_event_that_no_honest_worker_can_cause_is_corrupt(
        self, ledger: Ledger, events: tuple[Event, ...]
    ) -> None:
        with ledger.change() as change:
            change.append("run", *build.past(Phase.VALIDATE))
        with pytest.raises(CorruptLedger), ledger.change() as change:
            change.append("run", *events)

    def test_an_error_inside_a_change_undoes_all_of_it(self, ledger: Ledger) -> None:
        with undone(ledger, ZeroDivisionError) as change:
            change.append("run", *build.past(Phase.BENCHMARK), build.job_started(Call.BENCHMARK))
            change.append("other", build.started())
            raise ZeroDivisionError
        with ledger.read() as look:
            assert look.runs() == []
            assert look.active_jobs() == {}
            assert look.ancestors() == {}

    def test_a_refused_event_leaves_nothing_behind_even_where_the_caller_goes_on(self, ledger: Ledger) -> None:
        with ledger.change() as change:
            before = change.append("run", build.started())
            with pytest.raises(CorruptLedger):
                change.append("run", CallRefused("keep", build.refusal()), build.candidate())
        with ledger.read() as look:
            assert look.run("run") == before

    def test_a_change_made_while_reading_is_not_kept(self, ledger: Ledger) -> None:
        with ledger.read() as look:
            look.append("run", build.started())
        with ledger.read() as look:
            assert look.runs() == []

    def test_a_run_must_begin_with_its_start(self, ledger: Ledger) -> None:
        with pytest.raises(CorruptLedger, match="does not begin"), ledger.change() as change:
            change.append("run", build.profiled())

    def test_a_run_that_does_not_exist_is_refused_with_a_way_on(self, ledger: Ledger) -> None:
        with pytest.raises(Refused) as caught, ledger.read() as look:
            look.run("nowhere")
        assert caught.value.refusal.code is Code.UNKNOWN_RUN
        assert "get_state" in caught.value.refusal.do

    def test_runs_are_listed_newest_first(self, ledger: Ledger) -> None:
        for run in ("first", "second", "third"):
            with ledger.change() as change:
                change.append(run, build.started())
        with ledger.read() as look:
            assert look.runs() == ["third", "second", "first"]

    @pytest.mark.promise("P11")
    def test_a_ledger_opened_again_holds_what_was_acknowledged(self, memory_folder: Path) -> None:
        path = memory_folder / "deep" / "ledger.db"
        for number, event in enumerate(build.one_of_each(), start=1):
            with Ledger(path).change() as change:
                assert change.append("run", event).version == number
        with Ledger(path).read() as look:
            assert look.run("run") == fold("run", build.one_of_each())


class TestBesideTheEvents:
    def test_a_job_is_active_from_its_start_to_its_end(self, ledger: Ledger) -> None:
        with ledger.change() as change:
            change.append("run", build.started(), build.job_started(Call.PROFILE_MODEL, "job-1"))
        with ledger.read() as look:
            assert look.active_jobs() == {"job-1": "run"}
        with ledger.change() as change:
            change.append("run", build.job_ended(job="job-1"))
        with ledger.read() as look:
            assert look.active_jobs() == {}
            assert look.run_of_job("job-1") == "run"
            assert look.run_of_job("job-2") is None

    def test_an_idempotency_key_stays_bound_to_the_call_that_it_came_with(self, ledger: Ledger) -> None:
        first = RememberedCall("key", "digest", "run", "job", 1)
        with ledger.change() as change:
            change.remember(first)
        with undone(ledger, sqlite3.IntegrityError) as change:
            change.append("run", build.started())
            change.remember(replace(first, digest="other"))
        with ledger.read() as look:
            assert look.remembered("key") == first
            assert look.remembered("other") is None
            assert look.runs() == []
