"""What a person may type: clients complete the arguments of prompts and addresses from here."""

from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from edgewright.server.house import House
from edgewright.state.artifacts import Device

VALUES_AT_MOST = 100  # MCP, completion/complete: a reply carries no more


def add_completions(server: MCPServer[Any], house: House) -> None:
    """Add the completions: devices for the prompt, run handles for the state's addresses."""

    def runs() -> list[str]:
        with house.ledger.read() as look:
            return look.runs()

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]  # the SDK leaves it untyped
    async def complete(
        ref: PromptReference | ResourceTemplateReference, argument: CompletionArgument, _: CompletionContext | None
    ) -> Completion | None:
        match ref, argument.name:
            case PromptReference(name="optimize_model"), "target_device":
                known = [str(device) for device in Device]
            case ResourceTemplateReference(), "run":
                known = await anyio.to_thread.run_sync(runs)
            case _:
                return None
        values = [name for name in known if name.startswith(argument.value)]
        return Completion(values=values[:VALUES_AT_MOST], total=len(values), has_more=len(values) > VALUES_AT_MOST)
