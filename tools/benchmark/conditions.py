"""What the conditions of a timing mean: why a run on a target does not count, and what is only worth a word.

Off target nobody owns the machine; there `faults` are no reason to reject a run.
"""

from collections.abc import Callable, Iterator

from edgewright.state.conditions import Conditions
from edgewright.state.evidence import Environment, Latency

# A program at work keeps one core busy, the background of an idle system a few hundredths of one: between the two.
FOREIGN_CORES_AT_MOST = 0.25
# A clock lower by this makes a run longer by as much, and 5 % is the spread that a calm device stays within.
CLOCK_DROP = 0.05
# From the 50 degrees of an idle board to the 80 at which a Raspberry Pi slows down (its documentation, "Frequency
# management and thermal control") in five minutes, the length of a sustained run: a slope that does not last.
SLOPE_AT_MOST_C_PER_MIN = 6.0

_Finding = Callable[[Conditions, Environment], str | None]


def faults(latency: Latency) -> tuple[str, ...]:
    """Return a sentence for each reason why these times, taken on a target, are not those of the device at its best.

    What is unknown is no fault; `notes` says that it is unknown.
    """
    return (*foreign(latency), *heat(latency))


def foreign(latency: Latency) -> tuple[str, ...]:
    """Return a sentence for each process of the probe beside which other programs were at work."""
    return tuple(_sentences(latency, (_foreign_load,)))


def heat(latency: Latency) -> tuple[str, ...]:
    """Return a sentence for each sign that the device was too warm, or its clock too low, to be at its best."""
    return tuple(_sentences(latency, (_throttled, _heating, _clock_fell, _clock_low)))


def notes(latency: Latency) -> tuple[str, ...]:
    """Return a sentence for each thing that a reader should know and that does not invalidate the times."""
    return tuple(_sentences(latency, (_unwatched, _power, _turbo, _gpu_clock)))


def _sentences(latency: Latency, findings: tuple[_Finding, ...]) -> Iterator[str]:
    count = len(latency.conditions)
    for number, conditions in enumerate(latency.conditions, start=1):
        for finding in findings:
            sentence = finding(conditions, latency.environment)
            if sentence is not None:
                yield sentence if count == 1 else f"Process {number} of {count}: {sentence}"


def _throttled(conditions: Conditions, _: Environment) -> str | None:
    if not conditions.throttled:
        return None
    return (
        f"The device was held back while it was timed ({', '.join(conditions.throttled)}), first after "
        f"{conditions.throttled_after_s or 0:.0f} s."
    )


def _foreign_load(conditions: Conditions, _: Environment) -> str | None:
    if conditions.foreign_cores is None or conditions.foreign_cores <= FOREIGN_CORES_AT_MOST:
        return None
    return (
        f"Other programs kept {conditions.foreign_cores:.2f} processors busy on average; at most "
        f"{FOREIGN_CORES_AT_MOST} are allowed."
    )


def _heating(conditions: Conditions, _: Environment) -> str | None:
    slope = conditions.temperature_slope_c_per_min
    if slope is None or slope <= SLOPE_AT_MOST_C_PER_MIN:
        return None
    return (
        f"The device was still heating up: {slope:.1f} degrees a minute over the second half of the run, to "
        f"{conditions.temperature_end_c:.1f} degrees; at most {SLOPE_AT_MOST_C_PER_MIN:g} are allowed."
    )


def _clock_fell(conditions: Conditions, _: Environment) -> str | None:
    low, high = conditions.clock_min_mhz, conditions.clock_max_mhz
    if low is None or high is None or low >= (1 - CLOCK_DROP) * high:
        return None
    return f"The clock fell from {high:.0f} to {low:.0f} MHz while the models were timed; {CLOCK_DROP:.0%} are allowed."


def _clock_low(conditions: Conditions, environment: Environment) -> str | None:
    """Say so where the clock stayed below its limit, unless that limit is a turbo's, which nobody promises."""
    return None if environment.turbo == "on" else _below_limit(conditions)


def _turbo(conditions: Conditions, environment: Environment) -> str | None:
    return _below_limit(conditions) if environment.turbo == "on" else None


def _below_limit(conditions: Conditions) -> str | None:
    high, limit = conditions.clock_max_mhz, conditions.clock_limit_mhz
    if high is None or limit is None or high >= (1 - CLOCK_DROP) * limit:
        return None
    return f"The clock never rose above {high:.0f} MHz, and its limit is {limit:.0f} MHz."


def _unwatched(conditions: Conditions, _: Environment) -> str | None:
    if not conditions.samples:
        return "Nothing is known of the device while it was timed: the run was too short, or the sampler did not start."
    unknown = {
        "throttling": conditions.throttled,
        "temperature": conditions.temperature_max_c,
        "clock": conditions.clock_max_mhz,
        "load by other programs": conditions.foreign_cores,
    }
    missing = [name for name, value in unknown.items() if value is None]
    return f"Unknown while the models were timed: {', '.join(missing)}." if missing else None


def _power(conditions: Conditions, _: Environment) -> str | None:
    if conditions.power_mw is None:
        return None
    return f"Mean power while the models were timed: {conditions.power_mw:.0f} mW ({conditions.rail})."


def _gpu_clock(conditions: Conditions, environment: Environment) -> str | None:
    low, high = conditions.gpu_clock_min_mhz, conditions.gpu_clock_max_mhz
    if low is None or high is None or low >= (1 - CLOCK_DROP) * high:
        return None
    return (
        f"The clock of the graphics processor moved between {low:.0f} and {high:.0f} MHz with its load (clocks locked: "
        f"{environment.clocks_locked})."
    )
