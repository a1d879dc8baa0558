"""What every part of the client stands on: one open session, one line to the supervisor, the names of agents."""

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from caxton.client.session.forks import abandon_in_children
from caxton.client.session.session import Session
from caxton.client.supervisor_line import SupervisorLine
from caxton.errors import ConfigurationError, NetworkError
from caxton.ids import AgentId, AgentNames
from caxton.transport.endpoints import RuntimeDir
from caxton.wire.calls import Request, Result
from caxton.wire.supervision import OpenSession, SessionOpened, SupervisorRequest, SupervisorResult

CALL_TIMEOUT_S = 10.0


class Connection:
    """One session with a runtime, for one event loop: opened by `async with`. An agent is named by its id or its name.

    Opening raises RuntimeNotFound; use outside the block, or in a child that was forked inside it, raises
    ConfigurationError.
    """

    def __init__(self, runtime_dir: Path) -> None:
        self._runtime_dir = runtime_dir.absolute()
        self._session: Session | None = None
        self._line: SupervisorLine | None = None
        self._names: AgentNames
        # In a forked child: what the parent goes on with, kept untouched.
        self._of_parent: tuple[Session, SupervisorLine] | None = None

    async def __aenter__(self) -> Self:
        line = SupervisorLine(self._runtime_dir)
        try:
            opened = await _open_session(line)
            self._session = Session(RuntimeDir(self._runtime_dir), opened)
        except BaseException:
            line.close()
            raise
        self._line = line
        self._names = AgentNames(opened.naming_key)
        abandon_in_children(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session; calls that wait get NetworkError. Closing twice is fine."""
        session, self._session = self._session, None
        line, self._line = self._line, None
        if session is not None:
            session.close()
        if line is not None:
            line.close()

    def abandon(self) -> None:
        """In a forked child: this client is the parent's, and no use here. Called by itself."""
        if self._session is None or self._line is None:
            return
        self._session.abandon()
        self._line.abandon()
        self._of_parent = self._session, self._line
        self._session = self._line = None

    def id_of(self, agent: AgentId | int | str) -> AgentId:
        """Return the id of an agent that is named, or the id itself; whether there is such an agent is not asked."""
        if isinstance(agent, str):
            self._open()
            return AgentId(self._names.id_of(agent))
        return AgentId(agent)

    def _open(self) -> Session:
        if self._session is None:
            raise self._not_open()
        return self._session

    def _not_open(self) -> ConfigurationError:
        if self._of_parent is not None:
            return ConfigurationError("client", "it was opened before this process was forked", "connect again here")
        return ConfigurationError("client", "it is not open", "use it inside `async with caxton.connect() as client:`")

    def _open_line(self) -> SupervisorLine:
        self._open()
        if self._line is None:
            raise NetworkError("this client", "it was closed")
        return self._line

    async def _call(self, agent_id: AgentId, request: Request) -> Result:
        """Ask the shard of an agent."""
        session = self._open()
        return await session.call(session.table.shard_of(agent_id), request, CALL_TIMEOUT_S)

    async def _ask(self, question: SupervisorRequest) -> SupervisorResult:
        """Ask the supervisor."""
        return await self._open_line().ask(question, CALL_TIMEOUT_S)


async def _open_session(line: SupervisorLine) -> SessionOpened:
    program = Path(sys.argv[0]).name[:100] if sys.argv else ""
    opened = await line.ask(OpenSession(os.getpid(), program), CALL_TIMEOUT_S)
    if not isinstance(opened, SessionOpened):
        raise NetworkError("the supervisor", "it answered something else than a session")
    return opened
