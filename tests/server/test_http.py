"""The real server over HTTP: on loopback only, for whoever holds the token, unmoved by what else comes in."""

import json
import shutil
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx2
import psutil
import pytest
from faulty_models import never_ends
from http_process import LOOPBACK, HttpServer, http_server
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import SubscriptionLost
from mcp.types import ResourceUpdatedNotification
from workflow import content, demo_arguments, done, refused

from edgewright.server.catalog import CATALOG
from edgewright.server.http import token_of
from edgewright.state.errors import EdgewrightError

pytestmark = pytest.mark.anyio

DEMO = Path(__file__).parents[2] / "server" / "demo" / "fashion_mnist"
MIB = 1 << 20
NOTICE_S = 20
MCP_HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("http")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[HttpServer]:
    with http_server(folder / "state") as process:
        yield process


@asynccontextmanager
async def client_of(server: HttpServer, era: str = "auto", **options: Any) -> AsyncIterator[Client]:  # noqa: ANN401 - the client's own
    """Open a client that shows the token."""
    async with (
        httpx2.AsyncClient(headers=server.authorization, timeout=60) as http_client,
        Client(streamable_http_client(server.url, http_client=http_client), mode=era, **options) as client,
    ):
        yield client


def post(server: HttpServer, content: bytes, **headers: str) -> httpx2.Response:
    """Send a body with the token, unless the headers say otherwise."""
    return httpx2.post(server.url, content=content, headers={**MCP_HEADERS, **server.authorization, **headers})


@pytest.mark.parametrize(("era", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
async def test_a_client_with_the_token_is_served_in_both_eras(server: HttpServer, era: str, version: str) -> None:
    async with client_of(server, era) as client:
        assert client.protocol_version == version
        assert {tool.name for tool in (await client.list_tools()).tools} == set(CATALOG)
        assert (await done(client, "get_state"))["numbers"]["runs"] == []
        assert (await refused(client, "validate", run="run-1"))["code"] == "UNKNOWN_RUN"


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
async def test_watchers_of_both_eras_are_told_and_one_that_left_disturbs_nobody(tmp_path: Path) -> None:
    told, heard = anyio.create_memory_object_stream[str](10)

    async def on_message(message: object) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            told.send_nowait(str(message.params.uri))

    shutil.copytree(DEMO, tmp_path / "root")
    never_ends(tmp_path / "root" / "endless.onnx")
    with told, heard, http_server(tmp_path / "state", tmp_path / "root", wait_s=0) as server:
        async with client_of(server) as caller, client_of(server, "legacy", message_handler=on_message) as earlier:
            arguments = demo_arguments(tmp_path / "root", model_path=str(tmp_path / "root" / "endless.onnx"))
            started = content(await caller.call_tool("profile_model", arguments))
            uri = f"model-opt-state://{started['run']}"
            async with client_of(server, "legacy") as leaver:
                await leaver.subscribe_resource(uri)
            await earlier.subscribe_resource(uri)
            async with caller.listen(resource_subscriptions=[uri]) as updates:
                await caller.call_tool("cancel_job", {"job": started["job"]})
                with anyio.fail_after(NOTICE_S):
                    assert (await anext(aiter(updates))).uri == uri
                    assert await heard.receive() == uri


async def test_a_client_that_listens_does_not_keep_the_server_from_ending(tmp_path: Path) -> None:
    with http_server(tmp_path / "state") as server:
        async with client_of(server) as client:
            with suppress(SubscriptionLost):
                async with client.listen(resource_subscriptions=["model-opt-state://run-1"]) as updates:
                    psutil.Process(server.pid).terminate()
                    with anyio.fail_after(NOTICE_S):
                        assert [update async for update in updates] == []


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong", "Basic {token}", "{token}", "Bearer {token}x"]
)
def test_without_the_token_nothing_is_answered(server: HttpServer, authorization: str | None) -> None:
    headers = MCP_HEADERS if authorization is None else {**MCP_HEADERS, "Authorization": authorization}
    headers = {name: value.format(token=server.token) for name, value in headers.items()}
    for method in ("POST", "GET", "DELETE"):
        response = httpx2.request(method, server.url, content=json.dumps(INITIALIZE), headers=headers)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert server.token not in response.text


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Origin", "http://evil.example", 403),
        ("Origin", "null", 403),
        ("Origin", f"http://{LOOPBACK}:1", 403),
        ("Host", "evil.example", 421),
        ("Host", "evil.example:8931", 421),
        ("Host", LOOPBACK, 421),
    ],
)
def test_a_page_of_another_origin_or_a_rebound_name_gets_nothing_even_with_the_token(
    server: HttpServer, header: str, value: str, status: int
) -> None:
    assert post(server, json.dumps(INITIALIZE).encode(), **{header: value}).status_code == status


def test_a_body_of_five_mebibytes_is_refused_declared_or_not(server: HttpServer) -> None:
    body = json.dumps({**INITIALIZE, "padding": "x" * 5 * MIB}).encode()
    assert post(server, body).status_code == 413
    chunked = httpx2.post(
        server.url,
        content=(body[start : start + MIB] for start in range(0, len(body), MIB)),
        headers={**MCP_HEADERS, **server.authorization},
    )
    assert chunked.status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 100_000, id="deep array"),
        pytest.param(b'{"a":' * 100_000, id="deep object"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="deep array that closes"),
        pytest.param(b"[]", id="empty batch"),
        pytest.param(json.dumps([INITIALIZE] * 3).encode(), id="batch"),
        pytest.param(b'"text"', id="text"),
        pytest.param(b"\xff\xfe{", id="not UTF-8"),
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + b"9" * 10_000 + b"}", id="huge number"),
        pytest.param(b'{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}', id="id that is no id"),
    ],
)
def test_a_malformed_body_is_a_client_error_and_the_server_goes_on(server: HttpServer, body: bytes) -> None:
    assert 400 <= post(server, body).status_code < 500
    assert post(server, json.dumps(INITIALIZE).encode()).status_code == 200
    assert psutil.pid_exists(server.pid)


def test_a_deep_argument_is_refused_and_the_server_goes_on(server: HttpServer) -> None:
    deep = b'{"path":' * 20_000 + b"1" + b"}" * 20_000
    call = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"profile_model","arguments":{"validation":'
    assert post(server, call + deep + b"}}}").status_code < 500
    assert post(server, json.dumps(INITIALIZE).encode()).status_code == 200


def test_the_server_listens_on_loopback_alone(server: HttpServer) -> None:
    listening = [
        connection.laddr for connection in psutil.Process(server.pid).net_connections("all") if is_open(connection)
    ]
    assert listening == [(LOOPBACK, server.port)]


def is_open(connection: object) -> bool:
    return getattr(connection, "status", None) == psutil.CONN_LISTEN


def test_the_token_is_for_its_owner_alone_and_stays_the_same(folder: Path, server: HttpServer) -> None:
    token = folder / "state" / "http-token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert stat.S_IMODE(token.parent.stat().st_mode) == 0o700
    assert token_of(token.parent) == server.token
    assert len(server.token) >= 43


def test_a_token_that_others_can_read_stops_the_start(tmp_path: Path) -> None:
    token_of(tmp_path)
    (tmp_path / "http-token").chmod(0o640)
    with pytest.raises(EdgewrightError, match="may be read by others"):
        token_of(tmp_path)
