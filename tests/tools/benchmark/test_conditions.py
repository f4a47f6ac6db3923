"""Which conditions make a run on a target invalid, and which are only worth a word."""

import json
from dataclasses import replace

import pytest
from run_builder import latency

from edgewright.state.codec import decode, encode
from edgewright.state.conditions import Conditions
from edgewright.state.evidence import Latency
from edgewright.tools.benchmark.conditions import (
    CLOCK_DROP,
    FOREIGN_CORES_AT_MOST,
    SLOPE_AT_MOST_C_PER_MIN,
    faults,
    notes,
)

pytestmark = pytest.mark.promise("P10")

CALM = Conditions(
    samples=100,
    duration_s=10.0,
    temperature_start_c=55.0,
    temperature_end_c=55.5,
    temperature_max_c=56.0,
    temperature_slope_c_per_min=1.0,
    clock_min_mhz=2400.0,
    clock_max_mhz=2400.0,
    clock_limit_mhz=2400.0,
    throttled=(),
    foreign_cores=0.03,
)


def timed(*conditions: Conditions, turbo: str = "unknown") -> Latency:
    plain = latency("model")
    return replace(plain, environment=replace(plain.environment, turbo=turbo), conditions=conditions)


def but(**changes: object) -> Conditions:
    return replace(CALM, **changes)  # type: ignore[arg-type]


def test_a_calm_device_gives_no_word() -> None:
    assert faults(timed(CALM, CALM, CALM)) == ()
    assert notes(timed(CALM, CALM, CALM)) == ()


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        (
            but(throttled=("throttled", "under-voltage"), throttled_after_s=42.3),
            "The device was held back while it was timed (throttled, under-voltage), first after 42 s.",
        ),
        (but(foreign_cores=0.8), "Other programs kept 0.80 processors busy on average; at most 0.25 are allowed."),
        (
            but(temperature_slope_c_per_min=9.04, temperature_end_c=71.2),
            "The device was still heating up: 9.0 degrees a minute over the second half of the run, to 71.2 degrees; "
            "at most 6 are allowed.",
        ),
        (
            but(clock_min_mhz=1500.0),
            "The clock fell from 2400 to 1500 MHz while the models were timed; 5% are allowed.",
        ),
        (
            but(clock_min_mhz=1500.0, clock_max_mhz=1500.0),
            "The clock never rose above 1500 MHz, and its limit is 2400 MHz.",
        ),
    ],
)
def test_each_fault_says_its_number(conditions: Conditions, sentence: str) -> None:
    assert faults(timed(conditions)) == (sentence,)
    assert faults(timed(CALM, conditions)) == (f"Process 2 of 2: {sentence}",)
    assert notes(timed(conditions)) == ()


def test_at_its_limit_nothing_is_a_fault() -> None:
    at_limit = but(
        foreign_cores=FOREIGN_CORES_AT_MOST,
        temperature_slope_c_per_min=SLOPE_AT_MOST_C_PER_MIN,
        clock_min_mhz=2400.0 * (1 - CLOCK_DROP),
    )
    assert faults(timed(at_limit)) == ()


def test_several_faults_of_one_process_are_all_said() -> None:
    assert len(faults(timed(but(foreign_cores=3.0, clock_min_mhz=600.0, throttled=("clock capped",))))) == 3


def test_a_turbo_that_was_not_reached_is_worth_a_word_and_no_fault() -> None:
    below = timed(but(clock_min_mhz=2000.0, clock_max_mhz=2000.0), turbo="on")
    assert faults(below) == ()
    assert notes(below) == ("The clock never rose above 2000 MHz, and its limit is 2400 MHz.",)


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        (
            Conditions(samples=10, duration_s=1.0, temperature_max_c=50.0, clock_max_mhz=1.0),
            "Unknown while the models were timed: throttling, load by other programs.",
        ),
        (
            Conditions(samples=0, duration_s=0.05),
            "Nothing is known of the device while it was timed: the run was too short, or the sampler did not start.",
        ),
        (but(power_mw=4210.4, rail="VDD_IN"), "Mean power while the models were timed: 4210 mW (VDD_IN)."),
        (
            but(gpu_clock_min_mhz=306.0, gpu_clock_max_mhz=624.75),
            "The clock of the graphics processor moved between 306 and 625 MHz with its load (clocks locked: unknown).",
        ),
    ],
)
def test_what_is_unknown_or_good_to_know_is_a_note_and_no_fault(conditions: Conditions, sentence: str) -> None:
    assert faults(timed(conditions)) == ()
    assert notes(timed(conditions)) == (sentence,)


def test_conditions_are_written_down_with_the_times_and_read_back() -> None:
    written = timed(CALM, but(throttled=("throttled",), throttled_after_s=3.0), but(throttled=None))
    assert decode(Latency, encode(written)) == written


def test_a_record_from_before_there_were_conditions_still_reads() -> None:
    old = json.loads(encode(latency("model")))
    del old["conditions"]
    for name in ("board", "module", "virtualisation", "os_release", "throttled_now", "throttled_since_boot"):
        del old["environment"][name]
    read = decode(Latency, json.dumps(old))
    assert (read.conditions, read.environment.board, read.environment.throttled_now) == ((), "unknown", None)
    assert (faults(read), notes(read)) == ((), ())
