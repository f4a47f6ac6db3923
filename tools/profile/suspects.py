"""Is the preprocessing wrong? Where a baseline is near chance, the usual mistakes are tried and measured.

Nothing is applied: whoever calls reads the figures and corrects the card. The variants are computed from what was
prepared, so the caller's files are not read again, and none of it is kept.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import isfinite

import numpy as np

from edgewright.state.artifacts import Artifact
from edgewright.state.errors import Refused
from edgewright.state.evidence import Accuracy, Dataset, Direction
from edgewright.state.policy import is_agreement
from edgewright.tools.benchmark.outputs import open_outputs, run_outputs
from edgewright.tools.datasets.card import Card, ImageInput
from edgewright.tools.datasets.families import ARITHMETIC
from edgewright.tools.datasets.prepared import PreparedData, open_dataset
from edgewright.tools.datasets.preprocessing import prepare
from edgewright.tools.probe.column_writer import ColumnWriter
from edgewright.tools.probe.columns import Array, Column
from edgewright.tools.profile.order import other_order
from edgewright.tools.targets.target import Target
from edgewright.tools.validate.control import taken
from edgewright.tools.validate.decoders import answers_of
from edgewright.tools.validate.metrics import metric_named
from edgewright.tools.workspace import Workspace

# Less than this part of the way from chance to perfect is worth a look. A small detector of a hard set may lie below
# (SSD on COCO has 0.22); it then costs some seconds and a warning without a better figure in it.
NEAR_CHANCE = 0.25
# Enough to tell chance from anything else.
SAMPLES = 64


def suspicion(
    model: Artifact,
    accuracy: Accuracy,
    chance: Accuracy | None,
    dataset: Dataset,
    *,
    workspace: Workspace,
    target: Target,
) -> str | None:
    """Return what to know of a baseline near chance, with the figures of other preprocessing; nothing of another.

    Args:
        model: What was measured.
        accuracy: Its metric.
        chance: The same of a model that knows nothing.
        dataset: The validation set.
        workspace: Where it is read from.
        target: Where to run.
    """
    if chance is None or is_agreement(accuracy.metric) or not is_near_chance(accuracy, chance):
        return None
    order = other_order(accuracy, dataset, workspace)
    tried = _pictures_tried(model, accuracy, dataset, workspace=workspace, target=target)
    said = "; ".join(clause for clause in (order, tried) if clause)
    near = f"{accuracy.metric} {accuracy.value:.4f} is near chance ({chance.value:.4f})"
    return f"{near}: is the data card right? {said[0].upper()}{said[1:]}" if said else None


def _pictures_tried(
    model: Artifact, accuracy: Accuracy, dataset: Dataset, *, workspace: Workspace, target: Target
) -> str | None:
    pictures = any(isinstance(entry, ImageInput) for entry in open_dataset(dataset, workspace).card.inputs.values())
    if not pictures:
        return None
    found = {
        name: _tried(model, accuracy, card, dataset, workspace=workspace, target=target)
        for name, card in _cards(dataset)
    }
    said = "; ".join(f"{name} {value:.4f}" for name, value in found.items() if value is not None)
    return f"on {min(SAMPLES, dataset.n)} samples: {said}"


def is_near_chance(accuracy: Accuracy, chance: Accuracy) -> bool:
    """Whether a value is much nearer to that of a model that knows nothing than to that of a perfect model."""
    perfect = metric_named(accuracy.metric).range[accuracy.direction is Direction.HIGHER]
    return isfinite(perfect) and abs(accuracy.value - chance.value) < NEAR_CHANCE * abs(perfect - chance.value)


def _cards(dataset: Dataset) -> Iterator[tuple[str, Card]]:
    """Yield the card as it is, and with one usual mistake undone at a time."""
    card = Card.model_validate_json(json.dumps(dict(dataset.card)))
    yield "as the card says", card
    colours = {"RGB": "BGR", "BGR": "RGB"}
    changes: dict[str, Mapping[str, object]] = dict(ARITHMETIC)
    for entry in card.inputs.values():
        if isinstance(entry, ImageInput) and entry.colour in colours:
            changes[f"{colours[entry.colour]} instead of {entry.colour}"] = {"colour": colours[entry.colour]}
        if isinstance(entry, ImageInput):
            other = "NHWC" if entry.layout == "NCHW" else "NCHW"
            changes[f"{other} instead of {entry.layout}"] = {"layout": other}
    for name, change in changes.items():
        inputs = {key: _changed(entry, change) for key, entry in card.inputs.items()}
        if inputs != dict(card.inputs):
            yield name, card.model_copy(update={"inputs": inputs})


def _changed(entry: object, change: Mapping[str, object]) -> object:
    if not isinstance(entry, ImageInput) or ("scale" in change and not entry.dtype.startswith("float")):
        return entry
    if entry.channels == 1 and "colour" in change:
        return entry
    if entry.channels == 1:  # one number for what would be one a channel
        change = {key: value[:1] if isinstance(value, tuple) else value for key, value in change.items()}
    return entry.model_copy(update=dict(change))


def _tried(
    model: Artifact, accuracy: Accuracy, card: Card, dataset: Dataset, *, workspace: Workspace, target: Target
) -> float | None:
    """Return the metric of some samples under another card; nothing where the model cannot take them so."""
    aside = Workspace(workspace.folder, workspace.objects)
    aside.keep(workspace.path_of(model.sha256))
    try:
        varied, data = _varied(open_dataset(dataset, workspace), card, aside)
        outputs = run_outputs(model, varied, accuracy.environment.threads, aside, target)
        answers = answers_of(open_outputs(outputs, aside), data, aside)
        value = metric_named(accuracy.metric).evaluate(answers, data.labels).value
    except (Refused, ValueError):
        return None
    return value if isfinite(value) else None


def _varied(data: PreparedData, card: Card, aside: Workspace) -> tuple[Dataset, PreparedData]:
    """Return some of the samples, prepared as another card says."""
    rows = np.linspace(0, data.n - 1, min(SAMPLES, data.n)).astype(int).tolist()
    folder = aside.scratch("varied")
    folder.mkdir()
    specs: dict[str, dict[str, str]] = {}
    for number, (name, column) in enumerate(data.inputs.items()):
        with ColumnWriter(folder, f"input-{number}") as writer:
            for row in rows:
                writer.append(_again(column[row], data.card.inputs[name], card.inputs[name]))
            spec = writer.finish(drop_leading_one=False)
        specs[name] = {k: aside.keep(folder / v) if k in {"values", "shapes"} else v for k, v in spec.items()}
    index = {"version": 1, "n": len(rows), "inputs": specs, "labels": None}
    dataset = replace(data.dataset, n=len(rows), index=aside.keep_json(index, "varied.json"))
    inputs = {name: Column.open(spec, lambda digest: str(aside.path_of(digest))) for name, spec in specs.items()}
    labels = None if data.labels is None else taken(data.labels, rows)
    return dataset, replace(data, dataset=dataset, card=card, inputs=inputs, labels=labels)


def _again(prepared: Array, was: object, wanted: object) -> Array:
    """Return one sample as another card would have prepared it."""
    if not isinstance(was, ImageInput) or not isinstance(wanted, ImageInput) or was == wanted:
        return prepared
    picture = prepared.transpose(1, 2, 0) if was.layout == "NCHW" else prepared
    pixels = (picture * np.array(was.std) + np.array(was.mean)) / was.scale
    pixels = pixels if was.colour == wanted.colour else pixels[..., ::-1]
    done: Array = prepare(np.rint(pixels)[np.newaxis], {**wanted.model_dump(), "kind": "tensor"})[0]
    return done if wanted.layout == "NHWC" else done.transpose((2, 0, 1))
