"""The samples of a CSV, JSONL or Parquet file with a column of text, tokenised by a `tokenizers` file beside it."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.card import Card, TensorInput
from edgewright.tools.datasets.entry import MOST_ENTRIES, Opened, open_file_under_roots
from edgewright.tools.datasets.folders import Line, labels_in, refuse_file, rows_of
from edgewright.tools.datasets.read_parquet import parquet_rows
from edgewright.tools.datasets.samples import Block, Samples, parts_of
from edgewright.tools.datasets.sources import Text
from edgewright.tools.extras import load
from edgewright.tools.legible import legible

ARRAYS = ("ids", "mask", "types")
FILE_LIMIT_BYTES = 1 << 30
TOKENIZER_LIMIT_BYTES = 64 << 20
BATCH = 256


def read_text(data: Opened, card: Card, text: Text, roots: tuple[str, ...]) -> tuple[Card, Samples]:
    """Return the card, with the tokenizer's digest, and the lines of a text file as arrays of tokens.

    Raises:
        Refused: MISSING_EXTRA without tokenizers, CARD_INVALID for a card that is none for text, DATA_INVALID with file
            and line, DATA_EMPTY, or what the tokenizer's path is refused for.
    """
    _check_inputs(card)
    with open_file_under_roots(str(PurePosixPath(data.path).parent / text.tokenizer), roots) as opened:
        content = opened.read(TOKENIZER_LIMIT_BYTES)
        tokenizer = _tokenizer(content, opened.path, text.length)
    lines = _lines(data, card, text)
    if not lines:
        raise Refused.because(Code.DATA_EMPTY, f"the data {data.path}", "it holds 0 lines", "store at least one")
    where = f"the labels in {legible(data.path, 300)}"
    labels = None if card.label is None else labels_in(lines, card, where)
    texts = [line.text for line in lines]

    def blocks() -> Iterator[Block]:
        for start in range(0, len(texts), BATCH):
            made = tokenizer.encode_batch(texts[start : start + BATCH])
            parts = zip(*((one.ids, one.attention_mask, one.type_ids) for one in made), strict=True)
            yield {name: np.array(part, np.int64) for name, part in zip(ARRAYS, parts, strict=True)}

    known = text.model_copy(update={"sha256": hashlib.sha256(content).hexdigest()})
    return card.model_copy(update={"text": known}), Samples(
        len(texts), labels, card.classes, lambda: parts_of(blocks())
    )


def _check_inputs(card: Card) -> None:
    for name, entry in card.inputs.items():
        if not isinstance(entry, TensorInput) or entry.array not in ARRAYS:
            raise Refused.because(
                Code.CARD_INVALID,
                f"inputs.{legible(name)} of the data card",
                f"the data is text, and it feeds inputs of the kind tensor from the arrays {', '.join(ARRAYS)}",
                'write "kind": "tensor", "array": "ids", "dtype": "int64"',
                "P9",
            )
    if card.label is not None and not isinstance(card.label, str):
        raise Refused.because(
            Code.CARD_INVALID,
            "the data card's label",
            "the labels of a text file lie in one of its own columns",
            'name that column: "label": "COLUMN"',
            "P9",
        )


def _tokenizer(content: bytes, path: str, length: int) -> Any:  # noqa: ANN401  (a library without types)
    library = load("tokenizers")
    try:
        tokenizer = library.Tokenizer.from_str(content.decode("utf-8"))
    except Exception as error:
        refuse_file(path, f"it is no tokenizer ({legible(str(error))})", "give a tokenizer.json of `tokenizers`")
    padding = tokenizer.padding or {}
    tokenizer.enable_truncation(length)
    kept = {key: padding[key] for key in ("pad_id", "pad_type_id", "pad_token", "direction") if key in padding}
    tokenizer.enable_padding(length=length, **kept)
    return tokenizer


def _lines(data: Opened, card: Card, text: Text) -> list[Line]:
    """Return the texts, and the labels as they are written."""
    columns = (text.column, card.label) if isinstance(card.label, str) else (text.column, text.column)
    if data.path.endswith(".parquet"):
        return parquet_rows(data, columns)
    if data.path.endswith(".csv"):
        return rows_of(data.path, data.read(FILE_LIMIT_BYTES), columns)
    lines = _json_lines(data.path, data.read(FILE_LIMIT_BYTES))
    return [_json_row(data.path, line, part, columns) for line, part in lines]


def _json_lines(path: str, content: bytes) -> list[tuple[int, bytes]]:
    lines = [(number, part) for number, part in enumerate(content.split(b"\n"), 1) if part.strip()]
    if len(lines) > MOST_ENTRIES:
        refuse_file(path, f"it holds more than {MOST_ENTRIES} lines", "split the set")
    return lines


def _json_row(path: str, line: int, part: bytes, columns: tuple[str, str]) -> Line:
    try:
        row = json.loads(part, parse_constant=lambda name: refuse_file(path, f"line {line} holds {name}", "correct it"))
    except (ValueError, RecursionError) as error:
        refuse_file(path, f"line {line} is no JSON ({legible(str(error))})", "write one JSON object a line, in UTF-8")
    missing = [
        name for name in columns if not isinstance(row, dict) or not isinstance(row.get(name), str | int | float)
    ]
    if missing or not isinstance(row[columns[0]], str):
        refuse_file(
            path,
            f"line {line} has no {'text' if not missing else 'value'} under '{legible((missing or columns)[0], 60)}'",
            "give every line the columns that the card names",
        )
    return Line(f"line {line}", row[columns[0]], str(row[columns[1]]))
