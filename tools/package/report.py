"""The report on a run as Markdown: what was gained, what it cost, how it was measured and what nobody knows.

Its tables are those of the seed, "Model Optimization Report" and "Optimization Tradeoff Analysis".
"""

from collections.abc import Iterator, Mapping
from datetime import date

from edgewright.state.artifacts import Artifact, Device, TensorSpec
from edgewright.state.evidence import Accuracy, Environment, Label, Latency
from edgewright.state.run import Run
from edgewright.tools.package import cells
from edgewright.tools.package.cells import UNMEASURED
from edgewright.tools.package.engine import BUILDER, NOT_BUILT, engine_of
from edgewright.tools.package.markdown import escaped, figure, megabytes
from edgewright.tools.package.tables import comparison_table, compression, size_change, step_table, tradeoff_table
from edgewright.tools.package.variants import Status, Variant, lineage, tradeoffs, unmeasured, variant_of

PERCENTILES = (50, 95, 99)
NORMALIZATION = {"scale": 1.0, "mean": 0.0, "std": 1.0}


def report(run: Run, now: date, artifact: Artifact | None = None) -> str:
    """Return the report on a run as it stands. Nothing in it was computed from anything but recorded evidence.

    Args:
        run: The run.
        now: Date that the report bears.
        artifact: What is shipped; the current best where it is not given.
    """
    variant = variant_of(run, artifact)
    parts = [
        f"## Model Optimization Report: {escaped(run.started.model_name)}",
        *_first_things(run, variant),
        _header(run, variant, now),
        "### Baseline vs Optimized",
        comparison_table(run, variant),
        "### Optimization Steps Applied",
        step_table(run, variant),
        "### Verdict",
        _verdict(run, variant),
        "### Deployment Artifact",
        _artifact(run, variant),
        "### Measurement",
        _measurement(variant),
        *_slow(run),
        "### Not Measured",
        "\n".join(f"- {escaped(gap)}" for gap in unmeasured(run, variant)) or "Nothing that this report speaks of.",
        f"## Optimization Tradeoff Analysis: {escaped(run.started.model_name)}",
        tradeoff_table(run),
        "Speedup compares a variant with the baseline timed in turn with it; times in different rows were taken at "
        "different moments.",
        f"**Recommendation**: {_recommendation(run, variant)}",
    ]
    return "\n\n".join(parts) + "\n"


def _first_things(run: Run, shipped: Variant | None) -> Iterator[str]:
    """Yield what a reader must not miss: failed and waived candidates, and a slower one that is shipped."""
    for variant in tradeoffs(run):
        if not variant.failed or variant.verdict is None:
            continue
        name, sentence = escaped(variant.artifact.name), escaped(variant.verdict.sentence)
        if variant.waiver is None:
            yield f"**FAILED**: {name} ({variant.status}). {sentence}."
        else:
            given = variant.waiver
            yield (
                f"**WAIVED**: {name} ({variant.status}). {sentence}. Accepted by {escaped(given.approver)}, "
                f"{escaped(given.reason)} ({given.level}: {given.level.meaning})."
            )
    for waiver in run.accepted:
        if waiver.subject.kind != "accuracy":
            yield (
                f"**ACCEPTED**: {escaped(waiver.subject.sentence)}. Accepted by {escaped(waiver.approver)}, "
                f"{escaped(waiver.reason)} ({waiver.level}: {waiver.level.meaning})."
            )
    best = shipped
    if best is not None and best.slower:
        yield f"**WARNING**: {escaped(best.artifact.name)} was kept although it is slower: {cells.faster(best)}."


def _header(run: Run, variant: Variant | None, now: date) -> str:
    profiled = run.profiled
    source = UNMEASURED
    if profiled is not None:
        producer = escaped(profiled.baseline.graph.producer or "unknown framework", 60)
        source = f"{producer} {profiled.original.format} ({megabytes(profiled.original.size_bytes)} MB)"
    registered = "" if run.started.target else " (no target registered)"
    lines = [
        f"**Source**: {source}",
        f"**Target Device**: {run.started.target_device}{registered}",
        f"**Optimization Pipeline**: {_pipeline(run, variant)}",
        f"**Date**: {now.isoformat()}",
    ]
    if variant is not None and variant.latency is not None:
        lines.append(f"**Measured**: protocol {variant.latency.protocol.title}, {variant.latency.environment.label}")
    return "  \n".join(lines)


def _pipeline(run: Run, variant: Variant | None) -> str:
    if variant is None or variant.status is Status.BASELINE:
        return "none"
    made = lineage(run, variant.artifact)[1:]
    return ", ".join(escaped(f"{step.recipe.step} {step.recipe.option}".strip()) for step in made)


def _verdict(run: Run, variant: Variant | None) -> str:
    if variant is None or variant.verdict is None:
        return "UNMEASURED: no verdict, since accuracy was not measured."
    verdict = variant.verdict
    inside = "within" if verdict.inside else "outside"
    return (
        f"{cells.outcome(variant)}: Accuracy delta of {cells.accuracy_delta(variant)} is {inside} the "
        f"{verdict.tolerance:.2%} tolerance ({escaped(verdict.metric)} {verdict.value:.4f} against "
        f"{verdict.baseline:.4f}, floor {verdict.floor:.4f}, n={verdict.n}).\n"
        f"Speedup: {cells.speedup(variant)}. Compression: {compression(run, variant)}."
    )


def _artifact(run: Run, variant: Variant | None) -> str:
    if variant is None or run.profiled is None:
        return f"- Model file: {UNMEASURED}\n- Metadata: {UNMEASURED}\n- Preprocessing config: {UNMEASURED}"
    card = run.profiled.validation.card
    inputs = "; ".join(_input(spec, card) for spec in variant.artifact.inputs)
    return (
        f"- Model file: `{variant.file_name}` (SHA-256 {variant.artifact.sha256})\n"
        "- Metadata: `manifest.json`\n"
        f"- Preprocessing config: `preprocessing.json`: {inputs}"
        f"{_engine(variant)}"
    )


def _engine(variant: Variant) -> str:
    said = engine_of(variant.artifact, variant.file_name)
    if said is None:
        return ""
    line = escaped(" ".join(said["trtexec"]), 400)
    return (
        f"\n- Engine: **not built**. On the Jetson: `python3 {BUILDER} FOLDER`, which also verifies it; or `{line}`. "
        f"{NOT_BUILT}"
    )


def _input(spec: TensorSpec, card: Mapping[str, object]) -> str:
    """Return what one input takes and what the card says is done to reach it."""
    shape = ", ".join("?" if size is None else str(size) for size in spec.shape)
    entries = card.get("inputs")
    entry = entries.get(spec.name) if isinstance(entries, Mapping) else None
    done = "as the data card says"
    if isinstance(entry, Mapping):
        scale, mean, std = (_numbers(entry.get(name, default)) for name, default in NORMALIZATION.items())
        done = f"normalised as (value x {scale} - {mean}) / {std}"
        if spec.quantization is not None and entry.get("dtype") != spec.dtype:
            done += f", then to integers, of which {spec.quantization}"
    return f"{escaped(spec.name)} {escaped(spec.dtype)} ({shape}), {escaped(done)}"


def _numbers(value: object) -> str:
    return " ".join(f"{number:.6g}" for number in (value if isinstance(value, list | tuple) else [value]))


def _measurement(variant: Variant | None) -> str:
    if variant is None or variant.latency is None:
        return UNMEASURED
    latency, environment = variant.latency, variant.latency.environment
    protocol = latency.protocol
    figures = "; ".join(f"P{p} {cells.percentile_latency(latency, p)}" for p in PERCENTILES)
    deviation = cells.labelled(f"standard deviation {figure(latency.std_ms)} ms", environment.label)
    lines = [
        f"Latency of {escaped(variant.artifact.name)}: mean {cells.mean_latency(latency)}; {figures}; {deviation}.",
        f"Protocol {protocol.title}: {latency.runs} timed runs of batch {latency.batch} after {latency.warmup_runs} "
        f"warm-up runs{_settled(latency)}, in {protocol.processes} process(es) of at least {protocol.duration_s:g} s "
        "each.",
        *_started(variant),
        *([cells.labelled(escaped(latency.drift.sentence), environment.label)] if latency.drift else []),
        *_sustained(variant),
        f"Environment: {escaped(environment.machine)}, {escaped(environment.cpu)}, {environment.logical_cores} cores, "
        f"{escaped(environment.kernel)}, {escaped(environment.runtime)} {escaped(environment.runtime_version)}, "
        f"{environment.threads} thread(s), governor {escaped(environment.governor)}, clock "
        f"{escaped(environment.clock_mhz)} MHz{_device(environment)}.",
        "Speedups are medians of the ratios of runs that took turns in the same processes.",
        "MB are millions of bytes. Peak memory includes the runtime.",
        f"Accuracy was computed from outputs of {_where(variant.accuracy)}; its floor from outputs of "
        f"{_where(variant.reference)}.",
        *(escaped(finding) for finding in variant.findings),
        *(escaped(finding) for finding in (variant.sustained.findings if variant.sustained else ())),
    ]
    return "\n".join(f"- {line}" for line in lines)


def _settled(latency: Latency) -> str:
    return " (times were not steady at their end)" if latency.steady is False else ""


def _started(variant: Variant) -> Iterator[str]:
    """Yield what a model costs before its usual inferences, and what it takes beyond the runtime."""
    if variant.latency is not None:
        label = variant.latency.environment.label
        load, first = (figure(value) for value in (variant.latency.load_ms, variant.latency.first_ms))
        yield cells.labelled(f"Loading takes {load} ms and the first inference {first} ms", label)
    if variant.memory is not None:
        above = cells.labelled(f"{megabytes(variant.memory.above_runtime_bytes)} MB", variant.memory.environment.label)
        yield f"Peak memory above the empty runtime: {above}."


def _sustained(variant: Variant) -> Iterator[str]:
    """Yield what a long run of it alone showed, where there was one (P6)."""
    if variant.sustained is None:
        return
    latency = variant.sustained.latency
    figures = "; ".join(f"P{p} {cells.percentile_latency(latency, p)}" for p in PERCENTILES)
    drift = escaped(latency.drift.sentence) if latency.drift else "Drift was not computed."
    yield (
        f"Sustained run, protocol {escaped(latency.protocol.title)}: {latency.runs} timed runs; mean "
        f"{cells.mean_latency(latency)}; {figures}; {cells.labelled(drift, latency.environment.label)}"
    )


def _slow(run: Run) -> Iterator[str]:
    """Yield why variants are not faster than the baseline, each cause with its remedy."""
    slow = [variant for variant in tradeoffs(run) if variant.causes]
    if not slow:
        return
    yield "### Why Not Faster"
    lines = []
    for variant in slow:
        assert variant.latency is not None  # noqa: S101  (causes come with times)
        said, label = variant.conclusion or "There is something to mend.", variant.latency.environment.label
        lines.append(f"- {escaped(variant.artifact.name)}: {cells.labelled(escaped(said), label)}")
        lines += [f"  - {escaped(cause.sentence)} Remedy: {escaped(cause.remedy)}." for cause in variant.causes]
    yield "\n".join(lines)


def _device(environment: Environment) -> str:
    """Return what the device said of itself, for what it said."""
    said = {
        "board": environment.board,
        "module": environment.module,
        "power mode": environment.power_mode,
        "clocks locked:": environment.clocks_locked,
        "turbo": environment.turbo,
        "virtualisation:": environment.virtualisation,
    }
    return "".join(f", {name} {escaped(value)}" for name, value in said.items() if value != "unknown")


def _where(measured: Accuracy | None) -> str:
    if measured is None:
        return UNMEASURED
    environment = measured.environment
    runtime = escaped(f"{environment.runtime} {environment.runtime_version}")
    return f"{runtime} on {escaped(environment.machine)}, {environment.label}"


def _recommendation(run: Run, variant: Variant | None) -> str:
    if variant is None:
        return "profile the model first; nothing is measured."
    if variant.status is Status.BASELINE:
        reasons = dict.fromkeys(found.conclusion for found in tradeoffs(run) if found.conclusion)
        return " ".join(["ship the unmodified original; no variant was kept.", *map(escaped, reasons)])
    name = escaped(variant.artifact.name)
    loss, size = _loss(variant), size_change(run, variant)
    off_device = variant.latency is None or variant.latency.environment.label is not Label.TARGET
    # Times of another kind of machine say nothing of a device (SPEC.md, "Names and calls").
    if off_device and run.started.target_device is not Device.CPU_GENERIC:
        return (
            f"{name} is {size} {loss}. Its latency on {run.started.target_device} is "
            f"{UNMEASURED}, and times from this host do not speak for that device."
        )
    if variant.slower:
        return f"{name} is slower than the baseline ({cells.speedup(variant)}), {size} {loss}."
    if variant.speedup is None or variant.latency is None:
        return f"{name} is {size} {loss}; its speedup is {UNMEASURED}."
    return f"{name} provides {variant.speedup:.2f}x speedup ({variant.latency.environment.label}) {loss}."


def _loss(variant: Variant) -> str:
    if variant.verdict is None:
        return "with unmeasured accuracy loss"
    loss = variant.verdict.drop
    if variant.failed:
        place = "not shown to be within" if variant.verdict.inside else "outside"
        return f"with {loss:.2%} accuracy loss, {place} the tolerance"
    return f"with only {loss:.2%} accuracy loss" if loss > 0 else "with no accuracy loss"
