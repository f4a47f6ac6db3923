"""Without labels there is agreement with the original: called so, off by default, and no way around a floor (P3)."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from fragile_model import fragile
from workflow import Connect, done, refused, state_of

from edgewright.server.settings import Settings
from edgewright.state.store import Store

pytestmark = pytest.mark.anyio


def unlabelled(root: Path) -> dict[str, object]:
    """Write the fragile model with data that has no labels; return the arguments of `profile_model`."""
    arguments = fragile(root) | {"metric": "agreement-top-1"}
    for kind in ("validation", "calibration"):
        path = root / f"fragile-{kind}.npz"
        with np.load(path) as data:
            samples = data["x"]
        np.savez(path, x=samples)
        card = {"inputs": {"x": {"kind": "tensor", "array": "x"}}}
        (root / f"fragile-{kind}.card.json").write_text(json.dumps(card))
    return arguments


@pytest.mark.promise("P3", "P12")
async def test_agreement_is_no_floor_unless_the_operator_allows_it(connect: Connect, root: Path) -> None:
    async with connect() as client:
        refusal = await refused(client, "profile_model", **unlabelled(root))
        assert (refusal["code"], refusal["promises"]) == ("METRIC_NOT_ALLOWED", ["P3"])
        assert "agreement_as_floor" in refusal["do"]
        assert (await done(client, "get_state"))["numbers"]["runs"] == []


@pytest.mark.promise("P3")
async def test_allowed_agreement_is_measured_against_the_first_original(
    connect: Connect, settings: Settings, root: Path
) -> None:
    given = settings.model_copy(update={"agreement_as_floor": True})
    arguments = unlabelled(root)
    async with connect(given=given) as client:
        reply = await done(client, "profile_model", **arguments)
        run = reply["run"]
        assert "agreement-top-1 1.0000" in reply["summary"]
        await done(client, "quantize", run=run, scheme="int8_static", base="original")
        await done(client, "benchmark", run=run)
        numbers = (await done(client, "validate", run=run))["numbers"]
        # 3 % of the samples need weights that 8 bits round away.
        assert (numbers["verdict"], numbers["candidate"]) == ("FAIL", pytest.approx(0.97))
        made = (await state_of(client, run))["open_step"]["artifact"]["sha256"]
        shutil.copyfile(Store(given.state_folder / "objects").path(made), root / "again.onnx")
        # As the original of a new run it agrees with itself, and is still measured against the first one.
        reply = await done(client, "profile_model", **arguments | {"model_path": str(root / "again.onnx")})
        baseline = (await state_of(client, reply["run"]))["profiled"]["baseline"]
    assert baseline["accuracy"]["value"] == pytest.approx(0.97)
    assert baseline["reference"]["value"] == 1.0
