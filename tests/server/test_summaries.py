"""What a finished benchmark says in short."""

from dataclasses import replace
from pathlib import Path

import pytest
import run_builder as past

from edgewright.server.summaries import CAUSES_SHOWN, Summary, summarise
from edgewright.state.causes import Cause
from edgewright.state.events import BenchmarkRecorded
from edgewright.state.evidence import Benchmark
from edgewright.state.phases import Phase
from edgewright.state.protocols import PROTOCOLS, ProtocolName

CAUSES = tuple(Cause(f"kind_{n}", f"Sentence {n}.", f"remedy {n}", mendable=False) for n in range(5))


def benchmark(ratio: float = 1.4, *, valid: bool = True) -> Benchmark:
    return past.benchmarked(past.digest("candidate"), ratio, valid=valid).benchmark


def told(found: Benchmark) -> Summary:
    return summarise(BenchmarkRecorded(found), past.run_in(Phase.BENCHMARK), Path("/packages"))


def test_that_int8_brings_nothing_is_in_the_first_sentences_and_the_causes_come_with_remedies() -> None:
    conclusion = "INT8 brings no speed here: ship FP32."
    summary = told(replace(benchmark(), causes=CAUSES, conclusion=conclusion))
    assert summary.text.startswith("The candidate is slower: 1.40x the baseline's time")
    assert summary.text.endswith(conclusion)
    assert summary.notes == [f"Sentence {n}. Remedy: remedy {n}." for n in range(CAUSES_SHOWN)]


@pytest.mark.promise("P10")
def test_an_invalid_benchmark_says_every_finding_and_gives_no_number() -> None:
    summary = told(replace(benchmark(valid=False), findings=("Attempt 1 of 4 was not valid.", "Ways out: revert.")))
    assert "INVALID" in summary.text
    assert summary.numbers == {}
    assert summary.warnings == ["Attempt 1 of 4 was not valid.", "Ways out: revert."]


@pytest.mark.promise("P10")
def test_the_numbers_name_the_protocol_with_what_was_cut_from_it_and_what_a_model_costs_besides() -> None:
    found = benchmark(0.8)
    shortened = replace(PROTOCOLS[ProtocolName.STANDARD], duration_s=1.0)
    numbers = told(replace(found, candidate=replace(found.candidate, protocol=shortened))).numbers
    candidate = numbers["candidate_ms"]
    assert isinstance(candidate, dict)
    assert candidate["protocol"] == "standard (shortened by the operator to 1 s of 10 s)"
    assert (numbers["first_inference_ms"], numbers["load_ms"]) == (4.8, 20.0)
    assert (numbers["throughput_per_s"], numbers["above_runtime_mib"]) == (625.0, 20.0)
