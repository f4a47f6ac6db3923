"""A candidate that brings no speed, through a real client: the reply says so, says why, and says what to do."""

from pathlib import Path

import pytest
from workflow import Connect, demo_arguments, done, small_demo

from edgewright.server.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.mark.promise("P6", "P10")
async def test_half_precision_on_a_processor_is_answered_with_ship_fp32_and_a_shortened_protocol_says_so(
    connect: Connect, settings: Settings, root: Path
) -> None:
    small_demo(root)
    async with connect(given=settings.model_copy(update={"sustained_s": 1.5})) as client:
        run = (await done(client, "profile_model", **demo_arguments(root, calibration=None)))["run"]
        await done(client, "quantize", run=run, scheme="fp16", base="original")
        reply = await done(client, "benchmark", run=run, protocol="sustained")
    assert "FP16 brings no speed here, and the cause cannot be mended: ship FP32" in reply["summary"]
    assert any("Its 16-bit weights are computed in FP32" in note and "Remedy: " in note for note in reply["notes"])
    assert any(" over 10 windows of " in note for note in reply["notes"]), reply["notes"]
    numbers = reply["numbers"]
    assert numbers["candidate_ms"]["protocol"] == "sustained (shortened by the operator to 1.5 s of 300 s)"
    assert min(numbers["throughput_per_s"], numbers["first_inference_ms"], numbers["load_ms"]) > 0
    assert 0 < numbers["above_runtime_mib"] < numbers["peak_memory_mib"]
