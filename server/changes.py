"""Change notices: whoever watches `model-opt-state://{run}` is told, in both protocol eras.

2026-07-28 clients listen through the subscription bus. Earlier ones call `resources/subscribe`, which the SDK's
high-level server does not serve; it is added through the low-level one here.
"""

from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated
from mcp.types import EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

RequestContext = ServerRequestContext[Any, Any]
STATE_URI = "model-opt-state://{run}"


class Changes:
    """The watchers of one server.

    Attributes:
        bus: Where 2026-07-28 clients listen.
    """

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self._watched: dict[Connection, set[str]] = {}

    def serve_earlier_era(self, server: MCPServer[Any]) -> None:
        """Serve `resources/subscribe` and `resources/unsubscribe` on this server."""
        low = server._lowlevel_server  # noqa: SLF001 - the SDK has no public way to serve resources/subscribe
        low.add_request_handler("resources/subscribe", SubscribeRequestParams, self._subscribe)
        low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, self._unsubscribe)

    async def announce(self, run: str) -> None:
        """Tell every watcher that a run has changed, even where the call that changed it is being cancelled."""
        uri = STATE_URI.format(run=run)
        with anyio.CancelScope(shield=True):
            await self.bus.publish(ResourceUpdated(uri=uri))
            for connection in [c for c, watched in self._watched.items() if uri in watched]:
                await connection.notify("notifications/resources/updated", {"uri": uri})

    async def _subscribe(self, context: RequestContext, params: SubscribeRequestParams) -> EmptyResult:
        connection = _connection(context)
        if connection not in self._watched:
            self._watched[connection] = set()
            connection.exit_stack.callback(self._watched.pop, connection, None)
        self._watched[connection].add(str(params.uri))
        return EmptyResult()

    async def _unsubscribe(self, context: RequestContext, params: UnsubscribeRequestParams) -> EmptyResult:
        self._watched.get(_connection(context), set()).discard(str(params.uri))
        return EmptyResult()


def _connection(context: RequestContext) -> Connection:
    """Return what lives as long as the client; the session is made anew for each request."""
    return context.session._connection  # noqa: SLF001 - nothing public identifies the client across requests
