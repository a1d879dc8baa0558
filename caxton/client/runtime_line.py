"""A client's line to a runtime: one session at a time, and the next one when the runtime was started again."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from random import random
from typing import TypeVar

from caxton.agents.limits import DEFAULT_CAPACITY
from caxton.client.routes.answers import Answers
from caxton.client.routes.capable_agents import CapableAgents
from caxton.client.session.pending_calls import NeverAskedError
from caxton.client.session.session import Session
from caxton.client.supervisor_line import SupervisorLine
from caxton.errors import CaxtonError, ConfigurationError, OtherProtocol, RuntimeNotFound
from caxton.ids import AgentNames
from caxton.placement.slot_table import SlotTable
from caxton.transport.endpoints import RuntimeDir
from caxton.wire.answered import answered
from caxton.wire.calls import Request
from caxton.wire.protocol import ASKED, Versions, agreed
from caxton.wire.supervision import OpenSession, SessionOpened, SupervisorRequest

A = TypeVar("A")

OPEN_TIMEOUT_S = 10.0
# Between two tries to open the next session: doubled each time.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0


class RuntimeLine:
    """Opened once; `close` twice is fine. When the runtime has ended it opens the next session as soon as one serves.

    What that means for what was under way stands in `caxton.client.session.leftovers`. Calls wait for the next session
    as long as their callers do. The runtime that answers must have the same data directory as the first: to another
    nothing is sent.

    loop: the one it lives in; no other may use it. session: the present one; while it is over, messages that are
    submitted to it wait for the next. names: of this runtime's agents. attached: agents that blocks of this program
    have attached. capable: who can do what, as far as it was asked for. principal: for whom every session acts.
    mailbox_capacity: what the mailbox of an agent holds where nobody says.
    """

    def __init__(self, runtime_dir: Path, *, reconnect: bool, principal: str = "") -> None:
        self.loop = asyncio.get_running_loop()
        self.session: Session
        self.names: AgentNames
        self.attached: set[int] = set()
        self.mailbox_capacity = DEFAULT_CAPACITY
        self._directory = runtime_dir
        self._reconnect = reconnect
        self._principal = principal
        self._answers = Answers()
        self.capable = CapableAgents(random)
        self._line: SupervisorLine
        self._naming_key: bytes | None = None
        self._tasks = asyncio.TaskGroup()
        self._reopening: asyncio.Task[None] | None = None
        self._reopened = asyncio.Event()
        self._last_try: Exception | None = None
        self._refused: ConfigurationError | OtherProtocol | None = None
        self._closed = False

    async def open(self) -> None:
        """Open the first session. Raises RuntimeNotFound, NetworkError, Timeout, ResourceExhausted, SecurityError."""
        self._line, self.session = await self._opened()
        await self._tasks.__aenter__()

    @property
    def number(self) -> int:
        """The present session's."""
        return self.session.number

    @property
    def table(self) -> SlotTable:
        """Which shard owns which agent, as far as we know."""
        return self.session.table

    @property
    def over(self) -> CaxtonError | None:
        """Why nothing can come of anything any more; None while there is a session, or may be one."""
        return None if self._is_reopening else self.session.over

    async def call(self, shard: int, request: Request, answer: type[A], timeout_s: float) -> A:
        """Return the answer of a shard's worker.

        Raises the error it answers, NetworkError when it ends or answers something else, Timeout, ShardUnavailable, and
        RuntimeNotFound when no runtime is there in time: then nothing was asked.
        """
        deadline = self.loop.time() + timeout_s
        while True:
            session = await self._present(deadline)
            with suppress(NeverAskedError):
                return await session.call(shard, request, answer, timeout_s, deadline)

    async def ask(self, question: SupervisorRequest, answer: type[A], timeout_s: float) -> A:
        """Return the supervisor's answer; raises what `call` does."""
        deadline = self.loop.time() + timeout_s
        await self._present(deadline)
        left_s = max(0.1, round(deadline - self.loop.time(), 1))
        return answered(await self._line.ask(question, left_s), answer, "the supervisor")

    def close(self) -> None:
        """End the session and the line; whoever waits gets NetworkError."""
        if self._closed:
            return
        self._closed = True
        if self._reopening is not None and not self.loop.is_closed():
            self._reopening.cancel()
            self._reopened.set()
        self.session.close()
        self._line.tell(self.session.good_bye)
        self._line.close()

    async def closed(self) -> None:
        """Wait for the end of what `close` has cancelled."""
        await self._tasks.__aexit__(None, None, None)

    def abandon(self) -> None:
        """In a forked child: do nothing any more. Nothing is closed that the parent has too."""
        self._closed = True
        self.session.abandon()
        self._line.abandon()

    @property
    def _is_reopening(self) -> bool:
        return not self._closed and self._reopening is not None and not self._reopening.done()

    async def _present(self, deadline: float) -> Session:
        """Return a session that is not over, waiting for one."""
        while (over := self.session.over) is not None:
            if not self._is_reopening:
                raise over
            left_s = deadline - self.loop.time()
            if left_s <= 0:
                raise RuntimeNotFound(str(self._directory)).with_context(f"the last try to connect: {self._last_try}")
            self._reopened.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._reopened.wait()
        return self.session

    async def _opened(self) -> tuple[SupervisorLine, Session]:
        line = SupervisorLine(self._directory)
        program = Path(sys.argv[0]).name[:100] if sys.argv else ""
        try:
            asked = OpenSession(os.getpid(), program, *ASKED, principal=self._principal)
            result = await line.ask(asked, OPEN_TIMEOUT_S)
            opened = answered(result, SessionOpened, "the supervisor")
            agreed(Versions(opened.version, opened.version), ASKED)  # one of version 1 does not look at ours
            self._recognise(opened.naming_key)
            lost = self._lost if self._reconnect else None
            self.mailbox_capacity = opened.mailbox_capacity
            session = Session(RuntimeDir(self._directory), opened, self._answers, lost, self.capable)
        except BaseException:
            line.close()
            raise
        return line, session

    def _recognise(self, naming_key: bytes) -> None:
        """Raise ConfigurationError when this is another runtime than at first: ids mean other agents there."""
        if self._naming_key is None:
            self._naming_key, self.names = naming_key, AgentNames(naming_key)
        elif self._naming_key != naming_key:
            self._refused = ConfigurationError(
                str(self._directory),
                "another runtime serves here now, with other data",
                "connect again to use that one",
            )
            raise self._refused

    def _lost(self) -> None:
        """The present session has ended, with its runtime or alone; then the runtime may not know it yet."""
        if self.session.is_served:
            self._line.tell(self.session.good_bye)
        self._line.close()
        self._reopening = self._tasks.create_task(self._reopen())

    async def _reopen(self) -> None:
        """Try until there is a session again, or none is possible."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                line, session = await self._opened()
            except Exception as error:  # noqa: BLE001 (whatever keeps us from connecting may be better at the next try)
                self._last_try = error
                if isinstance(error, OtherProtocol):  # a runtime of another release took the place of ours
                    self._refused = error
                if self._refused is not None:
                    self.session.give_up(self._refused)
                    break
            else:
                old, self.session, self._line = self.session, session, line
                session.take_over(old.held)
                old.retire()
                break
            self.session.held.forget_given_up()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        self._reopened.set()
