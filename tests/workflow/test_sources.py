"""Models of frameworks through a real client, where no framework is installed: what is refused, and the way out."""

from pathlib import Path

import framework_files as files
import pytest
from workflow import Connect, demo_arguments, refused, small_demo

pytestmark = pytest.mark.anyio


@pytest.mark.promise("P12")
async def test_a_framework_that_is_missing_is_named_with_the_line_that_installs_it(
    connect: Connect, root: Path
) -> None:
    small_demo(root)
    files.write_zip(root / "net.keras", files.keras_members())
    files.write_zip(root / "net.pt2", files.pt2_members())
    async with connect() as client:
        for model, name in (("net.keras", "keras"), ("net.pt2", "torch")):
            refusal = await refused(client, "profile_model", **demo_arguments(root, model_path=str(root / model)))
            assert refusal["code"] == "MISSING_EXTRA"
            assert f"edgewright toolchain install {name}" in refusal["do"]
        overview = (await client.call_tool("get_state", {})).structured_content
    assert overview is not None
    assert overview["numbers"]["missing_extras"]["keras"] == "edgewright toolchain install keras"


@pytest.mark.promise("P5", "P12")
async def test_files_that_run_code_are_refused_before_a_framework_sees_them(connect: Connect, root: Path) -> None:
    small_demo(root)
    marker = root / "EXECUTED"
    files.write_zip(root / "lambda.keras", files.hostile_keras(marker)["a Lambda"])
    files.write_zip(root / "guards.pt2", files.hostile_pt2(marker)["conditions in Python"])
    for name, content in files.pickles(marker).items():
        (root / name).write_bytes(content)
    async with connect() as client:
        for name in ("lambda.keras", "guards.pt2", *files.pickles(marker)):
            refusal = await refused(client, "profile_model", **demo_arguments(root, model_path=str(root / name)))
            assert refusal["code"] == "MODEL_UNSUPPORTED"
            assert refusal["do"]
        assert "torch.export.save" in refusal["do"]
    assert not marker.exists()
