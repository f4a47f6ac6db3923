"""The `model-opt-state` block: a run in the seed's fields and order, as data and as text."""

from edgewright.knowledge.advise import advise
from edgewright.knowledge.stop import stop_of
from edgewright.server.replies import harmless
from edgewright.state.run import Run

UNMEASURED = "unmeasured"


def fields(run: Run) -> dict[str, object]:
    """Return the block's fields in the seed's order. What was not measured says so."""
    profiled, best = run.profiled, run.best
    baseline = profiled.baseline if profiled else None
    tolerance = run.tolerance
    label = baseline.latency.environment.label if baseline else None
    latency = baseline.latency.mean_ms if baseline else None
    fastest = best.benchmark.candidate if best and best.benchmark else None
    source = run.source
    known = baseline or source
    accuracy = known.accuracy.value if known else None
    imported = profiled or source
    best_accuracy = best.accuracy.value if best and best.accuracy else accuracy
    return {
        "phase": str(run.phase),
        "model_name": run.started.model_name,
        "source_format": str(imported.original.format) if imported else "unknown",
        "target_device": str(run.started.target_device),
        "baseline_latency_ms": _measured(latency, label),
        "baseline_accuracy": UNMEASURED if accuracy is None else round(accuracy, 6),
        "accuracy_tolerance": f"{tolerance:.4g}" if tolerance < 0.0001 else f"{tolerance:.2%}",
        "optimizations_applied": ", ".join(_applied(run)) or "none",
        "current_best_latency_ms": _measured(fastest.mean_ms, fastest.environment.label)
        if fastest
        else _measured(latency, label),
        "current_best_accuracy": UNMEASURED if best_accuracy is None else round(best_accuracy, 6),
        "original_model_path": run.started.model_path,
        "last_action": run.last_action,
        "next_action": next_action(run),
        "blockers": "; ".join(blockers(run)) or "none",
    }


def text(run: Run) -> str:
    """Return the block as text."""
    lines = [f"{name}: {_one_line(value)}" for name, value in fields(run).items()]
    return str(harmless("\n".join(["<model-opt-state>", *lines, "</model-opt-state>"])))


def next_action(run: Run) -> str:
    """Return the recommended call in one line."""
    first = advise(run)[0]
    return f"{first.tool}({', '.join(f'{k}={v!r}' for k, v in first.arguments.items())})"


def blockers(run: Run) -> list[str]:
    """Return what stands in the way."""
    found = [run.trouble.sentence] if run.trouble else []
    stop = stop_of(run)
    return [*found, stop.sentence] if stop is not None else found


def _applied(run: Run) -> list[str]:
    """Return the steps that lead to the best artifact, in order."""
    chain: list[str] = []
    artifact = run.current
    begin = run.profiled.runnable if run.profiled else None
    while artifact is not None and artifact.parent is not None and artifact != begin:
        recipe = artifact.recipe
        unbuilt = " [engine not built]" if artifact.awaits_engine else ""
        chain.append((f"{recipe.step}({recipe.option})" if recipe.option else recipe.step) + unbuilt)
        artifact = run.artifact(artifact.parent)
    return chain[::-1]


def _measured(value_ms: float | None, label: object) -> str:
    return UNMEASURED if value_ms is None else f"{value_ms:.4g} [{label}]"


def _one_line(value: object) -> str:
    """Return a value that cannot begin a line of the block: file names may hold line breaks."""
    return "\\n".join(str(value).splitlines())
