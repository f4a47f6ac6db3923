"""The guards on where and for how long a number is taken (P6, P10). `edgewright.state.guards` has the others."""

from collections.abc import Mapping

from edgewright.state.artifacts import Device
from edgewright.state.asked import Asked
from edgewright.state.errors import Code, Refusal
from edgewright.state.protocols import ProtocolName
from edgewright.state.run import Run


def target_measures(run: Run | None, asked: Asked) -> Refusal | None:
    """Where a target is enrolled for the run's device, that target is measured on: no host stands in (P6)."""
    device = run.started.target_device if run else asked.device
    target = run.started.target if run else asked.target
    what = f"{asked.call} for {device}"
    if target is not None:
        return _misnamed(what, target, device, asked.enrolled)
    fit = [alias for alias, kind in asked.enrolled.items() if kind is device]
    if not fit:
        return None
    return Refusal(
        Code.TARGET_REQUIRED,
        f"{what} without its target",
        f"{', '.join(fit)} is enrolled as {device}, and numbers of this host do not stand in for its",
        f"start a run with profile_model(..., target='{fit[0]}')",
        {"enrolled": fit},
        ("P6",),
    )


def _misnamed(what: str, target: str, device: Device | None, enrolled: Mapping[str, Device]) -> Refusal | None:
    """Return why a named target cannot be measured on: nobody enrolled it, or it is another device."""
    kind = enrolled.get(target)
    if kind is None:
        known = f"; enrolled are {', '.join(enrolled)}" if enrolled else ""
        return Refusal(
            Code.UNKNOWN_TARGET,
            f"{what} on {target!r}",
            "no target of that alias is enrolled, or another one since the run began; enrolling one is a person's "
            f"step{known}",
            "name an enrolled one, have a person run `edgewright target add`, or leave `target` out: the run is then "
            "measured on this host and labelled so",
            {"enrolled": list(enrolled)},
            ("P6",),
        )
    if kind is device:
        return None
    return Refusal(
        Code.TARGET_WRONG_MACHINE,
        f"{what} on {target}",
        f"{target} is enrolled as {kind}",
        f"name a target that is a {device}, or profile the model for {kind}",
        {"enrolled_as": str(kind), "device": str(device)},
        ("P6", "P8"),
    )


def protocol_long_enough(run: Run | None, asked: Asked) -> Refusal | None:
    """On an enrolled target nothing is timed in a hurry: what ships there rests on it (P10)."""
    if run is None or run.started.target is None or asked.protocol is not ProtocolName.QUICK:
        return None
    return Refusal(
        Code.PROTOCOL_TOO_SHORT,
        f"{asked.call} under the protocol quick on {run.started.target}",
        "on an enrolled target the standard and the sustained protocol count; quick is for host estimates",
        "call benchmark without a protocol, or with protocol='standard' or 'sustained'",
        {"protocol": str(asked.protocol)},
        ("P6", "P10"),
    )


def protocol_is_sustained(_run: Run | None, asked: Asked) -> Refusal | None:
    """Without a candidate, all there is to time is what would ship, and that for long (P2, P6)."""
    if asked.protocol is ProtocolName.SUSTAINED:
        return None
    return Refusal(
        Code.EVIDENCE_MISSING,
        f"{asked.call} without a candidate",
        "no step has made one since the last decision; what would ship can be timed here under the sustained protocol",
        "call quantize or convert first, or benchmark(protocol='sustained')",
        {},
        ("P2",),
    )
