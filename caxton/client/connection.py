"""What every part of the client stands on: one line to a runtime, for one event loop, opened and closed once."""

import asyncio
import threading
import time
import warnings
import weakref
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias, TypeVar

from caxton.agents.names import normal_name
from caxton.client.routes.bid_room import BidRoom
from caxton.client.routes.tracing import Tracing
from caxton.client.runtime_line import RuntimeLine
from caxton.client.session.forks import abandon_in_children
from caxton.client.session.session import Session
from caxton.errors import ConfigurationError, ValidationError
from caxton.ids import BROADCAST, AgentId, ConversationId
from caxton.links.principals import checked_principal
from caxton.printable import shown
from caxton.wire.calls import AgentView, Request
from caxton.wire.supervision import SupervisorRequest

A = TypeVar("A")
# Whoever has one of these means an agent.
Agent: TypeAlias = AgentId | int | str | AgentView

CALL_TIMEOUT_S = 10.0


class Connection:
    """A line to a runtime, for one event loop: opened by `async with`.

    An agent is named by its id or its name, or by the `AgentView` that `agents` and `inspect` return of it.

    Opening raises RuntimeNotFound. Use outside the block, in another loop (which is what other threads have) or in a
    child that was forked inside it raises ConfigurationError, and so does entering while it is open.

    When the runtime ends and is started again, the client connects again by itself, unless reconnect is False. What was
    under way then is a NetworkError, because it may have happened; what has an idempotency key is sent again, and what
    had not left yet is sent. All else waits, each call for as long as its own timeout.

    principal: for whom it acts, "" for the user whose runtime it is. trace_sampling_ratio: of the traces that begin
    here, how many are sampled. See `caxton.connect`. bid_room: where the answers of its negotiations are kept, if it is
    no room of its own.
    """

    def __init__(
        self,
        runtime_dir: Path | str,
        *,
        reconnect: bool = True,
        principal: str = "",
        trace_sampling_ratio: float = 0.0,
        bid_room: BidRoom | None = None,
    ) -> None:
        self._runtime_dir = Path(runtime_dir).absolute()
        self._principal = checked_principal(principal)
        self._reconnect = reconnect
        self._tracing = Tracing(trace_sampling_ratio)
        self._bid_room = bid_room or BidRoom()
        self._runtime: RuntimeLine | None = None
        # Held while somebody opens this or has it open: of two tasks or threads that enter, one does.
        self._entered = threading.Lock()
        # Ends what was never closed. Without it ZeroMQ's context would wait for ever for sockets that nobody closes.
        self._unclosed: weakref.finalize[[RuntimeLine], Connection] | None = None
        # In a forked child: what the parent goes on with, kept untouched.
        self._of_parent: RuntimeLine | None = None

    async def __aenter__(self) -> Self:
        if not self._entered.acquire(blocking=False):
            raise self._not_open() if self._of_parent else _open_already()
        runtime = None
        try:
            runtime = RuntimeLine(self._runtime_dir, reconnect=self._reconnect, principal=self._principal)
            await runtime.open()
        except BaseException:
            self._entered.release()
            raise
        self._runtime = runtime
        self._unclosed = weakref.finalize(self, _end_unclosed, runtime)
        abandon_in_children(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        runtime = self._runtime
        self.close()
        if runtime is not None and _running_loop() is runtime.loop:
            await runtime.closed()

    def close(self) -> None:
        """End the session; calls that wait get NetworkError. Closing twice is fine.

        In another thread than its loop's it is closed soon.
        """
        if self._unclosed is None or self._unclosed.detach() is None:
            return  # not open, or somebody else closes it
        runtime, self._runtime = self._runtime, None
        if runtime is not None:
            _end(runtime)
        self._entered.release()

    def abandon(self) -> None:
        """In a forked child: this client is the parent's, and no use here. Called by itself."""
        if self._runtime is None:
            return
        self._runtime.abandon()
        self._of_parent, self._runtime = self._runtime, None
        if self._unclosed is not None:
            self._unclosed.detach()

    def id_of(self, agent: Agent) -> AgentId:
        """Return the id of an agent; whether there is such an agent is not asked.

        Raises ValidationError for what can be none.
        """
        return self._meant(agent)[0]

    @property
    def session_id(self) -> AgentId:
        """The id of its session: agents see it as the sender of what it sends, and may send to it.

        It is another one when the client has connected again. Raises ConfigurationError when the client is not open.
        """
        return AgentId(self._open().number)

    def _meant(self, agent: Agent) -> tuple[AgentId, str | None]:
        """Return the id of an agent, and its name if it was named; raises ValidationError for what can be neither."""
        if type(agent) is AgentId:
            return agent, None
        if isinstance(agent, AgentView):
            return agent.id, agent.name
        if not isinstance(agent, str):
            return _checked(agent), None
        if self._runtime is None:
            raise self._not_open()
        name = normal_name("agent", agent)
        return AgentId(self._runtime.names.id_of(name)), name

    def _open(self) -> Session:
        """Return the present session."""
        runtime = self._runtime
        if runtime is None:
            raise self._not_open()
        if _running_loop() is not runtime.loop:
            raise _in_another_loop()
        return runtime.session

    def _new_conversation(self) -> ConversationId:
        """Return the id of a conversation that this session opens, which nobody else can claim to have opened."""
        session = 0 if self._runtime is None else self._runtime.session.number
        return ConversationId.of_session(session, time.time_ns() // 1_000_000)

    def _reach(self) -> RuntimeLine:
        """Return the line to the runtime, over whichever session."""
        if self._runtime is None:
            raise self._not_open()
        if _running_loop() is not self._runtime.loop:
            raise _in_another_loop()
        return self._runtime

    def _not_open(self) -> ConfigurationError:
        if self._of_parent is not None:
            return ConfigurationError("client", "it was opened before this process was forked", "connect again here")
        return ConfigurationError("client", "it is not open", "use it inside `async with caxton.connect() as client:`")

    async def _call(self, shard: int, request: Request, answer: type[A]) -> A:
        """Ask a shard."""
        return await self._reach().call(shard, request, answer, CALL_TIMEOUT_S)

    async def _ask(self, question: SupervisorRequest, answer: type[A]) -> A:
        """Ask the supervisor."""
        return await self._reach().ask(question, answer, CALL_TIMEOUT_S)


def _checked(agent: object) -> AgentId:
    if isinstance(agent, bool) or not isinstance(agent, int) or not 0 < agent <= BROADCAST:
        raise ValidationError("agent", f"{shown(agent)} is neither an agent's id nor its name, nor an AgentView")
    return AgentId(agent)


def _open_already() -> ConfigurationError:
    return ConfigurationError(
        "client", "it is open already", "enter each client once; for another session connect again"
    )


def _in_another_loop() -> ConfigurationError:
    return ConfigurationError(
        "client",
        "it was opened in another event loop",
        "open one in each loop, or hand coroutines to its loop with asyncio.run_coroutine_threadsafe",
    )


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _end(runtime: RuntimeLine) -> None:
    """Close a line: in its loop if that runs, and here if it does not."""
    loop = runtime.loop
    if loop.is_running() and loop is not _running_loop():
        loop.call_soon_threadsafe(runtime.close)
    else:
        runtime.close()


def _end_unclosed(runtime: RuntimeLine) -> None:
    """End what a client has left that was collected, or is there at the interpreter's end, and was never closed."""
    if runtime.loop.is_running():  # perhaps in the midst of what we would close
        runtime.loop.call_soon_threadsafe(runtime.close)
    else:
        runtime.close()
    warnings.warn("a client was never closed; use `async with caxton.connect()`", ResourceWarning, stacklevel=2)
