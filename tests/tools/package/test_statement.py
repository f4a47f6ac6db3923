"""What manifest, report and data say of a run is what its guards look at, and where each number was taken."""

import json
from dataclasses import replace

import jsonschema
import pytest
import run_builder as past
from jsonschema import Draft202012Validator

from edgewright.state.artifacts import Device
from edgewright.state.asked import Today
from edgewright.state.drift import Drift, Trend
from edgewright.state.events import AccuracyRecorded, BenchmarkRecorded, Event, Kept, SustainedRecorded
from edgewright.state.evidence import Environment, Label
from edgewright.state.paired import Paired
from edgewright.state.phases import Phase
from edgewright.state.policy import Policy, Rule
from edgewright.state.protocols import PROTOCOLS, ProtocolName
from edgewright.state.run import Run, fold
from edgewright.tools.package.figures import figures
from edgewright.tools.package.manifest import manifest_schema
from edgewright.tools.package.report import report
from edgewright.tools.package.statement import statement
from edgewright.tools.package.variants import unmeasured, variant_of

TODAY = past.NOW.date()
OF = past.digest("candidate")
DRIFT = Drift(30.0, (Trend(50, (1.0, 1.2), 0.2, 0.001),), throttled_after_s=123.4)
CONFIDENT = replace(Policy(), rule=Rule.CONFIDENT)


def manifest_of(run: Run, policy: Policy | None = None) -> dict[str, dict[str, object]]:
    """Return the manifest as its reader gets it, each part as the schema says."""
    said: dict[str, dict[str, object]] = json.loads(json.dumps(statement(run, [], policy=policy)["manifest"]))
    schema = json.loads(manifest_schema())
    for part in ("benchmarks", "accuracy", "policy"):
        jsonschema.validate(said[part], {**schema["$defs"][part], "$defs": schema["$defs"]}, Draft202012Validator)
    return said


def on_target() -> Environment:
    return replace(past.environment(), label=Label.TARGET, target="pi", machine="aarch64")


def target_run(*more: Event) -> Run:
    """Return a run whose times and whose candidate's accuracy are a Raspberry Pi's; its floor is the host's."""
    where, protocol = on_target(), PROTOCOLS[ProtocolName.STANDARD]
    made = past.benchmarked(OF).benchmark
    made = replace(
        made,
        candidate=replace(made.candidate, environment=where, protocol=protocol),
        baseline=replace(made.baseline, environment=where, protocol=protocol),
        candidate_memory=replace(made.candidate_memory, environment=where),
    )
    events: list[Event] = [
        past.started(target="pi", target_device=Device.RASPBERRY_PI_5),
        past.profiled(),
        past.candidate(),
        BenchmarkRecorded(made),
        past.validated(OF, environment=where),
        Kept(OF),
    ]
    return fold("run", (*events, *more))


def sustained(mean_ms: float, *, valid: bool = True, duration_s: float = 300.0) -> SustainedRecorded:
    found = past.sustained(OF, valid=valid).sustained
    protocol = replace(found.latency.protocol, duration_s=duration_s)
    latency = replace(found.latency, mean_ms=mean_ms, protocol=protocol, environment=on_target(), drift=DRIFT)
    return SustainedRecorded(replace(found, latency=latency, findings=("it throttled",)))


@pytest.mark.promise("P6")
def test_the_latest_valid_sustained_run_is_in_manifest_report_and_data() -> None:
    other = past.sustained(past.ORIGINAL.sha256)
    run = target_run(sustained(3.0), sustained(3.5), sustained(9.0, valid=False), other)
    said = manifest_of(run)
    shown = said["benchmarks"]["sustained"]
    assert isinstance(shown, dict)
    assert (shown["mean_ms"], shown["label"]) == (3.5, str(Label.TARGET))
    assert shown["drift"]["throttled_after_s"] == 123.4
    assert "it throttled" in said["findings"]
    line = next(
        line for line in report(run, TODAY).split("\n") if line.startswith("- Sustained run, protocol sustained")
    )
    assert f"mean 3.50 ms · {Label.TARGET}" in line
    assert line.endswith(f"Throttling began after 123 s. · {Label.TARGET}")
    data = figures(run, TODAY)["optimized"]
    assert isinstance(data, dict)
    assert data["sustained"]["mean_ms"] == 3.5
    assert data["sustained"]["throttled_after_s"] == 123.4


@pytest.mark.promise("P6", "P10")
@pytest.mark.parametrize(("duration_s", "gap"), [(None, True), (30.0, True), (300.0, False)])
def test_sustained_load_is_unmeasured_only_where_no_long_run_of_the_file_is_recorded(
    duration_s: float | None, gap: object
) -> None:
    run = target_run(*([] if duration_s is None else [sustained(3.0, duration_s=duration_s)]))
    gaps = unmeasured(run, variant_of(run, None))
    assert any("sustained load" in sentence for sentence in gaps) is gap
    assert manifest_of(run)["unmeasured"] == list(gaps)
    if duration_s == 30.0:
        assert any("shortened by the operator to 30 s of 300 s" in sentence for sentence in gaps)


@pytest.mark.promise("P6")
def test_a_sustained_run_of_a_host_leaves_the_load_of_a_device_unmeasured() -> None:
    run = target_run(past.sustained(OF))
    assert any("sustained load" in sentence for sentence in unmeasured(run, variant_of(run, None)))


@pytest.mark.promise("P6", "P9")
def test_an_accuracy_of_the_target_is_shown_with_the_place_of_the_floor_it_is_held_against() -> None:
    run = target_run()
    said = manifest_of(run)
    assert (said["accuracy"]["label"], said["accuracy"]["baseline_label"]) == (str(Label.TARGET), str(Label.HOST))
    assert said["labels"] == sorted([str(Label.TARGET), str(Label.HOST)])
    text = report(run, TODAY)
    row = next(line for line in text.split("\n") if line.startswith("| Accuracy"))
    assert f"| 0.9000 · {Label.HOST} |" in row
    assert f"-1.11% (PASS) · {Label.TARGET} against {Label.HOST} |" in row
    assert f"on aarch64, {Label.TARGET}; its floor from outputs of onnxruntime 1.30.0 on x86_64, {Label.HOST}." in text
    data = figures(run, TODAY)["optimized"]
    assert isinstance(data, dict)
    assert (data["accuracy"]["label"], data["accuracy"]["baseline_label"]) == (str(Label.TARGET), str(Label.HOST))


def waived_today() -> Run:
    """Return a run whose candidate passes by its value, and was kept by a person's word for want of certainty."""
    paired = Paired(past.ORIGINAL.sha256, -0.011, -0.03, 0.008, 0.95, "bootstrap")
    events = [*past.past(Phase.BENCHMARK), past.benchmarked(OF)]
    events.append(AccuracyRecorded(past.accuracy(OF, 0.889, paired=paired), ()))
    granted = past.waived(fold("run", events))
    return fold("run", [*events, granted, Kept(OF, granted.waiver.nonce)])


@pytest.mark.promise("P3")
def test_what_ships_by_a_persons_word_under_the_rule_of_now_says_so() -> None:
    run = waived_today()
    assert run.started.policy.rule is Rule.POINT
    said = manifest_of(run, CONFIDENT)["accuracy"]
    assert (said["verdict"], said["rule"], said["waiver"]) == ("UNDECIDED", "confident", past.digest("nonce"))
    text = report(replace(run, today=Today(CONFIDENT, {})), TODAY)
    assert text.split("\n\n")[1].startswith("**WAIVED**: toy_candidate.onnx (kept). UNDECIDED: ")
    assert "UNDECIDED, WAIVED: Accuracy delta of -1.22% is within the 2.00% tolerance" in text
    assert "with 1.22% accuracy loss, not shown to be within the tolerance" in text
    by_value = manifest_of(run)["accuracy"]
    assert (by_value["verdict"], by_value["rule"], by_value["waiver"]) == ("PASS", "point", None)


@pytest.mark.promise("P3")
def test_a_stricter_rule_of_the_start_holds_whatever_the_rule_of_now() -> None:
    run = waived_today()
    run = replace(run, started=replace(run.started, policy=CONFIDENT))
    assert manifest_of(run, Policy())["accuracy"]["verdict"] == "UNDECIDED"


def test_the_manifest_says_how_sure_the_verdict_is() -> None:
    said = manifest_of(waived_today())["accuracy"]
    assert said["interval_of_difference"] == {"low": -0.03, "high": 0.008, "confidence": 0.95}
    assert isinstance(said["deciding_n"], int)
    plain = manifest_of(past.run_in(Phase.PACKAGE))["accuracy"]
    assert (plain["interval_of_difference"], plain["deciding_n"]) == (None, None)


@pytest.mark.promise("P6", "P10")
def test_data_names_a_shortened_protocol_and_labels_a_speedup() -> None:
    run = past.run_in(Phase.PACKAGE)
    step = run.steps[0]
    assert step.benchmark is not None
    shortened = replace(PROTOCOLS[ProtocolName.STANDARD], duration_s=1.0)
    candidate = replace(step.benchmark.candidate, protocol=shortened)
    run = replace(run, steps=(replace(step, benchmark=replace(step.benchmark, candidate=candidate)),))
    data = figures(run, TODAY)["optimized"]
    assert isinstance(data, dict)
    assert data["latency"]["protocol"] == "standard (shortened by the operator to 1 s of 10 s)"
    assert data["speedup"]["label"] == str(Label.HOST)
