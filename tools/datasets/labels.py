"""Labels as the metrics want them: class numbers as int64, other answers as finite numbers."""

from collections.abc import Sequence
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.card import Card
from edgewright.tools.datasets.decoding import Answers
from edgewright.tools.datasets.samples import Array
from edgewright.tools.legible import legible
from edgewright.tools.probe.columns import Column

# Whole numbers with more different values than this are quantities, not classes.
MOST_CLASSES = 100_000


def labels_of(
    raw: Array,
    card: Card,
    n: int,
    what: str,
    classes: tuple[str, ...] | None = None,
    *,
    places: Sequence[str] = (),
) -> Column:
    """Return labels as the card's decoder needs them: code points where it gives text, numbers otherwise.

    Args:
        raw: One row a sample.
        card: Says what the model answers.
        n: Samples.
        what: Where the labels come from, for messages.
        classes: Names of the classes, where the data names them.
        places: Where each label stands, such as `line 5`.

    Raises:
        Refused: DATA_INVALID, as `numeric_labels`, or for texts that are none.
    """
    if card.answers is not Answers.TEXT:
        return Column(numeric_labels(raw, card.classes if classes is None else classes, n, what, places))
    if raw.ndim != 1 or raw.dtype.kind != "U" or len(raw) != n:
        _refuse(what, f"it holds {raw.dtype} of shape {raw.shape}, not {n} texts", "store one text a sample")
    texts = [np.array([ord(character) for character in text], np.int32) for text in raw.tolist()]
    return Column(np.concatenate(texts), np.array([text.shape for text in texts], np.int64))


def numeric_labels(raw: Array, classes: tuple[str, ...] | None, n: int, what: str, places: Sequence[str] = ()) -> Array:
    """Return labels as int64 class numbers or as floating numbers.

    Args:
        raw: One row a sample: class numbers, class names, or numbers of any shape.
        classes: Names of the classes in the order of the model's outputs.
        n: Samples.
        what: Where the labels come from, for messages.
        places: Where each label stands, such as `line 5`.

    Raises:
        Refused: DATA_INVALID for another length, unknown classes, or values that are no finite numbers.
    """
    if raw.ndim == 0 or len(raw) != n:
        given = "a single value" if raw.ndim == 0 else f"{len(raw)} rows"
        _refuse(what, f"it holds {given} for {n} samples", "store one label a sample, in the order of the samples")
    if n and not raw.size:
        _refuse(what, f"it holds no values (shape {raw.shape})", "store at least one value a sample")
    if raw.dtype.kind in "US":
        if raw.ndim != 1:
            _refuse(what, f"it holds names in the shape {raw.shape}", "store one class name a sample")
        return _numbers_of(raw.astype(str), classes, what, places)
    if raw.dtype.kind == "f":
        bad = ~np.isfinite(raw.reshape(n, -1)).all(axis=1)
        if bad.any():
            first = int(np.argmax(bad))
            why = f"{int(bad.sum())} of {n} labels are NaN or infinite, the first {_at(first, places)}"
            _refuse(what, why, "correct or drop these samples", count=int(bad.sum()), first=first)
        return raw.astype(raw.dtype.newbyteorder("="))
    numbers = raw.astype(np.int64)
    if raw.dtype.kind == "u" and numbers.size and int(numbers.min()) < 0:
        _refuse(what, "it holds whole numbers above the range of int64", "store labels as int64")
    if numbers.ndim == 1:
        _check_range(numbers, classes, what, places)
    return numbers


def coverage(labels: Column | None, classes: tuple[str, ...] | None) -> dict[str, int]:
    """Return how many samples each class has; nothing where labels are not class numbers."""
    if labels is None or labels.rank != 0 or labels.dtype != "int64":
        return {}
    numbers, counts = np.unique(labels.batch(0, len(labels)), return_counts=True)
    if classes is None:
        small = len(numbers) <= MOST_CLASSES and int(numbers[0]) >= 0
        return {str(number): int(count) for number, count in zip(numbers, counts, strict=True)} if small else {}
    found = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
    return {name: int(found.get(number, 0)) for number, name in enumerate(classes)}


def column_labels(texts: Sequence[str], classes: tuple[str, ...] | None) -> Array:
    """Return the labels of a CSV column: whole numbers if all are, else numbers if all are, else names."""
    if classes is None or not set(texts) <= set(classes):
        for kind in (np.int64, np.float64):
            try:
                return np.array([kind(text) for text in texts])
            except (ValueError, OverflowError):
                continue
    return np.array(texts, dtype=np.str_)


def _at(index: int, places: Sequence[str]) -> str:
    return f"in {places[index]}" if places else f"at index {index}"


def _numbers_of(names: NDArray[np.str_], classes: tuple[str, ...] | None, what: str, places: Sequence[str]) -> Array:
    present = np.unique(names).tolist()
    if classes is None:
        shown = ", ".join(legible(name, 40) for name in present[:3])
        _refuse(
            what,
            f"it holds names ({shown}, ...), and nothing says which output of the model each one is",
            'list them in the card in the order of the model\'s outputs: "classes": [...]',
        )
    number = {name: index for index, name in enumerate(classes)}
    unknown = [name for name in present if name not in number]
    if unknown:
        shown = ", ".join(legible(name, 40) for name in unknown[:5])
        first = int(np.argmax(~np.isin(names, classes)))
        _refuse(
            what,
            f"{len(unknown)} of its {len(present)} classes are not among the card's {len(classes)}: {shown}; the "
            f"first is {_at(first, places)}",
            "correct the spelling, or add them to `classes` in the card in the order of the model's outputs",
        )
    return np.array([number[name] for name in names.tolist()], dtype=np.int64)


def _check_range(numbers: Array, classes: tuple[str, ...] | None, what: str, places: Sequence[str]) -> None:
    if classes is None or not numbers.size:
        return
    bad = (numbers < 0) | (numbers >= len(classes))
    if bad.any():
        first = int(np.argmax(bad))
        _refuse(
            what,
            f"{int(bad.sum())} labels lie outside the {len(classes)} classes of the card, the first is "
            f"{int(numbers[first])} {_at(first, places)}",
            "number classes from 0, or correct `classes` in the card",
            count=int(bad.sum()),
            first=first,
        )


def _refuse(what: str, why: str, do: str, **facts: object) -> NoReturn:
    raise Refused.because(Code.DATA_INVALID, what, why, do, **facts)
