"""The operator's bounds can be tightened by a call, never loosened; a model that a run made takes its floor along."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from fragile_model import CLASSES, LOST_TO_EACH, fragile
from onnx import numpy_helper
from workflow import Connect, demo_arguments, done, refused, small_demo, state_of

from edgewright.server.settings import Settings
from edgewright.state.files import file_sha256

pytestmark = pytest.mark.anyio

TOLERANCE = 0.016
"""What the first run may lose: 1.5 % is inside."""


@pytest.mark.promise("P3", "P12")
async def test_a_tolerance_above_the_cap_is_refused_with_both_numbers_and_starts_no_run(
    connect: Connect, root: Path
) -> None:
    async with connect() as client:
        refusal = await refused(client, "profile_model", **demo_arguments(root, accuracy_tolerance=0.0201))
        assert refusal["code"] == "TOLERANCE_ABOVE_CAP"
        assert refusal["numbers"] == {"asked": 0.0201, "cap": 0.02}
        assert (await done(client, "get_state"))["numbers"]["runs"] == []


@pytest.mark.promise("P3", "P12")
async def test_a_metric_that_the_operator_left_out_is_refused_with_the_allowed_ones(
    connect: Connect, settings: Settings, root: Path
) -> None:
    async with connect(given=settings.model_copy(update={"metrics": ("f1",)})) as client:
        refusal = await refused(client, "profile_model", **demo_arguments(root))
        assert refusal["code"] == "METRIC_NOT_ALLOWED"
        assert refusal["numbers"] == {"asked": "top-1", "allowed": ["f1"]}
        overview = (await done(client, "get_state"))["numbers"]
        assert (overview["runs"], overview["metrics_allowed"]) == ([], ["f1"])


@pytest.mark.promise("P3", "P12")
async def test_a_validation_set_below_the_operators_least_size_is_refused_with_both_sizes(
    connect: Connect, root: Path
) -> None:
    small_demo(root, validation=199)
    async with connect() as client:
        refusal = await refused(client, "profile_model", **demo_arguments(root))
        assert refusal["code"] == "VALIDATION_TOO_SMALL"
        assert refusal["numbers"] == {"n": 199, "distinct": 199, "least": 200}
        assert (await state_of(client, refusal["run"]))["profiled"] is None


@dataclass(frozen=True)
class Descendant:
    """What a first run made.

    Attributes:
        run: Its handle.
        path: The candidate that it packaged, put among the models.
        original: SHA-256 of the model that it began with.
        arguments: Those of `profile_model` that it began with.
    """

    run: str
    path: Path
    original: str
    arguments: dict[str, object]


@pytest.fixture
async def descendant(connect: Connect, root: Path) -> Descendant:
    """A packaged candidate that lost 1.5 % under a tolerance of 1.6 %."""
    arguments = fragile(root)
    async with connect() as client:
        run = (await done(client, "profile_model", **arguments, accuracy_tolerance=TOLERANCE))["run"]
        for tool, given in (
            ("quantize", {"scheme": "int8_dynamic"}),
            ("benchmark", {}),
            ("validate", {}),
            ("decide", {"decision": "keep"}),
            ("package", {}),
        ):
            reply = await done(client, tool, run=run, **given)
    folder = Path(reply["summary"].split("Package written and run: ")[1].split(". ")[0])
    path = root / "carried.onnx"
    shutil.copyfile(next(folder.rglob("*.onnx")), path)
    return Descendant(run, path, file_sha256(root / "fragile.onnx"), arguments)


@pytest.mark.promise("P3")
async def test_what_a_run_made_keeps_the_first_floor_so_that_small_losses_do_not_add_up(
    connect: Connect, descendant: Descendant, root: Path
) -> None:
    await inherits_floor_and_tolerance(connect, descendant, asked=0.02, expected=TOLERANCE)

    # An edit changes the hash; the mark that Edgewright wrote into the file is still there.
    edited = replace(descendant, path=root / "edited.onnx")
    lose_as_much_again(descendant.path, edited.path)
    run = await inherits_floor_and_tolerance(connect, edited, asked=0.02, expected=TOLERANCE)
    # Nothing was done to it in its own run, and it is equal to its own baseline; the floor is the first one's.
    expected = {
        "metric": "top-1",
        "baseline": 1.0,
        "candidate": 0.97,
        "floor": 1 - TOLERANCE,
        "drop": 0.03,
        "tolerance": TOLERANCE,
        "n": 400,
    }
    numbers = await package_is_refused(connect, run)
    assert {name: numbers[name] for name in expected} == pytest.approx(expected)

    # What the first run was allowed to lose is more than this one allows.
    run = await inherits_floor_and_tolerance(connect, descendant, asked=0.01, expected=0.01)
    numbers = await package_is_refused(connect, run)
    assert (numbers["drop"], numbers["tolerance"]) == (pytest.approx(0.015), 0.01)


async def package_is_refused(connect: Connect, run: str) -> dict[str, Any]:
    """Return the numbers of the refusal."""
    async with connect() as client:
        refusal = await refused(client, "package", run=run)
    assert refusal["code"] == "ACCURACY_BELOW_FLOOR"
    numbers: dict[str, Any] = refusal["numbers"]
    return numbers


async def inherits_floor_and_tolerance(
    connect: Connect, descendant: Descendant, *, asked: float, expected: float
) -> str:
    """Profile the descendant anew; check what it inherits; return the run."""
    async with connect() as client:
        arguments = {**descendant.arguments, "model_path": str(descendant.path), "accuracy_tolerance": asked}
        reply = await done(client, "profile_model", **arguments)
        profiled: dict[str, Any] = (await state_of(client, reply["run"]))["profiled"]
    assert any(descendant.run in warning for warning in reply["warnings"])
    assert profiled["inherited_from"] == descendant.run
    assert profiled["root"]["sha256"] == descendant.original
    assert profiled["original"]["sha256"] == file_sha256(descendant.path)
    assert profiled["baseline"]["reference"]["artifact"] == descendant.original
    assert profiled["baseline"]["reference"]["value"] == 1.0
    assert profiled["tolerance"] == expected
    return str(reply["run"])


def lose_as_much_again(path: Path, edited: Path) -> None:
    """Write a copy without the weak features' weights in the convolution, and say so in a comment of the file."""
    model = onnx.load(path)
    kernel = next(tensor for tensor in model.graph.initializer if list(tensor.dims) == [CLASSES, 3 * CLASSES, 1])
    values = numpy_helper.to_array(kernel).copy()
    values[np.abs(values) < 0.01] = 0
    kernel.CopyFrom(numpy_helper.from_array(values, kernel.name))
    model.doc_string = f"loses {LOST_TO_EACH} samples more"
    onnx.save(model, edited)


@pytest.mark.promise("P3", "P12")
async def test_a_marked_model_whose_original_nobody_here_has_seen_is_refused(connect: Connect, root: Path) -> None:
    arguments = fragile(root)
    model = onnx.load(root / "fragile.onnx")
    mark = "ab" * 32
    entry = model.metadata_props.add()
    entry.key, entry.value = "edgewright.original", mark
    onnx.save(model, root / "fragile.onnx")
    async with connect() as client:
        refusal = await refused(client, "profile_model", **arguments)
        assert refusal["code"] == "LINEAGE_UNKNOWN"
        assert refusal["numbers"]["original"] == mark
        assert "original" in refusal["do"]
        assert (await state_of(client, refusal["run"]))["profiled"] is None
