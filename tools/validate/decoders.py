"""Turns a model's raw outputs into what a metric judges, sample by sample, as the data card says.

A package adds its own decoder through the entry point group `edgewright.decoders`: the entry's object is called as
`decode(outputs, frame)` with one sample's outputs by name, without batch dimension, and the height and width of the
model's input; it returns one array, of the shape that `Answers` gives for what the card says comes out.
"""

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points

import numpy as np
from numpy.typing import NDArray

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.card import Card, ImageInput
from edgewright.tools.datasets.decoding import (
    CentreDecoder,
    CtcDecoder,
    Decoder,
    InstalledDecoder,
    SegmentationDecoder,
    SsdDecoder,
    TagsDecoder,
    YoloDecoder,
)
from edgewright.tools.datasets.prepared import PreparedData
from edgewright.tools.legible import legible
from edgewright.tools.probe.column_writer import ColumnWriter
from edgewright.tools.probe.columns import Array, Column
from edgewright.tools.validate import heads
from edgewright.tools.validate.answers import only
from edgewright.tools.workspace import Workspace

GROUP = "edgewright.decoders"

Frame = tuple[int, int]
Decode = Callable[[Mapping[str, Array], Frame], Array]


def answers_of(outputs: Mapping[str, Column], data: PreparedData, workspace: Workspace) -> Mapping[str, Column]:
    """Return what the metric judges: the output that the card names, or all of them, decoded where it names how.

    Raises:
        Refused: METRIC_MISMATCH, if the outputs are not what the card says of them.
    """
    chosen = _chosen(outputs, data.card)
    if data.card.decoder is None:
        return chosen
    decode = decode_by(data.card.decoder)
    folder = workspace.scratch("answers")
    folder.mkdir()
    with ColumnWriter(folder, "answers") as writer:
        for row, frame in enumerate(_frames(data)):
            writer.append(_decoded(decode, {name: column[row] for name, column in chosen.items()}, frame, row))
        spec = writer.finish(drop_leading_one=False)
    return {str(data.card.decoder.answers): Column.open(spec, lambda name: str(folder / name))}


def decode_by(decoder: Decoder) -> Decode:
    """Return what decodes one sample.

    Raises:
        Refused: CARD_INVALID, for an installed decoder that is not there.
    """
    match decoder:
        case YoloDecoder():
            return lambda outputs, frame: heads.yolo(
                only(f"behind the decoder {decoder.kind}", outputs), frame, decoder
            )
        case SsdDecoder():
            return lambda outputs, frame: heads.ssd(outputs, frame, decoder)
        case CentreDecoder():
            return lambda outputs, frame: heads.centres(outputs, frame, decoder)
        case SegmentationDecoder():
            return lambda outputs, _frame: class_map(only(f"behind the decoder {decoder.kind}", outputs), decoder)
        case CtcDecoder():
            return lambda outputs, _frame: best_path(only(f"behind the decoder {decoder.kind}", outputs), decoder)
        case TagsDecoder():
            return lambda outputs, _frame: _scored(only(f"behind the decoder {decoder.kind}", outputs), 2).argmax(
                axis=-1
            )
        case InstalledDecoder():
            return _installed(decoder.name)


def class_map(scores: Array, decoder: SegmentationDecoder) -> NDArray[np.uint8]:
    """Return the class of every pixel, shape (height, width), from scores of shape (classes, height, width) or last."""
    axis = 0 if decoder.classes == "first" else -1
    if _scored(scores, 3).shape[axis] == 1:
        return (scores >= decoder.threshold).squeeze(axis).astype(np.uint8)
    if scores.shape[axis] > 255:
        raise heads.UnfitOutputError(f"it scores {scores.shape[axis]} classes a pixel, and masks hold at most 255")
    classes: NDArray[np.uint8] = scores.argmax(axis=axis).astype(np.uint8)
    return classes


def best_path(scores: Array, decoder: CtcDecoder) -> NDArray[np.int32]:
    """Return the code points of the text in scores of shape (steps, classes)."""
    classes = _scored(scores, 2).shape[1]
    if classes != len(decoder.alphabet) + 1:
        raise heads.UnfitOutputError(
            f"it scores {classes} classes a step, and the alphabet with the blank has {len(decoder.alphabet) + 1}"
        )
    blank = decoder.blank % classes
    best = scores.argmax(axis=1)
    kept = best[np.append(True, best[1:] != best[:-1]) & (best != blank)]
    points = np.insert(np.array([ord(character) for character in decoder.alphabet], np.int32), blank, 0)
    text: NDArray[np.int32] = points[kept]
    return text


def _chosen(outputs: Mapping[str, Column], card: Card) -> Mapping[str, Column]:
    """Return the output that the card names alone, or all of them where it names none."""
    if card.output is None:
        return outputs
    if card.output not in outputs:
        raise Refused.because(
            Code.METRIC_MISMATCH,
            f"the output '{legible(card.output, 60)}' of the data card",
            f"the model's outputs are {', '.join(legible(name, 60) for name in outputs)}",
            "name one of them as `output` in the data card",
            "P9",
        )
    return {card.output: outputs[card.output]}


def _frames(data: PreparedData) -> Iterator[Frame]:
    """Yield the height and width of each sample's first picture as the model takes it; (0, 0) without pictures."""
    for name, entry in data.card.inputs.items():
        if isinstance(entry, ImageInput):
            first = 1 if entry.layout == "NCHW" else 0
            yield from ((int(shape[first]), int(shape[first + 1])) for shape in data.inputs[name].shapes)
            return
    yield from ((0, 0) for _ in range(data.n))


def _decoded(decode: Decode, outputs: Mapping[str, Array], frame: Frame, row: int) -> Array:
    try:
        return np.asarray(decode(outputs, frame))
    except heads.UnfitOutputError as error:
        raise Refused.because(
            Code.METRIC_MISMATCH,
            "decoding the model's outputs as the data card says",
            f"{error} (sample {row})",
            "correct `decoder` or `output` in the data card",
            "P9",
            sample=row,
        ) from error


def _installed(name: str) -> Decode:
    for entry in entry_points(group=GROUP, name=name):
        found: Decode = entry.load()
        return found
    known = ", ".join(sorted(entry_points(group=GROUP).names)) or "none"
    raise Refused.because(
        Code.CARD_INVALID,
        f"the decoder '{legible(name, 60)}' of the data card",
        f"the installed ones are {known}",
        f"name one of them, or have the operator install a package with an entry point of the group `{GROUP}`",
        "P9",
    )


def _scored(scores: Array, rank: int) -> Array:
    if scores.ndim != rank:
        raise heads.UnfitOutputError(f"the output has the shape {scores.shape}, and {rank} dimensions are needed")
    return scores
