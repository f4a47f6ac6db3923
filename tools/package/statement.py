"""What only the ledger knows of a package, as plain data: the server says it, the worker writes it down."""

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import PurePath

from edgewright.state.artifacts import Artifact, TensorSpec
from edgewright.state.asked import Today
from edgewright.state.codec import adapter, encode
from edgewright.state.drift import Drift
from edgewright.state.errors import Code, Refused
from edgewright.state.events import Profiled
from edgewright.state.evidence import Accuracy, Dataset, Environment, Latency, Memory
from edgewright.state.ledger import GENESIS, Record
from edgewright.state.policy import Policy
from edgewright.state.run import Run
from edgewright.state.verdict import Verdict
from edgewright.state.waivers import Waiver
from edgewright.tools.authority.signatures import Namespace
from edgewright.tools.legible import legible
from edgewright.tools.package.engine import engine_of
from edgewright.tools.package.variants import Variant, lineage, unmeasured, variant_of

Facts = dict[str, object]


UNSIGNED: Facts = {"status": "unsigned: no key enrolled", "file": None, "namespace": None}
SIGNED: Facts = {"status": "signed", "file": "manifest.json.sig", "namespace": str(Namespace.MANIFEST)}


def statement(
    run: Run,
    records: Sequence[Record],
    artifact: Artifact | None = None,
    *,
    policy: Policy | None = None,
    signing: Facts = UNSIGNED,
) -> Facts:
    """Return what the manifest of a package says of its run, and the evidence behind it.

    Args:
        run: The run as it stands.
        records: All its records, in order.
        artifact: What is shipped; the current best where it is not given.
        policy: The operator's bounds now; those that the run is seen with where they are not given. Verdicts are by
            its rule, or by that of the start where it is stricter.
        signing: `SIGNED` or `UNSIGNED`.

    Returns:
        `manifest`, the manifest's fields that come from the run; `evidence`, the content of `evidence.json`; and
        `outputs`, the SHA-256 of the stored outputs that the shipped file's accuracy was computed from.

    Raises:
        Refused: EVIDENCE_MISSING, where the shipped file's latency, memory or accuracy was not measured.
    """
    policy = policy or run.now.policy
    run = replace(run, today=Today(policy, run.now.enrolled))
    variant, profiled = variant_of(run, artifact), run.profiled
    if (
        profiled is None
        or variant is None
        or variant.latency is None
        or variant.beside is None
        or variant.memory is None
        or variant.accuracy is None
        or variant.reference is None
        or variant.verdict is None
    ):
        raise Refused.because(
            Code.EVIDENCE_MISSING,
            "packaging",
            "latency, memory or accuracy of the file to ship was not measured",
            "call benchmark and validate on the candidate, or profile_model where there is no baseline yet",
            "P1",
            "P3",
        )
    measured = (variant.latency, variant.beside, variant.memory, profiled.baseline.memory)
    labels = {found.environment.label for found in (*measured, variant.accuracy, variant.reference)}
    sustained = variant.sustained
    if sustained:
        labels.add(sustained.latency.environment.label)
    manifest = {
        "run": run.id,
        "target_device": str(run.started.target_device),
        "target": run.started.target,
        "latency_target_ms": run.started.latency_target_ms,
        "model": _model(variant),
        "engine": engine_of(variant.artifact, variant.file_name),
        "provenance": _provenance(run, profiled, variant),
        "benchmarks": {
            "model": _latency(variant.latency),
            "baseline": _latency(variant.beside),
            "ratio": asdict(variant.ratio) if variant.ratio else None,
            "sustained": _latency(sustained.latency) if sustained else None,
            "memory": _memory(variant.memory),
            "baseline_memory": _memory(profiled.baseline.memory),
            "causes": [asdict(cause) for cause in variant.causes],
            "conclusion": variant.conclusion,
        },
        "accuracy": _accuracy(variant.accuracy, variant.reference, variant.verdict, variant.waiver),
        "acceptances": [_acceptance(waiver) for waiver in run.accepted],
        "policy": adapter(Policy).dump_python(policy, mode="json"),
        "signing": signing,
        "findings": [*variant.findings, *(sustained.findings if sustained else ())],
        "unmeasured": list(unmeasured(run, variant)),
        "labels": sorted(map(str, labels)),
    }
    return {"manifest": manifest, "evidence": _evidence(run, records), "outputs": variant.accuracy.outputs}


def _provenance(run: Run, profiled: Profiled, variant: Variant) -> Facts:
    return {
        "original_file": legible(PurePath(run.started.model_path).name),
        "chain": [_link(artifact) for artifact in lineage(run, variant.artifact)],
        "floor_from": {"sha256": profiled.root.sha256, "run": profiled.inherited_from or run.id},
        "validation": _dataset(profiled.validation),
        "calibration": _dataset(profiled.calibration) if profiled.calibration else None,
    }


def _evidence(run: Run, records: Sequence[Record]) -> Facts:
    return {
        "run": run.id,
        "genesis": GENESIS,
        "head": records[-1].hash if records else GENESIS,
        "records": [asdict(record) for record in records],
    }


def _model(variant: Variant) -> Facts:
    artifact = variant.artifact
    return {
        "file": variant.file_name,
        "sha256": artifact.sha256,
        "size_bytes": artifact.size_bytes,
        "format": str(artifact.format),
        "precision": artifact.precision,
        "inputs": [_tensor(spec) for spec in artifact.inputs],
        "outputs": [_tensor(spec) for spec in artifact.outputs],
    }


def _tensor(spec: TensorSpec) -> Facts:
    content: Facts = {"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)}
    meaning = spec.quantization
    if meaning is None:
        return content
    return {**content, "quantization": {"scale": meaning.scale, "zero_point": meaning.zero_point}}


def _link(artifact: Artifact) -> Facts:
    recipe = artifact.recipe
    return {
        "sha256": artifact.sha256,
        "parent": artifact.parent,
        "name": artifact.name,
        "format": str(artifact.format),
        "precision": artifact.precision,
        "size_bytes": artifact.size_bytes,
        "step": recipe.step,
        "option": recipe.option,
        "parameters": dict(recipe.parameters),
        "tools": dict(recipe.tools),
    }


def _dataset(dataset: Dataset) -> Facts:
    return {"digest": dataset.digest, "preprocessing": dataset.preprocessing, "n": dataset.n}


def _latency(latency: Latency) -> Facts:
    return {
        "label": str(latency.environment.label),
        "artifact": latency.artifact,
        "mean_ms": latency.mean_ms,
        "std_ms": latency.std_ms,
        "percentiles_ms": {f"p{percentile}": value for percentile, value in sorted(latency.percentiles_ms.items())},
        "withheld": {f"p{percentile}": reason for percentile, reason in sorted(latency.withheld.items())},
        "first_ms": latency.first_ms,
        "load_ms": latency.load_ms,
        "throughput_per_s": latency.throughput_per_s,
        "spread": latency.spread,
        "steady": latency.steady,
        "drift": _drift(latency.drift) if latency.drift else None,
        "batch": latency.batch,
        "runs": latency.runs,
        "warmup_runs": latency.warmup_runs,
        "protocol": {
            **asdict(latency.protocol),
            "name": str(latency.protocol.name),
            "title": latency.protocol.title,
        },
        "environment": _environment(latency.environment),
        "times_sha256": latency.samples,
        "conditions": [asdict(conditions) for conditions in latency.conditions],
    }


def _drift(drift: Drift) -> Facts:
    return {
        "window_s": drift.window_s,
        "throttled_after_s": drift.throttled_after_s,
        "trends": [{**asdict(trend), "drifts": trend.drifts} for trend in drift.trends],
    }


def _memory(memory: Memory) -> Facts:
    return {
        "label": str(memory.environment.label),
        "peak_bytes": memory.peak_bytes,
        "empty_runtime_bytes": memory.empty_runtime_bytes,
        "environment": _environment(memory.environment),
    }


def _environment(environment: Environment) -> Facts:
    """Return the environment without what identifies the machine rather than describes it."""
    facts = asdict(environment)
    del facts["boot_id"]
    return {**facts, "label": str(environment.label)}


def _accuracy(measured: Accuracy, reference: Accuracy, verdict: Verdict, waiver: Waiver | None) -> Facts:
    low, high = verdict.interval or (None, None)
    return {
        "label": str(measured.environment.label),
        "baseline_label": str(reference.environment.label),
        "metric": measured.metric,
        "direction": str(measured.direction),
        "value": measured.value,
        "baseline": verdict.baseline,
        "floor": verdict.floor,
        "tolerance": verdict.tolerance,
        "drop": verdict.drop if math.isfinite(verdict.drop) else None,
        "n": measured.n,
        "verdict": str(verdict.outcome),
        "rule": str(verdict.rule),
        "interval_of_difference": {"low": low, "high": high, "confidence": verdict.confidence}
        if verdict.interval
        else None,
        "deciding_n": verdict.deciding_n,
        "agreement": measured.agreement,
        "per_class": dict(measured.per_class),
        "outputs_sha256": measured.outputs,
        "environment": _environment(measured.environment),
        "waiver": waiver.nonce if waiver else None,
    }


def _acceptance(waiver: Waiver) -> Facts:
    """Return an acceptance as it was signed, and its level in words."""
    return {
        "statement": encode(waiver.unsigned),
        "signature": waiver.signature or None,
        "kind": waiver.subject.kind,
        "accepted": waiver.subject.sentence,
        "level": str(waiver.level),
        "level_meaning": waiver.level.meaning,
        "approver": waiver.approver,
        "reason": waiver.reason,
        "issued": waiver.issued,
        "expires": waiver.expires,
        "nonce": waiver.nonce,
    }
