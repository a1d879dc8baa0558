"""How a Python agent handles a message: which of its methods is meant, and where that runs."""

import asyncio
import contextvars
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Any

from caxton.acl.envelope import AUTOMATIC
from caxton.acl.message import Message
from caxton.acl.performative import Performative
from caxton.client.attached.turns import Delivered, Saved
from caxton.client.connection import Agent
from caxton.client.hosting.definition import Method
from caxton.client.hosting.kept_state import KeptState
from caxton.client.hosting.turn import Turn
from caxton.ids import AgentId

_log = logging.getLogger("caxton.client")
# What says that something was not understood, or came to nothing, is no question: answers to these would never end.
_ENDS = (Performative.NOT_UNDERSTOOD, Performative.FAILURE)


class Handling:
    """Handles the messages of one agent. threads: where its plain functions run. kept: what it keeps as its state.

    encoding: of the values that they return.
    """

    def __init__(
        self,
        name: str,
        methods: dict[Performative | None, Method],
        id_of: Callable[[Agent], AgentId],
        threads: Executor,
        kept: KeptState | None = None,
        encoding: str | None = None,
    ) -> None:
        self._encoding = encoding
        self._kept = kept
        self._name = name
        self._methods = methods
        self._id_of = id_of
        self._threads = threads
        self._understood = ", ".join(sorted(act.act for act in methods if act is not None))

    async def __call__(self, delivered: Delivered) -> object:
        """Handle one message; what the method raises is raised."""
        message = delivered.message
        method = self._methods.get(message.performative) or self._methods.get(None)
        if method is None:
            return self._not_understood(message)
        before = delivered.state
        turn = Turn(delivered, self._id_of, None if self._kept is None else self._kept.of(before))
        given = (message, turn) if method.takes_turn else (message,)
        said = await self._in_thread(method.call, given) if method.is_plain else method.call(*given)
        if hasattr(said, "__await__"):
            said = await said
        sent = turn.with_sent(said, self._encoding)
        if self._kept is None:
            return sent
        after = self._kept.written(turn.state)
        return sent if after == before else Saved(after, sent)

    async def _in_thread(self, call: Callable[..., Any], given: tuple[Any, ...]) -> Any:
        work = partial(contextvars.copy_context().run, call, *given)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _not_understood(self, message: Message) -> list[Message] | None:
        """Return the answer to an act for which there is no method (SC00037J, "Not Understood")."""
        act = message.performative.act
        if message.performative in _ENDS or message.envelope.flags & AUTOMATIC:
            error = message.failure()
            told = "" if error is None else f": {error}"
            _log.warning("agent %r has no method for a %s, from %s%s", self._name, act, message.sender, told)
            return None
        text = f"{self._name} does not understand {act}; it understands {self._understood}"
        return [message.reply(text.encode(), performative=Performative.NOT_UNDERSTOOD)]
