"""Agents: anything that gets a task and a client, and makes calls until it thinks it is done."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from edgewright.server.evaluation.counted import CountedClient
from edgewright.state.errors import EdgewrightError

STEPS_AT_MOST = 80


@dataclass(frozen=True)
class Task:
    """What an agent is asked for.

    Attributes:
        about: The task in words.
        arguments: Those of `profile_model`, which only its caller knows.
    """

    about: str
    arguments: dict[str, Any]


Agent = Callable[[Task, CountedClient], Awaitable[None]]


async def follower(task: Task, client: CountedClient) -> None:
    """Profile the model, then make the call that each answer names first, until one leads nowhere new."""
    await follow(await client.call("profile_model", task.arguments), client)


async def follow(answer: dict[str, Any], client: CountedClient) -> bool:
    """Follow `next`; return whether that came to an end: nothing left to do, or data needed that only a person has."""
    for _ in range(STEPS_AT_MOST):
        if not answer.get("next"):
            return True
        call = answer["next"][0]
        if _asks_caller(call["arguments"]):
            return True
        following = await client.call(call["tool"], call["arguments"])
        if call["tool"] == "get_state" and following.get("next", [call])[0] == call:
            return True
        answer = following
    return False


def _asks_caller(arguments: dict[str, Any]) -> bool:
    return any(isinstance(value, str) and value.startswith("<") for value in arguments.values())


def agent_named(name: str) -> Agent:
    """Return an agent: `follower`, or what `package.module:function` names; the folder of the call is searched first.

    Raises:
        EdgewrightError: If there is none.
    """
    if name == "follower":
        return follower
    module, _, function = name.partition(":")
    if (here := str(Path.cwd())) not in sys.path:  # an installed command does not look there by itself
        sys.path.insert(0, here)
    try:
        agent: Agent = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise EdgewrightError(f"no agent {name!r} ({error}); name one as package.module:function") from error
    return agent
