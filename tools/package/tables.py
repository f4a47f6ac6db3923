"""The tables of a report, in the seed's columns."""

from itertools import pairwise

from edgewright.state.evidence import Label, Latency, Memory
from edgewright.state.run import Run
from edgewright.tools.package import cells
from edgewright.tools.package.cells import UNMEASURED
from edgewright.tools.package.markdown import escaped, megabytes, table
from edgewright.tools.package.variants import Status, Variant, lineage, tradeoffs, variant_of

METRICS = ("File Size", "Latency (mean)", "Latency (P95)", "Memory (peak)", "Accuracy", "Throughput")


def comparison_table(run: Run, variant: Variant | None) -> str:
    """Return "Baseline vs Optimized"; times of both columns come from the same processes."""
    head = ("Metric", "Baseline", "Optimized", "Change")
    profiled = run.profiled
    if profiled is None or variant is None:
        return table(head, [(name, UNMEASURED, UNMEASURED, UNMEASURED) for name in METRICS])
    before, after = variant.beside, variant.latency
    memory = profiled.baseline.memory
    original, made = profiled.original, variant.artifact
    metric = escaped(run.started.metric)
    rows = [
        (
            "File Size",
            f"{megabytes(original.size_bytes)} MB",
            f"{megabytes(made.size_bytes)} MB",
            f"{compression(run, variant)} compression",
        ),
        ("Latency (mean)", cells.mean_latency(before), cells.mean_latency(after), cells.faster(variant)),
        (
            "Latency (P95)",
            cells.percentile_latency(before, 95),
            cells.percentile_latency(after, 95),
            _latency_change(before, after, 95),
        ),
        ("Memory (peak)", cells.peak_memory(memory), cells.peak_memory(variant.memory), _memory_change(run, variant)),
        (
            f"Accuracy ({metric})",
            _reference(run),
            cells.accuracy(variant.accuracy),
            cells.judged_by(variant),
        ),
        ("Throughput", cells.throughput(before), cells.throughput(after), _throughput_change(before, after)),
    ]
    return table(head, rows)


def _reference(run: Run) -> str:
    """Return the value that the floor comes from, and from where, if it is another model's."""
    profiled = run.profiled
    if profiled is None:
        return UNMEASURED
    reference = profiled.baseline.reference
    inherited = f" (original of {escaped(profiled.inherited_from)})" if profiled.inherited_from else ""
    return cells.labelled(f"{reference.value:.4f}{inherited}", reference.environment.label)


def _same_label(before: Latency | Memory | None, after: Latency | Memory | None) -> Label | None:
    """Return the label that both were taken under; ratios between different ones are not formed (P10)."""
    if before is None or after is None or before.environment.label is not after.environment.label:
        return None
    return after.environment.label


def _latency_change(before: Latency | None, after: Latency | None, percentile: int) -> str:
    label = _same_label(before, after)
    if label is None or before is None or after is None:
        return UNMEASURED
    times = before.percentiles_ms.get(percentile), after.percentiles_ms.get(percentile)
    return cells.change_of(*times, label, better="faster", worse="(slower)")


def _memory_change(run: Run, variant: Variant) -> str:
    before = run.profiled.baseline.memory if run.profiled else None
    label = _same_label(before, variant.memory)
    if label is None or before is None or variant.memory is None:
        return UNMEASURED
    return cells.change_of(before.peak_bytes, variant.memory.peak_bytes, label, better="smaller", worse="(larger)")


def _throughput_change(before: Latency | None, after: Latency | None) -> str:
    label = _same_label(before, after)
    if label is None or before is None or after is None:
        return UNMEASURED
    return cells.labelled(f"{after.throughput_per_s / before.throughput_per_s:.2f}x", label)


def step_table(run: Run, variant: Variant | None) -> str:
    """Return "Optimization Steps Applied": the way from the original to this variant."""
    head = ("Step", "Input", "Output", "Size", "Latency", "Accuracy")
    made = lineage(run, variant.artifact) if variant else ()
    rows = []
    for number, (base, artifact) in enumerate(pairwise(made), start=1):
        found = variant_of(run, artifact)
        rows.append(
            (
                f"{number}. {escaped(f'{artifact.recipe.step} {artifact.recipe.option}'.strip())}",
                escaped(base.name),
                escaped(artifact.name),
                f"{megabytes(artifact.size_bytes)} MB",
                cells.mean_latency(found.latency if found else None),
                cells.accuracy(found.accuracy if found else None),
            )
        )
    shown = table(head, rows)
    return shown if rows else f"{shown}\n\nNo step was applied: the unmodified original is the best there is."


def tradeoff_table(run: Run) -> str:
    """Return the table over everything that the run tried."""
    head = ("Variant", "Format", "Precision", "Size (MB)", "Latency (ms)", "Accuracy", "Speedup", "Acc. Delta")
    rows = [
        (
            _name(variant),
            escaped(variant.artifact.format),
            escaped(variant.artifact.precision.upper()),
            megabytes(variant.artifact.size_bytes),
            cells.mean_latency(variant.latency, unit=""),
            cells.accuracy(variant.accuracy),
            cells.speedup(variant),
            cells.accuracy_delta(variant),
        )
        for variant in tradeoffs(run)
    ]
    return table(head, rows)


def _name(variant: Variant) -> str:
    if variant.status is Status.BASELINE:
        return "Baseline"
    first = ("WAIVED: " if variant.waiver else "FAILED: ") if variant.failed else ""
    return f"{first}{escaped(variant.artifact.name)} ({variant.status})"


def compression(run: Run, variant: Variant) -> str:
    """Return how many times smaller the file is than the run's original."""
    if run.profiled is None:
        return UNMEASURED
    return f"{run.profiled.original.size_bytes / variant.artifact.size_bytes:.2f}x"


def size_change(run: Run, variant: Variant) -> str:
    """Return how the file's size compares with that of the run's original, in the word for it."""
    if run.profiled is None:
        return f"{UNMEASURED} in size"
    factor = variant.artifact.size_bytes / run.profiled.original.size_bytes
    return f"{factor:.2f}x larger" if factor > 1 else f"{1 / factor:.2f}x smaller"
