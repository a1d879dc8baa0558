"""What every part of a client on another machine stands on: a line to a gateway, in place of one to a runtime."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar
from urllib.parse import quote

import msgspec

from caxton.agents.names import normal_name
from caxton.client.connection import Agent, Connection
from caxton.errors import AgentNotFound, ConfigurationError, ParseError, Unsupported
from caxton.forms.agent_form import AgentForm
from caxton.ids import AgentId, ConversationId, SecretUuidSource
from caxton.remote.address import Address
from caxton.remote.http_line import HttpLine
from caxton.remote.inbox import RemoteInbox
from caxton.remote.pages import Cursor
from caxton.wire.calls import AgentView

A = TypeVar("A")
T = TypeVar("T")

PAGE = 500
# Names whose ids are remembered: only the runtime can tell them.
MOST_NAMES = 10_000
# In place of the id of an agent that is named: its message carries the name, and no id.
NAMED = AgentId(1)


class AgentPage(msgspec.Struct, frozen=True):
    """A page of agents, and what to give as `after` for the next."""

    agents: list[AgentForm]
    next: str | None


class RemoteConnection(Connection):
    """Opened by `async with`, for one event loop; calls that this class and those below it do not have are local ones.

    Opening asks nothing: who is not there, or lets nobody in, is told by the first call.
    """

    def __init__(self, address: Address) -> None:
        super().__init__("/")  # which nothing here looks at
        self._address = address
        # Until it is closed; and until the block ends, which hangs up.
        self._line: HttpLine | None = None
        self._entered_line: HttpLine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: asyncio.TaskGroup
        self._inbox: RemoteInbox | None = None
        self._reading: asyncio.Task[None] | None = None
        self._names: OrderedDict[str, AgentId] = OrderedDict()

    async def __aenter__(self) -> Self:
        if self._entered_line is not None:
            raise ConfigurationError("client", "it is open already", "enter each client once; connect again")
        self._line = self._entered_line = HttpLine(self._address)
        self._loop = asyncio.get_running_loop()
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        line, self._entered_line = self._entered_line, None
        self.close()
        if line is not None:
            await self._tasks.__aexit__(None, None, None)
            await line.close()

    def close(self) -> None:
        """Ask nothing more. The end of the block hangs up. Closing twice is fine."""
        self._line = None
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        if self._inbox is not None:
            self._inbox.close()
            self._inbox = None

    def id_of(self, agent: Agent) -> AgentId:
        """Return the id of an agent. That of a name is known from when the agent was inspected, listed or deployed.

        Raises ValidationError for what can be none, Unsupported for a name that was not told yet.
        """
        found, name = self._meant(agent)
        if found == NAMED and name is not None:
            raise Unsupported(
                f"the id of the name {name!r}, from another machine", "inspect the agent first: only the runtime knows"
            )
        return found

    def _meant(self, agent: Agent) -> tuple[AgentId, str | None]:
        if not isinstance(agent, str):
            return super()._meant(agent)
        name = normal_name("agent", agent)
        return self._names.get(name, NAMED), name

    def _known(self, view: AgentView) -> AgentView:
        """Remember an agent's id."""
        self._names[view.name] = view.id
        self._names.move_to_end(view.name)
        if len(self._names) > MOST_NAMES:
            self._names.popitem(last=False)
        return view

    def _new_conversation(self) -> ConversationId:
        """Return the id of a conversation that nobody has; it says nothing of who opens it."""
        return ConversationId(SecretUuidSource(time.time_ns() // 1_000_000).next())

    def _gateway(self) -> HttpLine:
        line = self._line
        if line is None:
            raise ConfigurationError("client", "it is not open", "use it inside `async with caxton.connect(url) as c:`")
        if asyncio.get_running_loop() is not self._loop:
            raise ConfigurationError("client", "it was opened in another event loop", "open one in each loop")
        return line

    def _open(self) -> NoReturn:
        """Refuse what is only possible where the runtime serves."""
        self._gateway()
        raise _only_there()

    def _reach(self) -> NoReturn:
        """Refuse the same."""
        self._gateway()
        raise _only_there()

    async def _path(self, agent: Agent) -> str:
        """Return the path of an agent. A name that no path can hold is looked up; raises AgentNotFound."""
        if not isinstance(agent, str):
            return f"/v1/agents/{super().id_of(agent)}"
        name = normal_name("agent", agent)
        if "/" in name or name in {".", ".."} or _is_id(name):
            return f"/v1/agents/{(await self._called(name)).id}"
        return f"/v1/agents/{quote(name, safe='')}"

    async def _called(self, name: str) -> AgentView:
        async for view in self._agent_pages({"name": name}):
            if view.name == name:
                return view
        raise AgentNotFound(name)

    async def _agent_pages(
        self, params: Mapping[str, Any], page: int = PAGE, after: str = ""
    ) -> AsyncIterator[AgentView]:
        cursor, more = Cursor(self._address.url, after or None), True
        while more:
            asked = {**params, "limit": page, "after": cursor.after}
            found = await self._gateway().get("/v1/agents", AgentPage, asked)
            for form in found.agents:
                yield self._known(form.view())
            more = cursor.turn(len(found.agents), found.next)


def _only_there() -> Unsupported:
    return Unsupported(
        "this call from another machine", "make it where the runtime serves, without --url and CAXTON_URL"
    )


def _is_id(text: str) -> bool:
    try:
        AgentId.parse(text)
    except ParseError:
        return False
    return True
