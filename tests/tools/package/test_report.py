"""A report says what was measured, where, and what nobody knows."""

import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import run_builder as past

from edgewright.state.artifacts import Device
from edgewright.state.causes import Cause
from edgewright.state.drift import Drift, Trend
from edgewright.state.events import BenchmarkRecorded, Kept, Reverted
from edgewright.state.evidence import Direction, Label
from edgewright.state.phases import Phase
from edgewright.state.protocols import PROTOCOLS, ProtocolName
from edgewright.state.run import Run, fold
from edgewright.tools.package.markdown import escaped
from edgewright.tools.package.report import report
from edgewright.tools.package.variants import tradeoffs

TODAY = date(2026, 11, 1)
HOST = str(Label.HOST)
# Copied from the seed, "Model Optimization Report" and "Optimization Tradeoff Analysis"; its values are placeholders.
SEED_COMPARISON = """\
| Metric | Baseline | Optimized | Change |
| File Size | [MB] | [MB] | [ratio]x compression |
| Latency (mean) | [ms] | [ms] | [speedup]x faster |
| Latency (P95) | [ms] | [ms] | [speedup]x faster |
| Memory (peak) | [MB] | [MB] | [reduction]x smaller |
| Accuracy ([metric]) | [value] | [value] | [delta] ([status]) |
| Throughput | [fps] | [fps] | [improvement]x |"""
SEED_COMPARISON_HEAD = "| Metric | Baseline | Optimized | Change |"
SEED_STEPS = "| Step | Input | Output | Size | Latency | Accuracy |"
SEED_TRADEOFFS = "| Variant | Format | Precision | Size (MB) | Latency (ms) | Accuracy | Speedup | Acc. Delta |"
SEED_HEADINGS = [
    "## Model Optimization Report: toy",
    "### Baseline vs Optimized",
    "### Optimization Steps Applied",
    "### Verdict",
    "### Deployment Artifact",
    "## Optimization Tradeoff Analysis: toy",
]
SEED_FIELDS = ["**Source**", "**Target Device**", "**Optimization Pipeline**", "**Date**", "**Recommendation**"]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split(" | ")]


def tables(text: str) -> dict[str, list[list[str]]]:
    """Return each table by its head line; rows without the rule below the head."""
    found: dict[str, list[list[str]]] = {}
    for block in text.split("\n\n"):
        if block.startswith("|"):
            head, rule, *rows = block.strip().split("\n")
            assert set(rule) <= set("|- ")
            found[head] = [cells(row) for row in rows]
    return found


def waived_run() -> Run:
    return fold("run", past.one_of_each())


def failed_run() -> Run:
    of = past.digest("candidate")
    return fold("run", (*past.past(Phase.VALIDATE, past.FAILING), Reverted(of)))


RUNS = {
    "nothing measured": past.run_in(Phase.PROFILE),
    "baseline only": past.run_in(Phase.OPTIMIZE),
    "open candidate": past.run_in(Phase.VALIDATE),
    "kept": past.run_in(Phase.PACKAGE),
    "failed": failed_run(),
    "waived": waived_run(),
}
every_run = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


@every_run
def test_the_tables_are_exactly_those_of_the_seed(run: Run) -> None:
    text = report(run, TODAY)
    assert [line for line in text.split("\n") if line in SEED_HEADINGS] == SEED_HEADINGS
    assert all(f"{field}: " in text for field in SEED_FIELDS)
    found = tables(text)
    head, *rows = SEED_COMPARISON.split("\n")
    assert list(found) == [head, SEED_STEPS, SEED_TRADEOFFS]
    names = [re.sub(r" \(top1\)$", " ([metric])", row[0]) for row in found[head]]
    wanted = [cells(row)[0] for row in rows]
    assert names == (wanted if run.profiled else [re.sub(r" \(\[metric\]\)$", "", name) for name in wanted])
    assert all(len(row) == len(cells(title)) for title, lines in found.items() for row in lines)


@pytest.mark.promise("P6")
@every_run
def test_every_time_and_what_follows_from_one_carries_its_label(run: Run) -> None:
    text = report(run, TODAY)
    timed = re.compile(r"\d (?:ms|fps)\b")
    free = ("- Latency target of",)  # a wish, not a measurement
    for line in text.split("\n"):
        if line.startswith(free) or line.startswith("|"):
            continue
        for part in line.split(";"):
            assert not timed.search(part) or HOST in part, part
    for head, rows in tables(text).items():
        titles = cells(head)
        for row in rows:
            for title, cell in zip(titles, row, strict=True):
                is_timed = timed.search(cell) or title in {"Latency", "Latency (ms)"}
                if "Throughput" in row[0] or "Latency" in row[0] or "Memory" in row[0]:
                    is_timed = is_timed or title == "Change"
                if title == "Speedup" and cell != "1.0x":
                    is_timed = True
                if is_timed and re.search(r"\d", cell) and not cell.startswith("withheld"):
                    assert cell.endswith(f" · {HOST}"), (title, cell)


@pytest.mark.promise("P6")
def test_the_label_of_the_measurement_is_the_one_that_is_shown() -> None:
    run = past.run_in(Phase.PACKAGE)
    step = run.steps[0]
    assert step.benchmark is not None
    emulated = replace(step.benchmark.candidate.environment, label=Label.EMULATED)
    candidate = replace(step.benchmark.candidate, environment=emulated)
    changed = replace(step, benchmark=replace(step.benchmark, candidate=candidate))
    rows = tables(report(replace(run, steps=(changed,)), TODAY))[SEED_COMPARISON_HEAD]
    mean, p95 = rows[1], rows[2]
    assert mean[1].endswith(HOST)
    assert mean[2].endswith(str(Label.EMULATED))
    assert (mean[3], p95[3]) == ("unmeasured", "unmeasured")  # no ratio between different labels (P10)


@pytest.mark.promise("P10")
def test_a_percentile_that_is_withheld_says_so() -> None:
    run = past.run_in(Phase.OPTIMIZE)
    assert run.profiled is not None
    baseline = run.profiled.baseline
    few = replace(baseline.latency, percentiles_ms={50: 2.0}, withheld={95: "P95 needs 130 runs", 99: "P99 needs 662"})
    run = replace(run, profiled=replace(run.profiled, baseline=replace(baseline, latency=few)))
    text = report(run, TODAY)
    rows = tables(text)[SEED_COMPARISON_HEAD]
    assert rows[2][1:] == ["withheld: P95 needs 130 runs", "withheld: P95 needs 130 runs", "unmeasured"]
    assert "P99 withheld: P99 needs 662" in text


def test_what_is_not_known_is_unmeasured() -> None:
    rows = tables(report(past.run_in(Phase.PROFILE), TODAY))[SEED_COMPARISON_HEAD]
    assert {cell for row in rows for cell in row[1:]} == {"unmeasured"}
    text = report(past.run_in(Phase.BENCHMARK), TODAY)
    assert tables(text)[SEED_TRADEOFFS][1][4:] == ["unmeasured"] * 4


@pytest.mark.promise("P10")
def test_an_invalid_benchmark_counts_for_nothing() -> None:
    of = past.digest("candidate")
    run = fold("run", (*past.past(Phase.BENCHMARK), past.benchmarked(of, valid=False)))
    assert tables(report(run, TODAY))[SEED_TRADEOFFS][1][4] == "unmeasured"
    assert tradeoffs(run)[1].findings[-1] == "the clock changed during the run"


@pytest.mark.promise("P3")
def test_a_failed_candidate_is_the_first_thing_said() -> None:
    text = report(failed_run(), TODAY)
    second = text.split("\n\n")[1]
    assert second.startswith("**FAILED**: toy_candidate.onnx (reverted). FAIL: top1 0.8000 against 0.9000")
    assert tables(text)[SEED_TRADEOFFS][1][0].startswith("FAILED: ")
    assert "**Recommendation**: ship the unmodified original" in text


@pytest.mark.promise("P3")
def test_a_waived_candidate_is_the_first_thing_said_with_the_level_in_words() -> None:
    text = report(waived_run(), TODAY)
    first = text.split("\n\n")[1]
    assert first.startswith("**WAIVED**: toy_candidate.onnx (kept). FAIL: ")
    assert (
        "Accepted by A. Person, good enough for the demo (L2: given out of band behind a person's passphrase)" in first
    )
    assert "FAIL, WAIVED: Accuracy delta of -11.11% is outside the 2.00% tolerance" in text
    assert tables(text)[SEED_TRADEOFFS][1][0].startswith("WAIVED: ")


@pytest.mark.promise("P3")
def test_an_acceptance_of_other_numbers_does_not_count() -> None:
    run = waived_run()
    (step, *others) = run.steps
    assert step.waiver is not None
    other = replace(step, waiver=past.altered(step.waiver, value=0.81))
    assert "WAIVED" not in report(replace(run, steps=(other, *others)), TODAY)


def test_the_verdict_states_delta_tolerance_speedup_and_compression() -> None:
    text = report(past.run_in(Phase.PACKAGE), TODAY)
    assert "PASS: Accuracy delta of -1.11% is within the 2.00% tolerance (top1 0.8900 against 0.9000" in text
    assert f"Speedup: 1.25x · {HOST}. Compression: 4.00x." in text
    assert f"provides 1.25x speedup ({HOST}) with only 1.11% accuracy loss." in text


def test_a_larger_file_is_not_called_smaller() -> None:
    run = past.run_in(Phase.PACKAGE)
    step = run.steps[0]
    larger = replace(step, artifact=replace(step.artifact, size_bytes=5000))
    pi = replace(run, started=replace(run.started, target_device=Device.RASPBERRY_PI_5), steps=(larger,))
    assert "is 1.25x larger with" in report(pi, TODAY)
    assert "is 4.00x smaller with" in report(replace(pi, steps=run.steps), TODAY)


def test_the_delta_is_negative_when_worse_whatever_the_direction() -> None:
    run = past.run_in(Phase.PACKAGE)
    assert run.profiled is not None
    step = run.steps[0]
    assert step.accuracy is not None
    baseline = run.profiled.baseline
    lower = replace(baseline.reference, direction=Direction.LOWER, value=0.10)
    profiled = replace(run.profiled, baseline=replace(baseline, accuracy=lower, reference=lower))
    measured = replace(step.accuracy, direction=Direction.LOWER, value=0.11)
    run = replace(run, profiled=profiled, steps=(replace(step, accuracy=measured),))
    assert tables(report(run, TODAY))[SEED_TRADEOFFS][1][7] == "-10.00%"


def test_a_slower_one_that_was_kept_is_warned_of() -> None:
    of = past.digest("candidate")
    events = (*past.past(Phase.BENCHMARK), past.benchmarked(of, 1.4), past.validated(of), Kept(of))
    text = report(fold("run", events), TODAY)
    assert "**WARNING**: toy_candidate.onnx was kept although it is slower: 0.71x, which is slower" in text
    assert "is slower than the baseline" in text.rsplit("**Recommendation**", 1)[1]


@pytest.mark.promise("P6")
def test_times_from_the_host_never_advise_on_another_device() -> None:
    run = past.run_in(Phase.PACKAGE)
    run = replace(run, started=replace(run.started, target_device=Device.JETSON_ORIN_NANO))
    advice = report(run, TODAY).rsplit("**Recommendation**", 1)[1]
    assert "Its latency on jetson-orin-nano is unmeasured" in advice
    assert "speedup" not in advice


def test_protocol_environment_and_agreement_are_stated() -> None:
    text = report(past.run_in(Phase.PACKAGE), TODAY)
    assert "Protocol quick: 130 timed runs of batch 1 after 10 warm-up runs" in text
    assert "Imagined CPU, 2 cores, Linux 6.18, onnxruntime 1.30.0, 1 thread(s)" in text
    assert "0.8900 (agreement with the original 0.9900)" in text


def test_what_the_device_says_of_itself_is_stated_and_nothing_of_what_it_does_not_say() -> None:
    run = past.run_in(Phase.OPTIMIZE)
    assert run.profiled is not None
    baseline = run.profiled.baseline
    jetson = replace(baseline.latency.environment, board="NVIDIA | Jetson", power_mode="15W", clocks_locked="no")
    latency = replace(baseline.latency, environment=jetson)
    told = replace(run, profiled=replace(run.profiled, baseline=replace(baseline, latency=latency)))
    said = f"MHz, board {escaped('NVIDIA | Jetson')}, power mode 15W, clocks locked: no."
    assert said in report(told, TODAY)
    assert "clock unknown MHz." in report(run, TODAY)


def test_the_steps_are_those_that_lead_to_what_is_shipped() -> None:
    of, second = past.digest("candidate"), past.digest("second")
    kept = fold("run", (*past.past(Phase.VALIDATE), Kept(of))).steps[0].artifact
    events = (
        *past.past(Phase.VALIDATE),
        Kept(of),
        past.candidate("second", kept),
        past.benchmarked(second, 0.5),
        past.validated(second),
        Kept(second),
    )
    run = fold("run", events)
    rows = tables(report(run, TODAY))[SEED_STEPS]
    assert [row[1:3] for row in rows] == [
        ["toy_original.onnx", "toy_candidate.onnx"],
        ["toy_candidate.onnx", "toy_second.onnx"],
    ]
    assert [row[0] for row in rows] == ["1. quantize int8_static", "2. quantize int8_static"]


def test_a_longer_protocol_leaves_no_gap_for_sustained_load() -> None:
    run = past.run_in(Phase.OPTIMIZE)
    assert run.profiled is not None
    baseline = run.profiled.baseline
    longer = replace(baseline.latency, protocol=PROTOCOLS[ProtocolName.SUSTAINED])
    sustained = replace(run, profiled=replace(run.profiled, baseline=replace(baseline, latency=longer)))
    assert "sustained load" in report(run, TODAY)
    assert "sustained load" not in report(sustained, TODAY)


def with_candidate(run: Run, **changed: object) -> Run:
    """Return the run with other times of its kept candidate."""
    step = run.steps[0]
    assert step.benchmark is not None
    candidate = replace(step.benchmark.candidate, **changed)  # type: ignore[arg-type]
    return replace(run, steps=(replace(step, benchmark=replace(step.benchmark, candidate=candidate)),))


@pytest.mark.promise("P10")
def test_a_shortened_protocol_says_so_wherever_it_is_shown() -> None:
    shortened = replace(PROTOCOLS[ProtocolName.SUSTAINED], duration_s=30)
    text = report(with_candidate(past.run_in(Phase.PACKAGE), protocol=shortened), TODAY)
    title = escaped("sustained (shortened by the operator to 30 s of 300 s)")
    assert f"**Measured**: protocol {title}" in text
    assert f"Protocol {title}: 130 timed runs" in text
    assert "30 s, and 300 s or more would be needed" in text


@pytest.mark.promise("P6", "P10")
def test_load_time_first_inference_memory_above_the_runtime_and_drift_are_shown() -> None:
    drift = Drift(30.0, (Trend(50, (1.0, 1.2), 0.2, 0.001),), throttled_after_s=123.4)
    run = with_candidate(past.run_in(Phase.PACKAGE), drift=drift, steady=False)
    text = report(run, TODAY)
    assert f"Loading takes 20.0 ms and the first inference 4.80 ms · {HOST}" in text
    assert f"Peak memory above the empty runtime: 21.0 MB · {HOST}" in text
    assert f"(p = 0.001). Throttling began after 123 s. · {HOST}" in text.replace("\\", "")
    assert "10 warm-up runs (times were not steady at their end), in 1 process" in text


def test_why_a_candidate_is_not_faster_is_told_with_the_remedy_and_decides_the_recommendation() -> None:
    of = past.digest("candidate")
    conclusion = "INT8 brings no speed here: ship FP32."
    cause = Cause("depthwise", "6 of 6 convolutions are depthwise.", "stay with FP32", mendable=False)
    slow = past.benchmarked(of, 1.4).benchmark
    recorded = BenchmarkRecorded(replace(slow, causes=(cause,), conclusion=conclusion))
    run = fold("run", (*past.past(Phase.BENCHMARK), recorded, past.validated(of), Reverted(of)))
    text = report(run, TODAY)
    assert "### Why Not Faster" in text
    assert f"toy_candidate.onnx: {conclusion} · {HOST}" in text.replace("\\", "")
    assert "6 of 6 convolutions are depthwise. Remedy: stay with FP32." in text
    advice = text.rsplit("**Recommendation**", 1)[1]
    assert "ship the unmodified original; no variant was kept. INT8 brings no speed here: ship FP32." in advice
    assert "### Why Not Faster" not in report(past.run_in(Phase.PACKAGE), TODAY)


def test_the_server_process_needs_no_runtime_for_a_report() -> None:
    modules = "edgewright.tools.package.report, edgewright.tools.package.statement, edgewright.tools.package.manifest"
    code = f"import sys, {modules}; print([m for m in ('onnx', 'onnxruntime', 'PIL') if m in sys.modules])"
    source = Path(__file__).resolve().parents[3] / ".src"
    ended = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(source)}, capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"
