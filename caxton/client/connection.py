"""What every part of the client stands on: one open session, one line to the supervisor, the names of agents."""

import asyncio
import os
import sys
import threading
import warnings
import weakref
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from caxton.agents.manifest import MAX_NAME, check_text
from caxton.client.session.forks import abandon_in_children
from caxton.client.session.session import Session
from caxton.client.supervisor_line import SupervisorLine
from caxton.errors import ConfigurationError, NetworkError, ValidationError
from caxton.ids import BROADCAST, AgentId, AgentNames
from caxton.transport.endpoints import RuntimeDir
from caxton.wire.answered import answered
from caxton.wire.calls import Request
from caxton.wire.supervision import OpenSession, SessionOpened, SupervisorRequest

A = TypeVar("A")

CALL_TIMEOUT_S = 10.0


class Connection:
    """One session with a runtime, for one event loop: opened by `async with`. An agent is named by its id or its name.

    Opening raises RuntimeNotFound. Use outside the block, in another loop (which is what other threads have) or in a
    child that was forked inside it raises ConfigurationError, and so does entering while it is open.
    """

    def __init__(self, runtime_dir: Path | str) -> None:
        self._runtime_dir = Path(runtime_dir).absolute()
        self._session: Session | None = None
        self._line: SupervisorLine | None = None
        self._names: AgentNames
        self._loop: asyncio.AbstractEventLoop | None = None
        # Held while somebody opens this or has it open: of two tasks or threads that enter, one does.
        self._entered = threading.Lock()
        # Ends what was never closed. Without it ZeroMQ's context would wait for ever for sockets that nobody closes.
        self._unclosed: weakref.finalize[[Session, SupervisorLine], Connection] | None = None
        # In a forked child: what the parent goes on with, kept untouched.
        self._of_parent: tuple[Session, SupervisorLine] | None = None

    async def __aenter__(self) -> Self:
        if not self._entered.acquire(blocking=False):
            raise self._not_open() if self._of_parent else _open_already()
        try:
            await self._enter()
        except BaseException:
            self._entered.release()
            raise
        return self

    async def _enter(self) -> None:
        self._loop = asyncio.get_running_loop()
        line = SupervisorLine(self._runtime_dir)
        try:
            opened = await _open_session(line)
            session = Session(RuntimeDir(self._runtime_dir), opened)
        except BaseException:
            line.close()
            raise
        self._session, self._line = session, line
        self._names = AgentNames(opened.naming_key)
        self._unclosed = weakref.finalize(self, _end_unclosed, session, line)
        abandon_in_children(self)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session; calls that wait get NetworkError. Closing twice is fine.

        In another thread than its loop's it is closed soon.
        """
        if self._unclosed is None or self._unclosed.detach() is None:
            return  # not open, or somebody else closes it
        session, self._session = self._session, None
        line, self._line = self._line, None
        if session is not None and line is not None:
            _end(session, line)
        self._entered.release()

    def abandon(self) -> None:
        """In a forked child: this client is the parent's, and no use here. Called by itself."""
        if self._session is None or self._line is None:
            return
        self._session.abandon()
        self._line.abandon()
        self._of_parent = self._session, self._line
        self._session = self._line = None
        if self._unclosed is not None:
            self._unclosed.detach()

    def id_of(self, agent: AgentId | int | str) -> AgentId:
        """Return the id of an agent that is named, or the id itself; whether there is such an agent is not asked.

        Raises ValidationError for what can be neither.
        """
        if type(agent) is AgentId:
            return agent
        if isinstance(agent, str):
            if self._session is None:
                raise self._not_open()
            check_text("agent", agent, MAX_NAME)
            return AgentId(self._names.id_of(agent))
        return _checked(agent)

    def _open(self) -> Session:
        if self._session is None:
            raise self._not_open()
        if _running_loop() is not self._loop:
            raise ConfigurationError(
                "client",
                "it was opened in another event loop",
                "open one in each loop, or hand coroutines to its loop with asyncio.run_coroutine_threadsafe",
            )
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

    async def _call(self, shard: int, request: Request, answer: type[A]) -> A:
        """Ask a shard."""
        return await self._open().call(shard, request, answer, CALL_TIMEOUT_S)

    async def _ask(self, question: SupervisorRequest, answer: type[A]) -> A:
        """Ask the supervisor."""
        return answered(await self._open_line().ask(question, CALL_TIMEOUT_S), answer, "the supervisor")


def _checked(agent: object) -> AgentId:
    if isinstance(agent, bool) or not isinstance(agent, int) or not 0 < agent <= BROADCAST:
        raise ValidationError("agent", f"{agent!r:.80} is neither an agent's id nor its name")
    return AgentId(agent)


async def _open_session(line: SupervisorLine) -> SessionOpened:
    program = Path(sys.argv[0]).name[:100] if sys.argv else ""
    opened = await line.ask(OpenSession(os.getpid(), program), CALL_TIMEOUT_S)
    return answered(opened, SessionOpened, "the supervisor")


def _open_already() -> ConfigurationError:
    return ConfigurationError(
        "client", "it is open already", "enter each client once; for another session connect again"
    )


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _end(session: Session, line: SupervisorLine) -> None:
    """Close a session and its line: in their loop if that runs, and here if it does not."""

    def close() -> None:
        session.close()
        line.tell(session.good_bye)
        line.close()

    loop = session.loop
    if loop.is_running() and loop is not _running_loop():
        loop.call_soon_threadsafe(close)
    else:
        close()


def _end_unclosed(session: Session, line: SupervisorLine) -> None:
    """End what a client has left that was collected, or is there at the interpreter's end, and was never closed."""
    if session.loop.is_running():  # perhaps in the midst of what we would close
        session.loop.call_soon_threadsafe(_end, session, line)
    else:
        _end(session, line)
    warnings.warn("a client was never closed; use `async with caxton.connect()`", ResourceWarning, stacklevel=2)
