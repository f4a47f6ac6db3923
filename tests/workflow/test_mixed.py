"""The search for the fastest mix of 8 bits and float32, through a real client, on a model that 8 bits break."""

from pathlib import Path

import onnx
import pytest
from hardened_twin import harden
from workflow import Connect, demo_arguments, done

from edgewright.server.settings import Settings

pytestmark = pytest.mark.anyio


async def test_a_search(connect: Connect, settings: Settings, root: Path) -> None:
    async with connect() as client:
        run = (await done(client, "profile_model", **demo_arguments(root)))["run"]
        import json
        reply = await done(client, "quantize", run=run, scheme="int8_mixed", base="original")
        print(json.dumps(reply, indent=1))
        reply = await done(client, "benchmark", run=run)
        print(json.dumps(reply, indent=1))
        reply = await done(client, "validate", run=run)
        print(json.dumps(reply, indent=1))

async def test_a_twin(connect: Connect, settings: Settings, root: Path) -> None:
    path = root / "fashion_mnist_cnn.onnx"
    onnx.save(harden(onnx.load(path)), path)
    await test_a_search(connect, settings, root)
