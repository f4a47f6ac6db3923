"""Whether a package is what it says, for whoever receives it: no server, no ledger and no network are needed.

In this order, since each step may believe what the ones before it found: the signature, the files, the evidence and
the guards over it, the figures, the acceptances, a run of the model.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from edgewright.state.asked import Asked
from edgewright.state.codec import decode, encode
from edgewright.state.errors import CorruptLedger, Refused
from edgewright.state.guards import refusal_for, shipped
from edgewright.state.ledger import GENESIS, Record
from edgewright.state.phases import Call
from edgewright.state.policy import Level, Policy
from edgewright.state.replay import replay
from edgewright.state.run import Run
from edgewright.state.waivers import Waiver
from edgewright.tools.authority.enrolment import APPROVER
from edgewright.tools.authority.signatures import BadSignature, Namespace, check, verify
from edgewright.tools.inheritance import inherited
from edgewright.tools.legible import legible
from edgewright.tools.package.contents import MANIFEST, SIGNATURE, Unsound, check_contents, read_json
from edgewright.tools.package.manifest import SCHEMA_ID
from edgewright.tools.package.statement import statement

# What the manifest says that follows from the evidence; its sentences may be worded otherwise by another version.
FIGURES = (
    "run",
    "target_device",
    "target",
    "latency_target_ms",
    "model",
    "engine",
    "provenance",
    "benchmarks",
    "accuracy",
    "acceptances",
    "labels",
)
REHEARSAL_S = 600


@dataclass(frozen=True)
class Verified:
    """What was found, and how far it reaches.

    Attributes:
        signer: Who signed the manifest, as the pinned file calls him; empty where none was pinned.
        findings: A sentence each.
    """

    signer: str
    findings: tuple[str, ...]


def verify_package(folder: Path, allowed_signers: Path | None = None, least: Level | None = None) -> Verified:
    """Check a package in all its parts.

    Args:
        folder: The package.
        allowed_signers: Keys that were pinned. Without them only integrity is checked: that the parts fit each other.
        least: Lowest level at which an acceptance counts; the policy in the manifest where it is not given.

    Raises:
        Unsound: With the first thing that is wrong.
    """
    try:
        manifest = read_json(folder, MANIFEST)
        if manifest["schema"] != SCHEMA_ID:
            raise Unsound(f"its manifest has the schema {legible(str(manifest['schema']))}, not {SCHEMA_ID}")
        signer, signed = _signature(folder, manifest, allowed_signers)
        count = check_contents(folder, manifest)
        policy = decode(Policy, json.dumps(manifest["policy"]))
        run, records = _replayed(folder, manifest, replace(policy, least_level=least) if least else policy)
        _check_figures(manifest, run, records, policy)
        accepted = [_acceptance(waiver, allowed_signers) for waiver in run.accepted]
        ran = _rehearsed(folder)
    except (CorruptLedger, Refused, BadSignature) as error:
        raise Unsound(str(error).rstrip(".")) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unsound(
            f"a part is missing or not of its form ({type(error).__name__}: {legible(str(error))})"
        ) from error
    return Verified(
        signer,
        (
            signed,
            f"{count} files are those of the manifest, and no others are there.",
            f"The guards grant every step of the {len(records)} recorded events, and this package, again; the figures "
            "follow from them.",
            *accepted,
            *ran,
        ),
    )


def _signature(folder: Path, manifest: Mapping[str, Any], allowed_signers: Path | None) -> tuple[str, str]:
    """Return who signed the manifest, and that in words."""
    status, path = manifest["signing"]["status"], folder / SIGNATURE
    content = (folder / MANIFEST).read_bytes()
    if status != "signed" or not path.is_file():
        if allowed_signers is not None or path.exists() or status == "signed":
            raise Unsound(f"its manifest is not signed ({legible(str(status))})")
        return "", "The manifest is unsigned: no key was enrolled where it was made. INTEGRITY ONLY."
    try:
        signature = path.read_text(encoding="ascii")
    except ValueError as error:
        raise Unsound("its signature is no text") from error
    if allowed_signers is None:
        said = check(content, signature, Namespace.MANIFEST)
        return "", f"INTEGRITY ONLY: no key was pinned. {legible(said, 300)}."
    signer = verify(content, signature, Namespace.MANIFEST, allowed_signers)
    return signer, f"The manifest was signed by {legible(signer)}, whose key was pinned."


def _replayed(folder: Path, manifest: Mapping[str, Any], policy: Policy) -> tuple[Run, list[Record]]:
    """Return the run that the evidence adds up to, which may ship this model under that policy."""
    evidence = read_json(folder, "evidence.json")
    records = [Record(**record) for record in evidence["records"]]
    if evidence["genesis"] != GENESIS or not records or evidence["head"] != records[-1].hash:
        raise Unsound("evidence.json is no whole chain of records")
    run = replay(records)
    asked = Asked(Call.PACKAGE, policy, datetime.fromisoformat(manifest["created"]), enrolled=run.enrolled_at_start)
    if (refusal := refusal_for(run, asked)) is not None:
        raise Unsound(refusal.sentence.rstrip("."))
    step = shipped(run, asked)
    if step is None or step.artifact.sha256 != manifest["model"]["sha256"]:
        raise Unsound("its model is not the one that the evidence lets ship")
    return run, records


def _check_figures(manifest: Mapping[str, Any], run: Run, records: list[Record], policy: Policy) -> None:
    """Check that the manifest says of the run what its evidence says, judged by the rule of its policy."""
    artifact = run.artifact(manifest["model"]["sha256"])
    said = json.loads(json.dumps(statement(run, records, artifact, policy=policy)["manifest"]))
    different = [name for name in FIGURES if said[name] != manifest[name]]
    if different:
        raise Unsound(f"the manifest and its evidence differ in {', '.join(different)}")


def _acceptance(waiver: Waiver, allowed_signers: Path | None) -> str:
    """Return one acceptance in words, its signature checked as far as the pinned keys reach."""
    said = f"A person accepted ({waiver.level}: {waiver.level.meaning}; {legible(waiver.approver)}): "
    said += f"{waiver.subject.sentence}."
    if waiver.level is Level.RELAYED:
        return said
    content = encode(waiver.unsigned).encode()
    if allowed_signers is None:
        check(content, waiver.signature, Namespace.WAIVER)
        return f"{said} Its signature holds, and its key was not pinned."
    signer = verify(content, waiver.signature, Namespace.WAIVER, allowed_signers)
    if signer != (APPROVER if waiver.level is Level.OUT_OF_BAND else waiver.approver):
        raise Unsound(f"an acceptance at {waiver.level} was signed by {legible(signer)}")
    return f"{said} Signed by {legible(signer)}, whose key was pinned."


def _rehearsed(folder: Path) -> tuple[str, ...]:
    """Run the model on its stored samples in a fresh, confined process."""
    with tempfile.TemporaryDirectory(prefix="edgewright-verify-") as scratch:
        try:
            ended = subprocess.run(
                [sys.executable, "-I", "-B", "-m", "edgewright.tools.package.rehearsal", str(folder), scratch],
                env=inherited(LANG="C.UTF-8"),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=REHEARSAL_S,
            )
        except subprocess.TimeoutExpired as error:
            raise Unsound(f"its model did not answer within {REHEARSAL_S} s") from error
    if ended.returncode != 0:
        lines = [line for line in ended.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        raise Unsound(
            f"its model did not run as recorded: {legible(lines[-1] if lines else str(ended.returncode), 300)}"
        )
    found: dict[str, Any] = json.loads(ended.stdout)
    return tuple(str(sentence) for sentence in found["verified"][1:])
