"""Text files: tokens by the tokenizer beside them, and a line for everything that is wrong."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
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


def written(desk: Desk, suffix: str) -> Path:
    tokenizer = Tokenizer(WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(desk.root / "tokenizer.json"))
    path = desk.root / f"set.{suffix}"
    if suffix == "csv":
        path.write_text("text,mood\n" + "".join(f'"{text}",{mood}\n' for text, mood in LINES))
    else:
        path.write_text("".join(json.dumps({"text": text, "mood": mood}) + "\n" for text, mood in LINES))
    return path


@pytest.mark.promise("P9")
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
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
