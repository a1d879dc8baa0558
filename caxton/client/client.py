"""The Python client: it places by itself and talks straight to the workers. Calls that carry many cost per batch.

async with caxton.connect() as client:
    echo = await client.deploy("echo", Path("echo.wasm"))
    reply = await client.request(echo, b"hello", timeout_s=5)
"""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from caxton.acl.envelope import Envelope
from caxton.acl.message import Message
from caxton.acl.options import DEFAULT_OPTIONS, DeliveryOptions
from caxton.acl.performative import Performative
from caxton.agents.limits import Limits
from caxton.client.batches import Batch, settled
from caxton.client.deployments import Deployment, Deployments
from caxton.client.session import Session
from caxton.client.shard_route import RECEIVER_WINDOW, Entry, Placed
from caxton.client.supervisor_line import SupervisorLine
from caxton.config.settings import runtime_directory
from caxton.errors import CaxtonError, ConfigurationError, NetworkError, QueueFull, from_fields
from caxton.ids import AgentId, AgentNames, UuidSource
from caxton.transport.endpoints import RuntimeDir
from caxton.wire.control import (
    MAX_BATCH,
    Agents,
    AgentView,
    Done,
    Inspect,
    ListAgents,
    RemoveAgents,
    Request,
    StopAgent,
)
from caxton.wire.supervision import AskHealth, AskStats, OpenSession, SessionOpened, SupervisorRequest, Told

CALL_TIMEOUT_S = 10.0
DEPLOY_TIMEOUT_S = 60.0
BATCH_TIMEOUT_S = 30.0
REQUEST_TIMEOUT_S = 5.0


def connect(runtime_dir: Path | str | None = None) -> "Client":
    """Return a client of the runtime in `runtime_dir`, CAXTON_RUNTIME_DIR or the usual place, for an `async with`.

    Opening raises RuntimeNotFound when nobody serves there.
    """
    option = None if runtime_dir is None else Path(runtime_dir)
    return Client(runtime_directory(option, os.environ, os.geteuid()))


class Client:
    """One session with a runtime, for one event loop. An agent is named by its id or its name."""

    def __init__(self, runtime_dir: Path) -> None:
        self._runtime_dir = runtime_dir.absolute()
        self._session: Session | None = None
        self._line: SupervisorLine | None = None
        self._names: AgentNames
        self._deployments: Deployments
        self._ids = UuidSource(0)

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
        self._deployments = Deployments(self._session, line, self._names)
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

    def id_of(self, agent: AgentId | int | str) -> AgentId:
        """Return the id of an agent that is named, or the id itself; whether there is such an agent is not asked."""
        if isinstance(agent, str):
            self._open()
            return AgentId(self._names.id_of(agent))
        return AgentId(agent)

    async def deploy(
        self,
        name: str,
        wasm: Path | bytes,
        *,
        encoding: str = "content",
        capabilities: Sequence[str] = (),
        limits: Limits | None = None,
        timeout_s: float = DEPLOY_TIMEOUT_S,
    ) -> AgentId:
        """Deploy one agent and return its id.

        Raises InvalidModule, AgentAlreadyRegistered, ValidationError, Unsupported; Timeout or NetworkError when it is
        unknown whether it was deployed.
        """
        deployment = Deployment(name, wasm, encoding, capabilities, limits)
        (result,) = await self.deploy_many([deployment], timeout_s=timeout_s)
        if isinstance(result, CaxtonError):
            raise result
        return result

    async def deploy_many(
        self, deployments: Sequence[Deployment], *, timeout_s: float = DEPLOY_TIMEOUT_S
    ) -> list[AgentId | CaxtonError]:
        """Deploy agents; returns the id of each, in order, or why it was refused."""
        self._open()
        return await self._deployments.deploy(deployments, timeout_s)

    async def send(
        self,
        to: AgentId | int | str,
        content: bytes,
        *,
        performative: Performative = Performative.INFORM,
        options: DeliveryOptions = DEFAULT_OPTIONS,
        wait: bool = True,
        timeout_s: float = BATCH_TIMEOUT_S,
    ) -> Placed:
        """Send one message; returns when it is placed: in its receiver's mailbox, or run.

        wait=False raises QueueFull instead of waiting for room. Raises AgentNotFound, AgentNotRunning, QueueFull,
        MessageTooLarge, ShardUnavailable: then it had no effect. Raises Timeout, NetworkError: then it is unknown.
        """
        message = Message(self.id_of(to), content, performative=performative, delivery_options=options)
        route = self._open().route_of(message.envelope.receiver)
        if not wait and not route.has_room(message.envelope.receiver):
            raise QueueFull(str(message.receiver), route.load(message.envelope.receiver), RECEIVER_WINDOW)
        (result,) = await self.send_batch([message], timeout_s=timeout_s)
        if isinstance(result, CaxtonError):
            raise result
        return result

    async def send_batch(
        self, messages: Sequence[Message], *, timeout_s: float = BATCH_TIMEOUT_S
    ) -> list[Placed | CaxtonError]:
        """Send messages, waiting for room; returns when each is placed, or has its error, in order.

        timeout_s: the longest time in which none of them gets anywhere; what is left then ends as Timeout.
        """
        session = self._open()
        batch: Batch[Placed] = Batch(len(messages), "send", timeout_s, asyncio.get_running_loop())
        number, now_ms = session.number, time.time_ns() // 1_000_000
        self._ids.renew(now_ms)
        next_id = self._ids.next
        entries: list[Entry] = []
        for place, message in enumerate(messages):
            e = message.envelope
            entries.append((_stamped(e, next_id(), number, e.reply_with, now_ms), batch, place, True))
        session.submit(entries)
        return await settled(batch)

    async def request(
        self,
        to: AgentId | int | str,
        content: bytes,
        *,
        timeout_s: float = REQUEST_TIMEOUT_S,
        performative: Performative = Performative.REQUEST,
        options: DeliveryOptions = DEFAULT_OPTIONS,
    ) -> Message:
        """Send a request and return the reply.

        Raises what `send` raises, and AgentFailure (WasmExecutionFailed, ResourceLimitExceeded, AgentError) when the
        agent took it and failed. Timeout: whether it happened is unknown.
        """
        message = Message(self.id_of(to), content, performative=performative, delivery_options=options)
        (result,) = await self.request_many([message], timeout_s=timeout_s)
        if isinstance(result, CaxtonError):
            raise result
        return result

    async def request_many(
        self, messages: Sequence[Message], *, timeout_s: float = BATCH_TIMEOUT_S
    ) -> list[Message | CaxtonError]:
        """Send requests; returns the reply to each, in order, or its error. reply_with is stamped here.

        timeout_s: the longest time in which none of them ends; what is left then ends as Timeout.
        """
        session = self._open()
        batch: Batch[Message] = Batch(len(messages), "request", timeout_s, asyncio.get_running_loop())
        number, now_ms = session.number, time.time_ns() // 1_000_000
        self._ids.renew(now_ms)
        next_id, waiting, shard_of = self._ids.next, session.answers.waiting, session.table.shard_of
        entries: list[Entry] = []
        for place, e in enumerate([message.envelope for message in messages]):
            token = next_id()
            waiting[token] = (batch, place, shard_of(e.receiver))
            entries.append((_stamped(e, token, number, token, now_ms), batch, place, False))
        session.submit(entries)
        try:
            return await settled(batch)
        finally:
            session.answers.forget(entries)

    async def inbox(self) -> "Inbox":
        """Return the messages that nobody asked for, to be iterated with `async for`."""
        return Inbox(self._open())

    async def agents(self) -> list[AgentView]:
        """Return every agent, by shard and name."""
        session = self._open()
        found: list[AgentView] = []
        for shard in range(session.shards):
            after, more = "", True
            while more:
                page = await session.call(shard, ListAgents(after), CALL_TIMEOUT_S)
                if not isinstance(page, Agents):
                    raise NetworkError(f"shard {shard}", "it answered something else than agents")
                found += page.agents
                more = page.more and bool(page.agents)
                after = page.agents[-1].name if page.agents else ""
        return found

    async def inspect(self, agent: AgentId | int | str) -> AgentView:
        """Return all about one agent; raises AgentNotFound."""
        agent_id = self.id_of(agent)
        result = await self._call(agent_id, Inspect(int(agent_id)))
        if not isinstance(result, AgentView):
            raise NetworkError(f"the shard of {agent_id}", "it answered something else than an agent")
        return result

    async def stop(self, agent: AgentId | int | str) -> None:
        """Let an agent take no more messages, also after a restart. Raises AgentNotFound, InvalidStateTransition."""
        agent_id = self.id_of(agent)
        await self._call(agent_id, StopAgent(int(agent_id)))

    async def remove(self, agent: AgentId | int | str) -> None:
        """Stop and forget an agent; its name is free again. Raises AgentNotFound."""
        (result,) = await self.remove_many([agent])
        if result is not None:
            raise result

    async def remove_many(self, agents: Sequence[AgentId | int | str]) -> list[CaxtonError | None]:
        """Remove agents; returns None for each, in order, or why it was not removed."""
        session = self._open()
        results: list[CaxtonError | None] = [None] * len(agents)
        by_shard: dict[int, list[tuple[int, int]]] = {}
        for place, agent in enumerate(agents):
            agent_id = self.id_of(agent)
            by_shard.setdefault(session.table.shard_of(agent_id), []).append((place, int(agent_id)))
        for shard, some in by_shard.items():
            for start in range(0, len(some), MAX_BATCH):
                page = some[start : start + MAX_BATCH]
                done = await session.call(shard, RemoveAgents([agent_id for _, agent_id in page]), CALL_TIMEOUT_S)
                if isinstance(done, Done):
                    for at, failed in done.refused.items():
                        results[page[at][0]] = from_fields(failed.error, failed.fields)
        return results

    async def stats(self) -> dict[str, Any]:
        """Return what was done, lost and refused, as `caxton stats -o json` prints it."""
        return await self._told(AskStats())

    async def health(self) -> dict[str, Any]:
        """Return whether everything is well, as `caxton health -o json` prints it."""
        return await self._told(AskHealth())

    async def _told(self, question: SupervisorRequest) -> dict[str, Any]:
        self._open()
        if self._line is None:
            raise NetworkError("this client", "it was closed")
        told = await self._line.ask(question, CALL_TIMEOUT_S)
        if not isinstance(told, Told):
            raise NetworkError("the supervisor", "it answered something else")
        return told.values

    async def _call(self, agent_id: AgentId, request: Request) -> object:
        session = self._open()
        return await session.call(session.table.shard_of(agent_id), request, CALL_TIMEOUT_S)

    def _open(self) -> Session:
        if self._session is None:
            raise ConfigurationError(
                "client", "it is not open", "use it inside `async with caxton.connect() as client:`"
            )
        return self._session


class Inbox:
    """Messages that no request of this client asked for; at most 10,000 wait, the rest is dropped and counted."""

    def __init__(self, session: Session) -> None:
        self._answers = session.answers

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        message = await self._answers.next()
        if message is None:
            raise StopAsyncIteration
        return message


async def _open_session(line: SupervisorLine) -> SessionOpened:
    program = Path(sys.argv[0]).name[:100] if sys.argv else ""
    opened = await line.ask(OpenSession(os.getpid(), program), CALL_TIMEOUT_S)
    if not isinstance(opened, SessionOpened):
        raise NetworkError("the supervisor", "it answered something else than a session")
    return opened


def _stamped(e: Envelope, message_id: bytes, sender: int, reply_with: bytes | None, now_ms: int) -> Envelope:
    return Envelope(
        message_id,
        e.performative,
        sender,
        e.receiver,
        e.content,
        reply_with,
        e.in_reply_to,
        e.conversation_id,
        now_ms,
        e.level,
        e.timeout_ms,
        e.flags,
        e.rare,
    )
