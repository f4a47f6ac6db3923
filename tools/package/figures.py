"""The report as data: the seed's two documents with every number beside its label, for programs."""

from datetime import date

from edgewright.state.artifacts import Artifact
from edgewright.state.evidence import Latency
from edgewright.state.run import Run
from edgewright.tools.package.cells import UNMEASURED
from edgewright.tools.package.variants import Variant, lineage, tradeoffs, unmeasured, variant_of

PERCENTILES = (50, 95, 99)
Facts = dict[str, object]


def figures(run: Run, now: date, artifact: Artifact | None = None) -> Facts:
    """Return the report on a run as plain data; what was not measured is the word `unmeasured`.

    Args:
        run: The run.
        now: Date that the report bears.
        artifact: What is shipped; the current best where it is not given.
    """
    shown = variant_of(run, artifact)
    variants = tradeoffs(run)
    return {
        "model": run.started.model_name,
        "run": run.id,
        "target_device": str(run.started.target_device),
        "date": now.isoformat(),
        "attention": [_attention(variant) for variant in variants if variant.failed],
        "accepted": [
            {"what": waiver.subject.sentence, "level": str(waiver.level), "meaning": waiver.level.meaning}
            for waiver in run.accepted
        ],
        "baseline": _variant(variants[0]) if variants else UNMEASURED,
        "optimized": _variant(shown) if shown else UNMEASURED,
        "steps": [_step(run, made) for made in lineage(run, shown.artifact)[1:]] if shown else [],
        "tradeoffs": [_variant(variant) for variant in variants],
        "not_measured": list(unmeasured(run, shown)),
    }


def _attention(variant: Variant) -> Facts:
    verdict, waiver = variant.verdict, variant.waiver
    return {
        "variant": variant.artifact.name,
        "status": str(variant.status),
        "verdict": verdict.sentence if verdict else UNMEASURED,
        "waived": None if waiver is None else f"{waiver.approver}, {waiver.level}: {waiver.level.meaning}",
    }


def _variant(variant: Variant) -> Facts:
    artifact, verdict = variant.artifact, variant.verdict
    return {
        "name": artifact.name,
        "sha256": artifact.sha256,
        "status": str(variant.status),
        "format": str(artifact.format),
        "precision": artifact.precision,
        "size_bytes": artifact.size_bytes,
        "latency": _latency(variant.latency),
        "baseline_latency_beside": _latency(variant.beside),
        "speedup": _speedup(variant),
        "sustained": _sustained(variant),
        "peak_memory": {"bytes": variant.memory.peak_bytes, "label": str(variant.memory.environment.label)}
        if variant.memory
        else UNMEASURED,
        "accuracy": _accuracy(variant),
        "verdict": {**verdict.numbers, "outcome": str(verdict.outcome)} if verdict else UNMEASURED,
        "waived": variant.waiver is not None,
    }


def _speedup(variant: Variant) -> Facts | str:
    ratio = variant.ratio
    if ratio is None or variant.latency is None:
        return UNMEASURED
    label = str(variant.latency.environment.label)
    return {"value": variant.speedup, "low": 1 / ratio.high, "high": 1 / ratio.low, "label": label}


def _sustained(variant: Variant) -> Facts | str:
    """Return the times of the latest long run of a variant alone, and how they changed while it went on."""
    if variant.sustained is None:
        return UNMEASURED
    latency = variant.sustained.latency
    drift = latency.drift
    return {
        **_times(latency),
        "drift": drift.sentence if drift else UNMEASURED,
        "throttled_after_s": drift.throttled_after_s if drift else None,
    }


def _accuracy(variant: Variant) -> Facts | str:
    measured, reference = variant.accuracy, variant.reference
    if measured is None or reference is None:
        return UNMEASURED
    return {
        "metric": measured.metric,
        "value": measured.value,
        "n": measured.n,
        "label": str(measured.environment.label),
        "baseline_label": str(reference.environment.label),
    }


def _latency(latency: Latency | None) -> Facts | str:
    return UNMEASURED if latency is None else _times(latency)


def _times(latency: Latency) -> Facts:
    shown: Facts = {f"p{p}_ms": latency.percentiles_ms.get(p, latency.withheld.get(p, UNMEASURED)) for p in PERCENTILES}
    return {
        "mean_ms": latency.mean_ms,
        **shown,
        "throughput_per_s": latency.throughput_per_s,
        "runs": latency.runs,
        "protocol": latency.protocol.title,
        "label": str(latency.environment.label),
    }


def _step(run: Run, made: Artifact) -> Facts:
    variant = variant_of(run, made)
    recipe = made.recipe
    parent = run.artifact(made.parent or "")
    return {
        "step": f"{recipe.step} {recipe.option}".strip(),
        "input": parent.name if parent else UNMEASURED,
        **(_variant(variant) if variant else {"name": made.name}),
    }
