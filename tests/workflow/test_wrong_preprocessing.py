"""A card that contradicts the model shows: a baseline near chance is answered with what other cards would give."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from workflow import Connect, demo_arguments, done, refused, small_demo

pytestmark = pytest.mark.anyio


def wrong_card(root: Path, **fields: object) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((root / "validation.card.json").read_text())
    inputs = {name: {**entry, **fields} for name, entry in card["inputs"].items()}
    return {"path": str(root / "validation.npz"), "card": {**card, "inputs": inputs}}


def figures(said: str) -> dict[str, float]:
    """Return what was tried, and what it gave."""
    listed = said.split("samples: ")[1].split("; ")
    return {name: float(value) for name, _, value in (part.rpartition(" ") for part in listed)}


@pytest.mark.promise("P1", "P9")
async def test_a_baseline_near_chance_is_answered_with_what_other_preprocessing_gives(
    connect: Connect, root: Path
) -> None:
    small_demo(root)
    async with connect() as client:
        raw = demo_arguments(root, validation=wrong_card(root, scale=1, mean=0, std=1), calibration=None)
        refusal = await refused(client, "profile_model", **raw)
        tried = figures(refusal["why"])
        assert refusal["code"] == "DATA_INVALID"
        assert tried["as the card says"] < 0.2
        assert tried["-1 to 1"] > 0.75
        # One mistake undone: better than chance, still far from what the model can do.
        scaled = demo_arguments(root, validation=wrong_card(root, mean=0, std=1), calibration=None)
        reply = await done(client, "profile_model", **scaled)
    warning = next(said for said in reply["warnings"] if said.startswith("data card: top-1"))
    assert "is near chance" in warning
    assert figures(warning) == {name: value for name, value in tried.items() if name != "0 to 1"} | {
        "as the card says": tried["0 to 1"],
        "0 to 255": tried["as the card says"],
    }


@pytest.mark.promise("P9", "P12")
async def test_what_the_model_says_of_its_preprocessing_is_proposed_compared_and_never_applied(
    connect: Connect, root: Path
) -> None:
    small_demo(root)
    card: dict[str, Any] = json.loads((root / "validation.card.json").read_text())
    (root / "validation.card.json").unlink()
    said = {"do_resize": False, "image_mean": [0.2860], "image_std": [0.3530]}
    (root / "preprocessor_config.json").write_text(json.dumps(said))
    async with connect() as client:
        refusal = await refused(client, "profile_model", **demo_arguments(root, calibration=None))
        assert (refusal["code"], len(refusal["numbers"]["proposals"])) == ("CARD_MISSING", 1)
        proposed = refusal["numbers"]["proposals"][0]["card"]
        labelled = {**proposed, "label": "label", "classes": card["classes"]}
        data = {"path": str(root / "validation.npz"), "card": labelled}
        reply = await done(client, "profile_model", **demo_arguments(root, validation=data, calibration=None))
        assert "top-1 0.9" in reply["summary"]
        assert not any(warning.startswith("preprocessing:") for warning in reply["warnings"])
        data["card"] |= {"inputs": {name: {**entry, "mean": 0.5} for name, entry in proposed["inputs"].items()}}
        other = await done(client, "profile_model", **demo_arguments(root, validation=data, calibration=None))
    (warning,) = (said for said in other["warnings"] if said.startswith("preprocessing:"))
    assert warning.endswith("mean [0.286], the card [0.5]")
    assert "mean of" not in other["summary"]


@pytest.mark.promise("P3", "P12")
async def test_labels_in_another_order_of_classes_are_answered_with_the_order_that_the_answers_speak_for(
    connect: Connect, root: Path
) -> None:
    small_demo(root)
    with np.load(root / "validation.npz") as data:
        arrays = {name: data[name] for name in data.files}
    arrays["label"] = (arrays["label"] + 3) % 10
    np.savez(root / "validation.npz", **arrays)
    async with connect() as client:
        refusal = await refused(client, "profile_model", **demo_arguments(root, calibration=None))
    assert refusal["code"] == "DATA_INVALID"
    assert "Numbered as the model seems to number its classes (T-shirt/top (0) as 7, Trouser (1) as 8" in refusal["why"]
    assert "top-1 is 0.9" in refusal["why"]
