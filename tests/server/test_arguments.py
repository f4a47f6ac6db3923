"""Arguments that are not the tool's are refused in our own words, before anything else happens."""

import json
from pathlib import Path

import pytest
from mcp import Client
from workflow import Connect, demo_arguments, done, refused

from edgewright.server.catalog import CATALOG

pytestmark = pytest.mark.anyio


def nested(levels: int) -> dict[str, object]:
    """Return a dictionary in a dictionary, and so on."""
    return {"a": nested(levels - 1)} if levels else {}


LIST_BYTES = 38_500
DESCRIPTION_BYTES = 2_000


@pytest.mark.promise("P4", "P12")
@pytest.mark.parametrize("transport", ["memory", "stdio"])
@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_no_argument_carries_a_measurement_a_verdict_or_an_approval(
    connect: Connect, transport: str, era: str
) -> None:
    async with connect(transport, era) as client:
        for tool in sorted(set(CATALOG) - {"profile_model", "get_job", "cancel_job"}):
            for invented in ("latency_ms", "accuracy", "verdict", "approved", "waiver", "p95", "tolerance", "accept"):
                refusal = await refused(client, tool, run="run-1", **{invented: 1})
                assert refusal["code"] == "UNKNOWN_ARGUMENT", tool
                assert invented in refusal["refused"]


@pytest.mark.promise("P12")
@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"accuracy_tolerance": "0.5"}, "accuracy_tolerance"),
        ({"accuracy_tolerance": -0.1}, "accuracy_tolerance"),
        ({"target_device": "iphone"}, "target_device"),
        ({"metric": 5}, "metric"),
        ({"validation": {"path": "/a"}}, "validation"),
        ({"validation": ["/a"]}, "validation"),
        ({"latency_target_ms": 0}, "latency_target_ms"),
        ({"target": "-oProxyCommand=x"}, "target"),
        ({"model_path": "x" * 5000}, "model_path"),
        ({"model_path": None}, "model_path"),
        ({"model_path": "/a/\udc80.onnx"}, "model_path"),
        ({"validation": {"path": "/v.npz", "card": {"a": "\udc80"}}}, "surrogate"),
        ({"validation": {"path": "/v.npz", "card": nested(30)}}, "nested"),
        ({"validation": '{"path": "/v.npz", "card": ' + '{"a":' * 5000 + "1" + "}" * 5000 + "}"}, "validation"),
    ],
)
async def test_a_wrong_value_is_refused_with_the_field_and_starts_no_run(
    connect: Connect, root: Path, changed: dict[str, object], field: str
) -> None:
    async with connect() as client:
        refusal = await refused(client, "profile_model", **demo_arguments(root, **changed))
        assert refusal["code"] == "INVALID_ARGUMENT"
        assert field in refusal["why"]
        assert (await done(client, "get_state"))["numbers"]["runs"] == []


@pytest.mark.promise("P12")
async def test_an_unknown_run_and_an_unknown_job_are_refused_with_the_way_to_the_known_ones(connect: Connect) -> None:
    async with connect() as client:
        for tool, arguments in (
            ("benchmark", {"run": "run-nobody"}),
            ("get_state", {"run": "run-nobody"}),
            ("get_job", {"job": "job-0123456789abcdef"}),
            ("cancel_job", {"job": "job-0123456789abcdef"}),
        ):
            refusal = await refused(client, tool, **arguments)
            assert refusal["code"] in {"UNKNOWN_RUN", "UNKNOWN_JOB"}
            assert "get_state" in refusal["do"]
            assert refusal["next"][0]["tool"] == "get_state"


async def test_the_tool_list_is_small_and_every_description_survives_the_clients_cut(client: Client) -> None:
    tools = (await client.list_tools()).tools
    listed = json.dumps([tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools])
    assert len(listed.encode()) < LIST_BYTES
    for tool in tools:
        assert tool.description is not None
        assert len(tool.description.encode()) < DESCRIPTION_BYTES
        assert tool.input_schema["additionalProperties"] is False


async def test_the_schemas_are_those_that_were_reviewed(client: Client) -> None:
    """A change of schema is a change of contract: `tests/server/schemas/` must change with it, in the same commit."""
    folder = Path(__file__).parent / "schemas"
    published = {
        tool.name: tool.model_dump(mode="json", by_alias=True, exclude_none=True)
        for tool in (await client.list_tools()).tools
    }
    reviewed = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}
    assert published == reviewed


@pytest.fixture
async def client(connect: Connect):  # noqa: ANN201 - an async generator fixture
    async with connect() as opened:
        yield opened
