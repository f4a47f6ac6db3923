"""What a person accepts out of band lets exactly that through, and is in the package for whoever verifies it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fragile_model import fragile
from mcp import Client
from workflow import Connect, demo_arguments, done, refused, small_demo

from edgewright.server.acceptances import draft, grant, pending, signed
from edgewright.server.house import House
from edgewright.server.settings import Settings
from edgewright.state.policy import Level
from edgewright.tools.authority.enrolment import Cost

pytestmark = pytest.mark.anyio

PASSPHRASE = "correct horse battery"


@pytest.fixture
def house(settings: Settings) -> House:
    """The state folder of the server under test, with a person enrolled."""
    opened = House.open(settings)
    opened.authority.enrol(PASSPHRASE, Cost(n=1 << 10))
    return opened


def accept(house: House, run: str) -> None:
    """Do what `edgewright approve` does once a person has typed the passphrase."""
    waiver = draft(*pending(house, run), Level.OUT_OF_BAND, approver="Ada", reason="a demo")
    grant(house, signed(waiver, house.authority, PASSPHRASE))


def verify(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgewright.server", "verify", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def package_in(reply: dict[str, Any]) -> Path:
    return Path(reply["summary"].split("Package written and run: ")[1].split(". ")[0])


@pytest.mark.promise("P3", "P4")
async def test_a_failing_candidate_is_kept_and_shipped_once_a_person_accepted_it_and_the_package_proves_that(
    connect: Connect, house: House, root: Path, tmp_path: Path
) -> None:
    async with connect() as client:
        run = (await done(client, "profile_model", **fragile(root), accuracy_tolerance=0.01))["run"]
        await done(client, "quantize", run=run, scheme="int8_dynamic")
        await done(client, "benchmark", run=run)
        held = await done(client, "validate", run=run)
        assert held["summary"].startswith("ON HOLD. FAIL: top-1 0.9850 against 1.0000")
        assert held["numbers"]["worst_classes"]
        assert [call["tool"] for call in held["next"]] == ["decide", "quantize"]
        assert f"edgewright approve {run}" in str(held)
        assert (await refused(client, "decide", run=run, decision="keep"))["code"] == "ACCURACY_BELOW_FLOOR"
        accept(house, run)
        assert (await done(client, "decide", run=run, decision="keep"))["phase"] == "OPTIMIZE"
        folder = package_in(await done(client, "package", run=run))
    pinned = tmp_path / "pinned"
    pinned.write_bytes(house.authority.allowed_signers.read_bytes())
    found = verify(folder, "--allowed-signers", str(pinned))
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("VERIFIED: signed by edgewright-server")
    assert "A person accepted (L2: given out of band behind a person's passphrase; Ada)" in found.stdout
    assert "Signed by edgewright-approver, whose key was pinned." in found.stdout
    assert verify(folder, "--allowed-signers", str(pinned), "--least-level", "L3").returncode == 1
    assert "**WAIVED**" in (folder / "report.md").read_text(encoding="utf-8")
    (folder / "report.md").write_text("all is well", encoding="utf-8")
    changed = verify(folder)
    assert changed.returncode == 1
    assert "NOT VERIFIED: report.md is not the file that was packaged" in changed.stderr


@pytest.mark.promise("P7")
async def test_an_unfit_calibration_set_is_used_once_a_person_accepted_what_was_found(
    connect: Connect, house: House, root: Path
) -> None:
    small_demo(root)
    with np.load(root / "calibration.npz") as data:
        doubled = {name: np.concatenate([data[name], data[name][:10]]) for name in data.files}
    np.savez(root / "calibration.npz", **doubled)
    async with connect() as client:
        run = (await done(client, "profile_model", **demo_arguments(root)))["run"]
        static = {"run": run, "scheme": "int8_static", "base": "original"}
        found = await refused(client, "quantize", **static)
        assert found["code"] == "CALIBRATION_UNFIT"
        assert "edgewright approve" in found["do"]
        accept(house, run)
        await quantized(client, static)
        await done(client, "decide", run=run, decision="revert")
        assert (await refused(client, "quantize", **static))["code"] == "CALIBRATION_UNFIT"


async def quantized(client: Client, static: dict[str, object]) -> None:
    made = await done(client, "quantize", **static)
    assert any(note.startswith("ACCEPTED BY A PERSON: ") for note in made["notes"])


@pytest.mark.promise("P8")
async def test_another_format_than_the_devices_is_packaged_once_a_person_accepted_it(
    connect: Connect, house: House, root: Path
) -> None:
    small_demo(root)
    async with connect() as client:
        arguments = demo_arguments(root, target_device="raspberry-pi-5", calibration=None)
        run = (await done(client, "profile_model", **arguments))["run"]
        assert (await refused(client, "package", run=run))["code"] == "FORMAT_DEVICE"
        accept(house, run)
        folder = package_in(await done(client, "package", run=run))
        assert (await refused(client, "package", run=run))["code"] == "FORMAT_DEVICE"
    found = verify(folder, "--allowed-signers", str(house.authority.allowed_signers))
    assert found.returncode == 0, found.stderr
    assert "a file of the format onnx instead of tflite" in found.stdout
