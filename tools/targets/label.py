"""Decides how a number is labelled, from what the probe saw and nothing else (P6)."""

from edgewright.state.evidence import Label
from edgewright.tools.targets.answer import MachineFacts


def label_of(seen: MachineFacts, *, host_machine: str, host_boot_id: str) -> Label:
    """Return the label of a number.

    A boot is a machine: the same boot id means that no other device was involved, whatever else it says of itself. No
    machine is a registered target yet, so nothing is `Measured on target`, not even where the host is of the kind that
    the run aims at.

    Args:
        seen: The machine that ran the model.
        host_machine: Architecture of the machine that Edgewright runs on.
        host_boot_id: Its boot.
    """
    if seen.boot_id != host_boot_id:
        return Label.UNIDENTIFIED
    return Label.HOST if seen.machine == host_machine else Label.EMULATED
