"""Change notices: whoever watches `model-opt-state://{run}` is told, in both protocol eras.

2026-07-28 clients listen through the subscription bus. Earlier ones call `resources/subscribe`, which the SDK's
high-level server does not serve; it is added through the low-level one here.
"""

import logging
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated
from mcp.types import EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

logger = logging.getLogger(__name__)

RequestContext = ServerRequestContext[Any, Any]
STATE_URI = "model-opt-state://{run}"


class Changes:
    """The watchers of one server.

    Attributes:
        bus: Where 2026-07-28 clients listen.
    """

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self._watchers: dict[str, set[ServerSession]] = {}

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
            for session in list(self._watchers.get(uri, ())):
                try:
                    await session.send_resource_updated(uri)
                except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                    logger.info("a watcher of %s went away", uri)
                    self._watchers[uri].discard(session)

    async def _subscribe(self, context: RequestContext, params: SubscribeRequestParams) -> EmptyResult:
        self._watchers.setdefault(str(params.uri), set()).add(context.session)
        return EmptyResult()

    async def _unsubscribe(self, context: RequestContext, params: UnsubscribeRequestParams) -> EmptyResult:
        self._watchers.get(str(params.uri), set()).discard(context.session)
        return EmptyResult()
