"""What a client asks about agents: deploy, list, inspect, pause, resume, stop, remove, attach."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Literal, TypeVar, overload

from caxton.acl.content import check_encoding
from caxton.acl.order import HandlerOrder
from caxton.agents.deployment import Deployment, Module
from caxton.agents.limits import BOUNDS, Limits
from caxton.agents.manifest import DEFAULT_WEIGHT, capabilities_of
from caxton.agents.names import attached_name, normal_name
from caxton.client.attached.agent import DRAIN_S, AttachedAgent
from caxton.client.attached.program import Program
from caxton.client.attached.turns import BatchHandler, EachHandler, ValueHandler, ValuesHandler
from caxton.client.calls.agent_listing import AgentListing
from caxton.client.calls.arguments import as_typed, check_whole, listed, seconds
from caxton.client.calls.deployments import Deployments
from caxton.client.calls.own_spans import leave_deployed
from caxton.client.connection import Agent, Connection
from caxton.errors import CaxtonError, ValidationError, from_fields
from caxton.ids import AgentId
from caxton.printable import shown
from caxton.wire.calls import (
    MAX_BATCH,
    MAX_CONCURRENCY,
    MAX_DELIVERIES,
    MAX_DRAIN_MS,
    Agents,
    AgentView,
    Attach,
    Done,
    Inspect,
    ListAgents,
    PauseAgent,
    RemoveAgents,
    Request,
    ResumeAgent,
    StopAgent,
)

A = TypeVar("A")

# What an attached agent's handler is to take in order.
_ORDERS: tuple[HandlerOrder, ...] = ("conversation", "sender", "none")

DEPLOY_TIMEOUT_S = 60.0
# What an attached agent is given at a time when it is not said: enough that a commit is shared by many messages, few
# enough that little is handled again when its process is killed.
AT_ONCE = 64
# Calls of an attached agent's handler that run at the same time when it is not said.
CONCURRENCY = 64
LONGEST_DRAIN_S = 86_400
# For how long an agent may finish what it has when it is not said.
DRAIN_TIMEOUT_S = 600.0


class AgentCalls(Connection):
    """Every call that names an agent raises AgentNotFound when there is none, and ValidationError for what can be none.

    Every call raises ShardUnavailable, NetworkError or Timeout when a shard does not answer; what was to be changed may
    be changed then.
    """

    _deployments: Deployments | None = None

    def close(self) -> None:
        """End the session; calls that wait get NetworkError. Closing twice is fine."""
        self._deployments = None
        super().close()

    async def deploy(  # noqa: PLR0913 (by name, most with a default)
        self,
        name: str,
        wasm: Module,
        *,
        encoding: str = "content",
        capabilities: Sequence[str] = (),
        limits: Limits | None = None,
        escalate_to: str | None = None,
        weight: int = DEFAULT_WEIGHT,
        version: str = "",
        timeout_s: float = DEPLOY_TIMEOUT_S,
    ) -> AgentId:
        """Deploy one agent and return its id. What its fields may be stands at `Deployment`.

        Raises InvalidModule, AgentAlreadyRegistered, ValidationError, Unsupported; Timeout or NetworkError when it is
        unknown whether it was deployed.
        """
        deployment = Deployment(name, wasm, encoding, capabilities, limits, escalate_to, weight, version)
        (result,) = await self.deploy_many([deployment], timeout_s=timeout_s)
        if isinstance(result, CaxtonError):
            raise result
        return result

    async def deploy_many(
        self, deployments: Iterable[Deployment], *, timeout_s: float = DEPLOY_TIMEOUT_S
    ) -> list[AgentId | CaxtonError]:
        """Deploy agents; returns the id of each, in order, or why it was refused: what `deploy` would raise.

        Raises ValidationError for what is no list of deployments. timeout_s: for each step, such as a module's upload.
        """
        deploying, context, began_ns = self._deploying(), self._tracing.context(), time.time_ns()
        wanted = listed(deployments, Deployment, "deployments")
        results = await deploying.deploy(wanted, seconds(timeout_s))
        if context is not None:
            await leave_deployed(self._reach(), context, began_ns, wanted, results)
        return results

    def _deploying(self) -> Deployments:
        if self._deployments is None:
            self._deployments = Deployments(self._reach())
        return self._deployments

    @overload
    def attach(
        self,
        name: str,
        handler: EachHandler,
        *,
        batch: Literal[False] = False,
        capabilities: Sequence[str] = (),
        mailbox_capacity: int | None = None,
        at_once: int = AT_ONCE,
        concurrency: int = CONCURRENCY,
        order: HandlerOrder = "conversation",
        drain_s: float = DRAIN_S,
        timeout_s: float | None = None,
        replace: bool = False,
        state: bool = False,
        escalate_to: str | None = None,
        group: bool = False,
    ) -> AttachedAgent: ...

    @overload
    def attach(
        self,
        name: str,
        handler: BatchHandler,
        *,
        batch: Literal[True],
        capabilities: Sequence[str] = (),
        mailbox_capacity: int | None = None,
        at_once: int = AT_ONCE,
        drain_s: float = DRAIN_S,
        timeout_s: float | None = None,
        replace: bool = False,
        escalate_to: str | None = None,
        group: bool = False,
    ) -> AttachedAgent: ...

    @overload
    def attach(
        self,
        name: str,
        handler: ValueHandler,
        *,
        encoding: str,
        batch: Literal[False] = False,
        capabilities: Sequence[str] = (),
        mailbox_capacity: int | None = None,
        at_once: int = AT_ONCE,
        concurrency: int = CONCURRENCY,
        order: HandlerOrder = "conversation",
        drain_s: float = DRAIN_S,
        timeout_s: float | None = None,
        replace: bool = False,
        state: bool = False,
        escalate_to: str | None = None,
        group: bool = False,
    ) -> AttachedAgent: ...

    @overload
    def attach(
        self,
        name: str,
        handler: ValuesHandler,
        *,
        encoding: str,
        batch: Literal[True],
        capabilities: Sequence[str] = (),
        mailbox_capacity: int | None = None,
        at_once: int = AT_ONCE,
        drain_s: float = DRAIN_S,
        timeout_s: float | None = None,
        replace: bool = False,
        escalate_to: str | None = None,
        group: bool = False,
    ) -> AttachedAgent: ...

    def attach(  # noqa: PLR0913 (what an agent may be, each by its name)
        self,
        name: str,
        handler: ValueHandler | ValuesHandler,
        *,
        batch: bool = False,
        capabilities: Sequence[str] = (),
        mailbox_capacity: int | None = None,
        at_once: int = AT_ONCE,
        concurrency: int = CONCURRENCY,
        order: HandlerOrder = "conversation",
        drain_s: float = DRAIN_S,
        timeout_s: float | None = None,
        replace: bool = False,
        state: bool = False,
        escalate_to: str | None = None,
        group: bool = False,
        encoding: str | None = None,
    ) -> AttachedAgent:
        """Return an agent whose messages this process handles, unsandboxed, inside an `async with` block.

        The agent is registered if there is none of that name (see `Deployment`), and stays when the block ends: what
        is sent to it then waits. The handler gets one `Delivered`, or with batch=True a list of them. It returns None,
        the content of an answer (bytes), or a list of messages that are sent as they are; with batch=True None, or a
        list with one of these for each. encoding: "json" or "msgpack" for handlers that also return any other value,
        such as a dict, a dataclass or a list that holds no messages: it is the content of an answer, too.

        Up to `concurrency` calls (1 to 1,024) run at the same time, and each message ends with its own. They begin in
        the order of their messages. One after the other are those of a conversation, and of each sender those without
        one that ask for no answer; with order="sender" all of a sender, with order="none" none. With concurrency=1 all
        messages are handled one after the other, and with batch=True all lists.

        What handlers have ended and what they sent are committed together, up to 256 messages at a time; when this
        process is killed before that, they are delivered again, with a delivery_count of 2 or more. Up to `at_once`
        messages (1 to 256) are fetched at a time, and wait here until they may begin. A block that ends waits up to
        `drain_s` seconds for the calls that run, and then cancels them. timeout_s: a call that takes longer is
        cancelled, and has failed. replace: an agent that another program has attached is taken over: that one's block
        ends with AgentTakenOver, and what it had not ended is given to this one (on the volatile lane it fails).
        state: the agent keeps one, of at most 64 KiB. `Delivered.state` has it, and a handler that returns `Saved`
        changes it: the new one is committed with the end of the message and what was sent. One message is handled at a
        time then, and a call during which the worker is lost is cancelled: its state may not be the runtime's.
        escalate_to: as in `Deployment`. mailbox_capacity: as in `Limits`. group: up to 64 programs that all say so
        share the agent. Each message goes to the one that has least to do, or that has something of the same
        conversation, and to the others when that one ends in the middle. All say the same `order`, which holds between
        them too. A call during which the worker is lost is cancelled: others may have its message. An agent that keeps
        a state is shared by nobody.

        Raises ValidationError; entering the block raises AlreadyAttached, also for a group by who is none of it,
        ResourceExhausted when that is full, AgentAlreadyRegistered when the name is that of an agent with a module,
        AgentNotRunning for one that was stopped, and ValidationError for a name that no new agent may have.
        """
        name = attached_name("name", name)
        if not callable(handler):
            raise ValidationError("handler", f"{shown(handler)} is not a function that takes what is delivered")
        if mailbox_capacity is not None:
            check_whole("mailbox_capacity", mailbox_capacity, *BOUNDS["mailbox_capacity"])
        check_whole("at_once", at_once, 1, MAX_DELIVERIES)
        if type(drain_s) not in {int, float} or not 0 <= drain_s <= LONGEST_DRAIN_S:
            raise ValidationError("drain_s", f"{shown(drain_s)} is not a number of seconds from 0 to {LONGEST_DRAIN_S}")
        check_whole("concurrency", concurrency, 1, MAX_CONCURRENCY)
        if order not in _ORDERS:
            raise ValidationError("order", f"{shown(order)} is not one of {', '.join(_ORDERS)}")
        serial = batch or state or concurrency == 1
        if state and (batch or concurrency not in {1, CONCURRENCY}):
            raise ValidationError("state", "an agent that keeps one handles one message at a time, without batch=True")
        if group and state:
            raise ValidationError("group", "programs that share an agent keep no state: each would have another one")
        check_encoding(encoding)
        above = None if escalate_to is None else normal_name("escalate_to", escalate_to)
        can = capabilities_of(capabilities)
        request = Attach(
            name,
            can,
            self._reach().mailbox_capacity if mailbox_capacity is None else mailbox_capacity,
            escalate_to=above,
            replace=bool(replace),
            group=order if group else None,
        )
        return AttachedAgent(
            self._reach(),
            self.id_of(name),
            request,
            Program(
                name,
                handler,
                at_once,
                batch=batch,
                timeout_s=None if timeout_s is None else seconds(timeout_s),
                keeps_state=state,
                encoding=encoding,
            ),
            at_once=at_once,
            concurrency=1 if serial else concurrency,
            order="all" if serial and (batch or not group) else order,
            drain_s=drain_s,
        )

    def agents(
        self, *, name: str | None = None, state: str | None = None, limit: int | None = None, after: str = ""
    ) -> AgentListing:
        """Return agents in the order of their names, to be iterated with `async for`, or awaited for a list of all.

        name: those whose whole name fits, where `*` stands for any text, as in `tally-*`. state: those that are
        running, attached, detached, paused, draining, failed or stopped. limit: at most so many. after: those whose
        names come behind this one. Raises ValidationError for other values.
        """
        return AgentListing(self._list_agents, self._open().shards, name, state, limit, after)

    async def inspect(self, agent: Agent) -> AgentView:
        """Return all about one agent, as it is now."""
        return await self._about(agent, Inspect, AgentView)

    async def pause(self, agent: Agent) -> None:
        """Let an agent run no turn until it is resumed; what is sent to it waits. Raises InvalidStateTransition."""
        await self._about(agent, PauseAgent, Done)

    async def resume(self, agent: Agent) -> None:
        """Let an agent that was paused, or that failed, run again. Raises InvalidStateTransition.

        One that is left alone for a while, because it failed again and again, is tried at once.
        """
        await self._about(agent, ResumeAgent, Done)

    async def stop(self, agent: Agent, *, drain: bool = False, timeout_s: float = DRAIN_TIMEOUT_S) -> None:
        """Let an agent take no more messages, also after a restart. Raises InvalidStateTransition.

        What waits for it goes to the dead letters. drain=True: it finishes what it has first, for `timeout_s` at most;
        see `drain`, which also waits until it has.
        """
        drain_ms = round(1_000 * min(seconds(timeout_s), LONGEST_DRAIN_S + 1))
        if drain_ms > MAX_DRAIN_MS:
            raise ValidationError("timeout_s", f"{shown(timeout_s)} is more than a day, {LONGEST_DRAIN_S} s")
        await self._about(agent, partial(StopAgent, drain=bool(drain), drain_ms=drain_ms), Done)

    async def remove(self, agent: Agent) -> None:
        """Stop and forget an agent; its name is free again, and what waits for it goes to the dead letters."""
        (result,) = await self.remove_many([agent])
        if result is not None:
            raise result

    async def remove_many(self, agents: Iterable[Agent]) -> list[CaxtonError | None]:
        """Remove agents; returns None for each, in order, or why it was not removed."""
        session = self._open()
        agents = listed(agents, AgentId, "agents")
        results: list[CaxtonError | None] = [None] * len(agents)
        by_shard: dict[int, list[tuple[int, int]]] = {}
        for place, agent in enumerate(agents):
            agent_id = self.id_of(agent)
            by_shard.setdefault(session.table.shard_of(agent_id), []).append((place, int(agent_id)))
        for shard, some in by_shard.items():
            for start in range(0, len(some), MAX_BATCH):
                page = some[start : start + MAX_BATCH]
                done = await self._call(shard, RemoveAgents([agent_id for _, agent_id in page]), Done)
                for at, failed in done.refused.items():
                    place, number = page[at]
                    error = from_fields(failed.error, failed.fields)
                    results[place] = as_typed(error, agents[place], AgentId(number))
        return results

    async def _list_agents(self, shard: int, request: ListAgents) -> Agents:
        return await self._call(shard, request, Agents)

    async def _about(self, agent: Agent, ask: Callable[[int], Request], answer: type[A]) -> A:
        """Ask the shard of an agent; an error has the name that the caller typed."""
        agent_id = self.id_of(agent)
        try:
            return await self._call(self._open().table.shard_of(agent_id), ask(int(agent_id)), answer)
        except CaxtonError as error:
            raise as_typed(error, agent, agent_id) from None
