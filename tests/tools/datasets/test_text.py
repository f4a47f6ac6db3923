"""Text files: tokens by the tokenizer beside them, and a line for everything that is wrong."""

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from data_desk import Card, Desk
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from edgewright.state.errors import Code

VOCABULARY = {"[PAD]": 0, "[UNK]": 1, "good": 2, "bad": 3, "very": 4}
INPUTS = {name: {"kind": "tensor", "array": name, "dtype": "int64"} for name in ("ids", "mask")}
LINES = (("very good", "pos"), ("bad , very bad", "neg"), ("unheard", "neg"))


def card(**fields: object) -> Card:
    text = {"column": "text", "tokenizer": "tokenizer.json", "length": 3}
    return {"inputs": INPUTS, "text": text, "label": "mood", "classes": ["neg", "pos"], **fields}


def write_parquet(path: Path, **columns: Sequence[object]) -> None:
    pyarrow.parquet.write_table(pyarrow.table(columns), path, row_group_size=2)


def written(desk: Desk, suffix: str) -> Path:
    tokenizer = Tokenizer(WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(desk.root / "tokenizer.json"))
    path = desk.root / f"set.{suffix}"
    if suffix == "parquet":
        texts, moods = zip(*LINES, strict=True)
        write_parquet(path, text=texts, mood=moods)
    elif suffix == "csv":
        path.write_text("text,mood\n" + "".join(f'"{text}",{mood}\n' for text, mood in LINES))
    else:
        path.write_text("".join(json.dumps({"text": text, "mood": mood}) + "\n" for text, mood in LINES))
    return path


@pytest.mark.promise("P9")
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_lines_become_tokens_of_one_length(desk: Desk, suffix: str) -> None:
    data = desk.open(written(desk, suffix), card())
    assert data.inputs["ids"].batch(0, 3).tolist() == [[4, 2, 0], [3, 1, 4], [1, 0, 0]]
    assert data.inputs["mask"].batch(0, 3).tolist() == [[1, 1, 0], [1, 1, 1], [1, 0, 0]]
    assert data.labels is not None
    assert data.labels.batch(0, 3).tolist() == [1, 0, 0]
    assert data.dataset.classes == {"neg": 2, "pos": 1}


@pytest.mark.promise("P9")
def test_the_tokenizer_belongs_to_the_preprocessing(desk: Desk) -> None:
    path = written(desk, "csv")
    first = desk.open(path, card())
    digest = hashlib.sha256((desk.root / "tokenizer.json").read_bytes()).hexdigest()
    assert first.card.text is not None
    assert first.card.text.sha256 == digest
    content = (desk.root / "tokenizer.json").read_text()
    (desk.root / "tokenizer.json").write_text(content + "\n")
    assert desk.prepare(path, card()).preprocessing != first.dataset.preprocessing


def test_the_card_beside_a_text_file_has_its_name(desk: Desk) -> None:
    path = written(desk, "jsonl")
    (desk.root / "set.card.json").write_text(json.dumps(card()))
    assert desk.prepare(path, None).n == 3


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"text": "good"}', "line 2 has no value under 'mood'"),
        ('{"text": 3, "mood": "pos"}', "line 2 has no text under 'text'"),
        ('{"text": "good", "mood": NaN}', "line 2 holds NaN"),
        ('{"text": "good", "mood": "pos"', "line 2 is no JSON"),
        ('["good", "pos"]', "line 2 has no value"),
        ('{"text": "good", "mood": "meh"}', "classes are not among the card's 2: meh"),
    ],
)
def test_what_is_wrong_with_a_line_is_refused_with_its_number(desk: Desk, line: str, said: str) -> None:
    path = written(desk, "jsonl")
    path.write_text(f'{{"text": "good", "mood": "pos"}}\n{line}\n')
    refusal = desk.refusal(path, card())
    assert (refusal.code, said in refusal.why) == (Code.DATA_INVALID, True)


@pytest.mark.parametrize("content", ["", "{}", '{"model": {"type": "Imagined"}}'])
def test_a_file_that_is_no_tokenizer_is_refused(desk: Desk, content: str) -> None:
    path = written(desk, "csv")
    (desk.root / "tokenizer.json").write_text(content)
    refusal = desk.refusal(path, card())
    assert (refusal.code, "tokenizer.json" in refusal.what) == (Code.DATA_INVALID, True)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"text": None}, "does not say how its lines are tokenised"),
        ({"inputs": {"x": {"kind": "image"}}}, "the data is text"),
        ({"label": {"csv": "a.csv", "file": "f", "label": "l"}}, "in one of its own columns"),
        ({"text": {"column": "words", "tokenizer": "tokenizer.json", "length": 3}}, "names the column 'words' 0 times"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(desk: Desk, fields: dict[str, Any], said: str) -> None:
    assert said in desk.refusal(written(desk, "csv"), card(**fields)).why


def test_transcripts_are_kept_as_code_points(desk: Desk) -> None:
    (desk.root / "lines.csv").write_text("text,said\ngood,été\nbad,7\n")
    written(desk, "csv")
    decoder = {"kind": "ctc", "alphabet": "ét7"}
    data = desk.open(desk.root / "lines.csv", card(label="said", classes=None, decoder=decoder))
    assert data.labels is not None
    assert ["".join(map(chr, data.labels[row])) for row in range(2)] == ["été", "7"]
    assert "first labels: 'été', '7'" in data.dataset.echo
    arrays = desk.npz(ids=np.zeros((2, 3), np.int64), mask=np.zeros((2, 3), np.int64), said=np.array(["été", "7"]))
    other = desk.open(arrays, card(text=None, label="said", classes=None, decoder=decoder))
    assert other.labels is not None
    assert other.labels[0].tolist() == data.labels[0].tolist()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"text": ["good", None], "mood": ["pos", "neg"]}, "row 2 has nothing in 'text'"),
        ({"text": ["good", "bad"], "mood": ["pos", None]}, "row 2 has nothing in 'mood'"),
        ({"text": [1, 2], "mood": ["pos", "neg"]}, "its column 'text' holds int64, not text"),
        ({"text": ["good"], "mood": [["pos"]]}, "its column 'mood' holds list"),
        ({"text": ["good"], "sad": ["pos"]}, "it has the column 'mood' 0 times; it holds text, sad"),
        ({"text": ["good", "bad"], "mood": ["pos", "sad"]}, "the card's 2: sad; the first is in row 2"),
    ],
)
def test_what_is_wrong_in_a_parquet_file_is_refused_with_its_row(
    desk: Desk, columns: dict[str, list[Any]], said: str
) -> None:
    write_parquet(written(desk, "parquet"), **columns)
    refusal = desk.refusal(desk.root / "set.parquet", card())
    assert (refusal.code, said in refusal.why, "set.parquet" in refusal.what) == (Code.DATA_INVALID, True, True)


@pytest.mark.parametrize("cut", [0, 3, 200])
def test_a_damaged_parquet_file_is_refused(desk: Desk, cut: int) -> None:
    path = written(desk, "parquet")
    path.write_bytes(path.read_bytes()[:cut])
    assert "it cannot be read as Parquet" in desk.refusal(path, card()).why


def test_a_parquet_file_that_unpacks_to_more_than_allowed_is_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgewright.tools.datasets.read_parquet.LIMIT_BYTES", 10_000)
    path = written(desk, "parquet")
    write_parquet(path, text=[("good " * 9000)], mood=["pos"])
    assert path.stat().st_size < 10_000
    assert "more than 10000" in desk.refusal(path, card()).why


def test_without_pyarrow_a_parquet_file_is_answered_with_the_line_that_installs_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(desk, "parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refusal = desk.refusal(path, card())
    assert (refusal.code, refusal.facts["install"]) == (Code.MISSING_EXTRA, "pip install 'edgewright[parquet]'")


@pytest.mark.parametrize(
    ("label", "said"),
    [("sad", "the card's 2: sad; the first is in line 4"), ("nan", "1 of 3 labels are NaN or infinite, the first in")],
)
def test_a_wrong_label_is_refused_with_its_line(desk: Desk, label: str, said: str) -> None:
    written(desk, "csv")
    numbers = label == "nan"
    rows = ("1", "0", label) if numbers else ("pos", "neg", label)
    (desk.root / "set.csv").write_text("text,mood\n" + "".join(f"good,{mood}\n" for mood in rows))
    refusal = desk.refusal(desk.root / "set.csv", card(classes=None) if numbers else card())
    assert (said in refusal.why, "set.csv" in refusal.what) == (True, True)
    assert "line 4" in refusal.why
