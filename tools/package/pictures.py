"""What the pictures of a run show, as plain data: one entry a picture, nothing in it but recorded evidence."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgewright.state.drift import Drift
from edgewright.state.evidence import Latency
from edgewright.state.run import Run
from edgewright.state.verdict import floor_of
from edgewright.tools.inheritance import inherited
from edgewright.tools.legible import legible
from edgewright.tools.package.markdown import megabytes
from edgewright.tools.package.variants import Variant, told_apart, tradeoffs, variant_of

INSTALL_LINE = "pip install 'edgewright[charts]'"
DRAWING_S = 120
NAME_CHARACTERS, GROUP_CHARACTERS = 40, 32
CURVE_POINTS = 200
OPERATORS_SHOWN = 10
GROUPS_SHOWN = 20

Data = dict[str, Any]  # plain JSON, of the form that each function below gives
PathOf = Callable[[str], Path]


@dataclass(frozen=True)
class Picture:
    """One picture, drawn.

    Attributes:
        name: What it shows, in one word.
        title: The same for people.
        specification: In Vega-Lite, with its data.
        png: The picture.
        svg: The same without pixels, for a page that runs no script of ours.
        described: What it shows in words, for whoever does not see it.
    """

    name: str
    title: str
    specification: dict[str, Any]
    png: bytes
    svg: str
    described: str


def available() -> bool:
    """Whether what draws is installed."""
    return find_spec("altair") is not None and find_spec("vl_convert") is not None


@dataclass(frozen=True)
class Drawn:
    """Every picture of a run, and the script that draws them on a page; both empty where nothing can be drawn."""

    pictures: tuple[Picture, ...] = ()
    library: str = ""


def draw(run: Run, path_of: PathOf, *, interactive: bool = False) -> Drawn:
    """Return every picture that the evidence of a run carries; none where nothing that draws is installed.

    Args:
        run: The run.
        path_of: Gives the path of a stored file by its digest.
        interactive: Whether a page is to draw them itself, too.
    """
    return draw_data(picture_data(run, path_of), interactive=interactive)


def draw_data(data: Mapping[str, Data], *, interactive: bool = False) -> Drawn:
    """Return the pictures of these data by name, drawn in a process of its own: it takes a whole JavaScript engine."""
    if not data or not available():
        return Drawn()
    ended = subprocess.run(
        [sys.executable, "-I", "-m", "edgewright.tools.package.drawing"],
        input=json.dumps({"data": dict(data), "interactive": interactive}).encode(),
        env=inherited(),
        capture_output=True,
        check=False,
        timeout=DRAWING_S,
    )
    if ended.returncode != 0:
        return Drawn()
    answer = json.loads(ended.stdout)
    pictures = tuple(Picture(**{**drawn, "png": bytes.fromhex(drawn["png"])}) for drawn in answer["pictures"])
    return Drawn(pictures, answer["library"])


def picture_data(run: Run, path_of: PathOf) -> dict[str, Data]:
    """Return picture to what it shows; only pictures that there is evidence for."""
    found = {
        "tradeoff": tradeoff_data(run),
        "latency": latency_data(run, path_of),
        "drift": drift_data(run),
        "operators": operator_data(run),
        "weights": weight_data(run),
        "sizes": size_data(run),
        "sensitivity": sensitivity_data(run),
    }
    return {name: data for name, data in found.items() if data is not None}


def tradeoff_data(run: Run) -> Data | None:
    """Return accuracy against time of every variant that both are known of; times relative to the baseline's.

    Only ratios are drawn: each was taken in the same processes as its baseline; times of different moments were not.
    """
    variants = [variant for variant in tradeoffs(run) if variant.accuracy is not None]
    if run.profiled is None or not variants:
        return None
    baseline = run.profiled.baseline
    called = _called(run)
    points = [
        point for variant in variants if (point := _point(variant, called[variant.number], run.started.model_name))
    ]
    # Where times do not speak of the device, they say nothing of the target either (P6).
    target = run.started.latency_target_ms if run.tells(baseline.latency) else None
    return {
        "model": legible(run.started.model_name, NAME_CHARACTERS),
        "metric": legible(run.started.metric, NAME_CHARACTERS),
        "direction": str(baseline.reference.direction),
        "label": str(baseline.latency.environment.label),
        "floor": floor_of(baseline.reference, run.tolerance),
        "target": target / baseline.latency.mean_ms if target else None,
        "points": _with_front(points, higher=str(baseline.reference.direction) == "higher"),
    }


def _called(run: Run) -> dict[int, str]:
    """Return what pictures call each variant, by its number."""
    called = {variant.number: legible(variant.artifact.name, NAME_CHARACTERS) for variant in tradeoffs(run)}
    return told_apart({**called, 0: "Baseline"})


def _short(name: str, variant: Variant, model: str) -> str:
    """Return the part of a name that tells variants apart."""
    return name.removeprefix(f"{model}_").replace(f".{variant.artifact.format}", "")


def _point(variant: Variant, name: str, model: str) -> Data | None:
    if variant.accuracy is None or (variant.number and variant.ratio is None):
        return None
    ratio = variant.ratio
    verdict = "waived" if variant.failed and variant.waiver else "fails" if variant.failed else "passes"
    return {
        "name": name,
        "short": _short(name, variant, model),
        "time": ratio.median if ratio else 1.0,
        "low": ratio.low if ratio else 1.0,
        "high": ratio.high if ratio else 1.0,
        "value": variant.accuracy.value,
        "size_mb": variant.artifact.size_bytes / 1e6,
        "verdict": verdict,
        "status": str(variant.status),
    }


def _with_front(points: list[Data], *, higher: bool) -> list[Data]:
    """Mark the points that no other one beats in both: the Pareto front."""
    sign = 1 if higher else -1

    def beaten(point: Data) -> bool:
        return any(
            other["time"] <= point["time"]
            and sign * other["value"] >= sign * point["value"]
            and (other["time"], other["value"]) != (point["time"], point["value"])
            for other in points
        )

    return [{**point, "front": not beaten(point)} for point in points]


def latency_data(run: Run, path_of: PathOf) -> Data | None:
    """Return how the times of baseline and best variant are distributed: the share of runs below each time."""
    variant = variant_of(run, None)
    if variant is None or variant.latency is None or variant.beside is None:
        return None
    shown = {"Baseline": variant.beside}
    if variant.number:
        shown[_called(run)[variant.number]] = variant.latency
    curves = [point for name, latency in shown.items() for point in _curve(name, latency, path_of)]
    marks = [
        {"name": name, "percentile": f"P{p}", "ms": value}
        for name, latency in shown.items()
        for p, value in sorted(latency.percentiles_ms.items())
        if p in {50, 95, 99}
    ]
    label = str(variant.latency.environment.label)
    return {"label": label, "curves": curves, "marks": marks, "order": list(shown)} if curves else None


def _curve(name: str, latency: Latency, path_of: PathOf) -> list[Data]:
    """Return points of the empirical distribution of the raw times, which lie in the store as nanoseconds."""
    path = path_of(latency.samples)
    if not path.exists():
        return []
    import numpy as np  # costs start-up time, and only this needs it

    shares = np.linspace(0, 1, CURVE_POINTS)
    values = np.quantile(np.load(path, allow_pickle=False).ravel() / 1e6, shares)
    return [
        {"name": name, "ms": float(value), "share": float(share)} for value, share in zip(values, shares, strict=True)
    ]


def drift_data(run: Run) -> Data | None:
    """Return how the times of the best variant, and of the baseline beside it, changed over the longest measurement."""
    variant = variant_of(run, None)
    if variant is None:
        return None
    alone = variant.sustained.latency if variant.sustained else None
    latency = alone if alone and alone.drift else variant.latency
    if latency is None or latency.drift is None:
        return None
    shown = {_called(run)[variant.number]: latency.drift}
    if variant.number and latency is not alone and variant.beside and variant.beside.drift:
        shown = {"Baseline": variant.beside.drift, **shown}
    return {
        "label": str(latency.environment.label),
        "protocol": latency.protocol.title,
        "points": [point for name, drift in shown.items() for point in _windows(name, drift)],
        "order": list(shown),
        "throttled_s": latency.drift.throttled_after_s,
        "sentences": [f"{name}: {drift.sentence}" for name, drift in shown.items()],
    }


def _windows(name: str, drift: Drift) -> list[Data]:
    """Return a point for each window of each percentile, at the window's middle."""
    return [
        {"name": name, "percentile": f"P{trend.percentile}", "s": drift.window_s * (number + 0.5), "ms": value}
        for trend in drift.trends
        for number, value in enumerate(trend.values_ms)
    ]


def operator_data(run: Run) -> Data | None:
    """Return where the unmodified model spends its time, by the runtime's own profiler."""
    if run.profiled is None or not run.profiled.baseline.hot_spots:
        return None
    baseline = run.profiled.baseline
    ranked = sorted(baseline.hot_spots, key=lambda spot: -spot.mean_ms)[:OPERATORS_SHOWN]
    bars = [
        {"operator": legible(spot.op_type, NAME_CHARACTERS), "ms": spot.mean_ms, "share": spot.share} for spot in ranked
    ]
    return {"label": str(baseline.latency.environment.label), "bars": bars}


def weight_data(run: Run) -> Data | None:
    """Return what the unmodified model's file is made of: bytes of stored tensors by the operator that reads them."""
    stored = run.profiled.baseline.graph.stored_bytes if run.profiled else {}
    total = sum(stored.values())
    ranked = sorted(stored.items(), key=lambda entry: -entry[1])[:OPERATORS_SHOWN]
    bars = [
        {"operator": legible(name, NAME_CHARACTERS), "mb": size / 1e6, "share": size / total} for name, size in ranked
    ]
    return {"bars": bars} if total else None


def sensitivity_data(run: Run) -> Data | None:
    """Return what the latest analysis found: the groups that cost most, the worst first, and the time they save."""
    if not run.sensitivities:
        return None
    found = run.sensitivities[-1]
    bars = [
        {
            "group": f"{rank}. {_end(group.name)}",
            "error": group.alone_error or 0.0,
            "said": "no numbers" if group.alone_error is None else f"{group.alone_error:.3g}",
            "saved": group.saved_share,
        }
        for rank, group in enumerate(found.groups[:GROUPS_SHOWN], start=1)
    ]
    return {"label": found.timed, "samples": found.samples, "groups": len(found.groups), "bars": bars} if bars else None


def _end(name: str) -> str:
    """Return the end of a long name: groups of one model begin alike."""
    shown = legible(name)
    return shown if len(shown) <= GROUP_CHARACTERS else f"…{shown[1 - GROUP_CHARACTERS :]}"


def size_data(run: Run) -> Data | None:
    """Return the file size of every variant."""
    called = _called(run)
    bars = [
        {
            "name": called[variant.number],
            "mb": variant.artifact.size_bytes / 1e6,
            "text": f"{megabytes(variant.artifact.size_bytes)} MB",
            "status": str(variant.status),
        }
        for variant in tradeoffs(run)
    ]
    return {"bars": bars} if bars else None
