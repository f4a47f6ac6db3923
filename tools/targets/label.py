"""Decides how a number is labelled, from what the probe saw and nothing else (P6).

What a machine says of itself is no attestation: whoever is root there can make it say anything.
"""

from types import MappingProxyType

from edgewright.state.artifacts import Device
from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Label
from edgewright.tools.targets.answer import MachineFacts

# How `/proc/device-tree/model` begins on each board (Raspberry Pi documentation, "Raspberry Pi revision codes" and
# config.txt's `[pi4]`, `[pi5]`; jetson_stats, `jtop/core/jetson_variables.py` for the Orin Nano).
BOARDS = MappingProxyType(
    {
        Device.RASPBERRY_PI_4: ("Raspberry Pi 4", "Raspberry Pi Compute Module 4"),
        Device.RASPBERRY_PI_5: ("Raspberry Pi 5", "Raspberry Pi Compute Module 5"),
        Device.JETSON_ORIN_NANO: ("NVIDIA Jetson Orin Nano",),
    }
)
ARCHITECTURE = "aarch64"


def label_of(seen: MachineFacts, *, host_machine: str, host_boot_id: str) -> Label:
    """Return the label of a number.

    A boot is a machine: the same boot id means that no other device was involved, whatever else it says of itself. A
    number is the target's own only where the machine is another one, of the boards' architecture, names a known board,
    and identifies itself as hardware.

    Args:
        seen: The machine that ran the model.
        host_machine: Architecture of the machine that Edgewright runs on.
        host_boot_id: Its boot.
    """
    if seen.boot_id == host_boot_id:
        return Label.HOST if seen.machine == host_machine else Label.EMULATED
    known = board_of(seen) is not None and seen.machine == ARCHITECTURE and seen.boot_id != "unknown"
    return Label.TARGET if known and seen.virtualisation == "none" else Label.UNIDENTIFIED


def board_of(seen: MachineFacts) -> Device | None:
    """Return which known board the machine says it is."""
    return next((device for device, names in BOARDS.items() if seen.board.startswith(names)), None)


def require_kind(seen: MachineFacts, kind: Device, target: str) -> None:
    """Refuse to take a number on a machine that contradicts what it was enrolled as.

    Raises:
        Refused: TARGET_WRONG_MACHINE, for another architecture or another known board.
    """
    board = board_of(seen)
    if kind is Device.CPU_GENERIC or board is kind:
        return
    if seen.machine == ARCHITECTURE and board is None:  # a stand-in: measured, and labelled as what it is
        return
    is_other = f"says it is {seen.board!r}" if board else f"is {seen.machine}, and a {kind} is {ARCHITECTURE}"
    raise Refused.because(
        Code.TARGET_WRONG_MACHINE,
        f"measuring on {target}",
        f"it is enrolled as {kind}, and the machine {is_other}",
        f"have a person enrol it as what it is: edgewright target remove {target}, then edgewright target add {target}",
        "P6",
        "P8",
        enrolled=str(kind),
        board=seen.board,
        machine=seen.machine,
    )
