"""The usual mistakes of preprocessing, each undone on what was prepared: the same numbers as from the start."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import run_builder as build
from data_desk import Desk, scenes

from edgewright.state.evidence import Accuracy, Direction
from edgewright.tools.profile import suspects
from edgewright.tools.workspace import Workspace

GIVEN = {"kind": "image", "array": "image", "scale": 1 / 255, "mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]}


@pytest.mark.promise("P9")
@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("0 to 255", {"scale": 1.0, "mean": 0.0, "std": 1.0}),
        ("0 to 1", {"mean": 0.0, "std": 1.0}),
        ("-1 to 1", {"mean": 0.5, "std": 0.5}),
        ("0 to 1 with ImageNet's mean and std", {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}),
        ("BGR instead of RGB", {"colour": "BGR"}),
        ("NHWC instead of NCHW", {"layout": "NHWC"}),
    ],
)
def test_each_variant_is_what_its_own_card_would_have_prepared(
    desk: Desk, name: str, fields: Mapping[str, object]
) -> None:
    path = desk.npz(image=scenes(6, channels=3))
    data = desk.open(path, {"inputs": {"x": GIVEN}})
    card = dict(suspects._cards(data.dataset))[name]
    aside = Workspace(desk.workspace.folder, desk.workspace.objects)
    made = suspects._varied(data, card, aside)[1].inputs["x"]
    expected = desk.open(path, {"inputs": {"x": {**GIVEN, **fields}}}).inputs["x"]
    np.testing.assert_array_equal(made.batch(0, 6), expected.batch(0, 6))


def test_nothing_that_was_tried_is_kept(desk: Desk) -> None:
    data = desk.open(desk.npz(image=scenes(6, channels=3)), {"inputs": {"x": GIVEN}})
    before = desk.workspace.new_files
    aside = Workspace(desk.workspace.folder, desk.workspace.objects)
    suspects._varied(data, dict(suspects._cards(data.dataset))["0 to 1"], aside)
    assert desk.workspace.new_files == before
    assert aside.new_files


@pytest.mark.parametrize(
    ("metric", "direction", "value", "chance", "near"),
    [
        ("top-1", Direction.HIGHER, 0.3, 0.1, True),
        ("top-1", Direction.HIGHER, 0.35, 0.1, False),
        ("cer", Direction.LOWER, 0.8, 1.0, True),
        ("cer", Direction.LOWER, 0.7, 1.0, False),
    ],
)
def test_near_chance_is_less_than_a_quarter_of_the_way_to_a_perfect_model(
    metric: str, direction: Direction, value: float, chance: float, *, near: bool
) -> None:
    measured = replace(build.accuracy(build.ORIGINAL, value), metric=metric, direction=direction)
    shuffled: Accuracy = replace(measured, value=chance)
    assert suspects.is_near_chance(measured, shuffled) is near
