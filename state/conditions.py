"""What a device went through while models were timed on it, as it is recorded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Conditions:
    """What a device went through while one process timed its models, loading and warm-up left out. `None` is unknown.

    Attributes:
        samples: Times that it was looked at.
        duration_s: From the first timed run to the last one's end.
        temperature_start_c: At the first look.
        temperature_end_c: At the last look.
        temperature_max_c: The highest.
        temperature_slope_c_per_min: How fast it rose over the second half; `None` also where that is too short to tell.
        clock_min_mhz: Lowest clock of the fastest core.
        clock_max_mhz: Its highest.
        clock_limit_mhz: What the governor may raise it to.
        gpu_clock_min_mhz: Lowest clock of the graphics processor.
        gpu_clock_max_mhz: Its highest.
        power_mw: Mean power drawn through `rail`.
        rail: Where it was measured.
        throttled: Names of what held the device back at some moment, or was counted anew; empty where nothing was.
        throttled_after_s: Seconds until the first of them.
        foreign_cores: Processors that other programs kept busy, on average; what a hypervisor took counts too.
    """

    samples: int
    duration_s: float
    temperature_start_c: float | None = None
    temperature_end_c: float | None = None
    temperature_max_c: float | None = None
    temperature_slope_c_per_min: float | None = None
    clock_min_mhz: float | None = None
    clock_max_mhz: float | None = None
    clock_limit_mhz: float | None = None
    gpu_clock_min_mhz: float | None = None
    gpu_clock_max_mhz: float | None = None
    power_mw: float | None = None
    rail: str | None = None
    throttled: tuple[str, ...] | None = None
    throttled_after_s: float | None = None
    foreign_cores: float | None = None
