"""What 8 bits cost and save in each part of a model, as it is recorded."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class GroupSensitivity:
    """An operator that multiplies and what follows it, quantised together or not at all.

    Attributes:
        name: Of the first of its operators.
        op_type: Of that one.
        operators: How many they are.
        alone_error: Squared error of the model's outputs, relative to their squares, with nothing but this in 8 bits;
            `None` where outputs were no numbers.
        reverted_error: The same with everything but this in 8 bits.
        saved_share: Part of float32's time that is lost when everything but this is in 8 bits, boundaries included;
            below zero where it is faster in float32. `None` where no time that could be taken speaks of the device.
        outlier_ratio: Largest magnitude of its outputs over that which 99.9 % of them do not exceed.
        dead_channels: Output channels whose weights are all zero; `None` where it has no weights of its own.
        channel_spread: Largest over smallest of its channels' largest weights, dead ones left out.
    """

    name: str
    op_type: str
    operators: int
    alone_error: float | None
    reverted_error: float | None
    saved_share: float | None
    outlier_ratio: float | None
    dead_channels: int | None
    channel_spread: float | None


@dataclass(frozen=True)
class Sensitivity:
    """One model's groups, the most sensitive first.

    Attributes:
        artifact: SHA-256 of the float32 model.
        calibration: Digest of the calibration set.
        uniform_error: Error of the outputs with everything in 8 bits; `None` where they were no numbers.
        uniform_share: Time of that over float32's; `None` where it was not taken.
        groups: By error alone, the largest first.
        samples: Samples that errors come from; nothing of them needs labels.
        computed: How 8 bits were computed for the errors: by this processor's kernels, or as they are defined.
        timed: Label of where times were taken; empty where none was.
        recipe: What else has to be said to get the same figures.
    """

    artifact: str
    calibration: str
    uniform_error: float | None
    uniform_share: float | None
    groups: tuple[GroupSensitivity, ...]
    samples: int
    computed: str
    timed: str
    recipe: Mapping[str, object] = field(default_factory=dict)
