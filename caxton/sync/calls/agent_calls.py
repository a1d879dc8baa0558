"""`caxton.client.calls.agent_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Literal, overload

from caxton.acl.order import HandlerOrder
from caxton.agents.deployment import Deployment, Module
from caxton.agents.limits import Limits
from caxton.agents.manifest import DEFAULT_WEIGHT
from caxton.client.attached import agent as attached
from caxton.client.attached.agent import DRAIN_S
from caxton.client.calls.agent_calls import AT_ONCE, CONCURRENCY, DEPLOY_TIMEOUT_S, DRAIN_TIMEOUT_S
from caxton.client.connection import Agent
from caxton.errors import CaxtonError
from caxton.ids import AgentId
from caxton.sync.called import BatchHandler, Called, EachHandler, ValueHandler, ValuesHandler
from caxton.sync.connection import Connection
from caxton.sync.returned import AgentListing, AttachedAgent
from caxton.wire.calls import AgentView


class AgentCalls(Connection):
    """Every call that names an agent raises AgentNotFound when there is none, and ValidationError for what can be none.

    Every call raises ShardUnavailable, NetworkError or Timeout when a shard does not answer; what was to be changed may
    be changed then.
    """

    def deploy(  # noqa: PLR0913 (by name, most with a default)
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
        return self._run(
            self._client.deploy(
                name,
                wasm,
                encoding=encoding,
                capabilities=capabilities,
                limits=limits,
                escalate_to=escalate_to,
                weight=weight,
                version=version,
                timeout_s=timeout_s,
            )
        )

    def deploy_many(
        self, deployments: Iterable[Deployment], *, timeout_s: float = DEPLOY_TIMEOUT_S
    ) -> list[AgentId | CaxtonError]:
        """Deploy agents; returns the id of each, in order, or why it was refused: what `deploy` would raise.

        Raises ValidationError for what is no list of deployments. timeout_s: for each step, such as a module's upload.
        """
        return self._run(self._client.deploy_many(deployments, timeout_s=timeout_s))

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
        """Return an agent whose messages this process handles, unsandboxed, inside a `with` block.

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
        called = Called(handler, concurrency)
        attach: Callable[..., attached.AttachedAgent] = self._client.attach
        agent = self._made(
            partial(
                attach,
                name,
                called.handler,
                batch=batch,
                capabilities=capabilities,
                mailbox_capacity=mailbox_capacity,
                at_once=at_once,
                concurrency=concurrency,
                order=order,
                drain_s=drain_s,
                timeout_s=timeout_s,
                replace=replace,
                state=state,
                escalate_to=escalate_to,
                group=group,
                encoding=encoding,
            )
        )
        return AttachedAgent(self._thread, agent, called)

    def agents(
        self, *, name: str | None = None, state: str | None = None, limit: int | None = None, after: str = ""
    ) -> AgentListing:
        """Return agents in the order of their names, to be iterated with `for`.

        name: those whose whole name fits, where `*` stands for any text, as in `tally-*`. state: those that are
        running, attached, detached, paused, draining, failed or stopped. limit: at most so many. after: those whose
        names come behind this one. Raises ValidationError for other values.
        """
        return AgentListing(
            self._thread, self._made(partial(self._client.agents, name=name, state=state, limit=limit, after=after))
        )

    def inspect(self, agent: Agent) -> AgentView:
        """Return all about one agent, as it is now."""
        return self._run(self._client.inspect(agent))

    def pause(self, agent: Agent) -> None:
        """Let an agent run no turn until it is resumed; what is sent to it waits. Raises InvalidStateTransition."""
        return self._run(self._client.pause(agent))

    def resume(self, agent: Agent) -> None:
        """Let an agent that was paused, or that failed, run again. Raises InvalidStateTransition.

        One that is left alone for a while, because it failed again and again, is tried at once.
        """
        return self._run(self._client.resume(agent))

    def stop(self, agent: Agent, *, drain: bool = False, timeout_s: float = DRAIN_TIMEOUT_S) -> None:
        """Let an agent take no more messages, also after a restart. Raises InvalidStateTransition.

        What waits for it goes to the dead letters. drain=True: it finishes what it has first, for `timeout_s` at most;
        see `drain`, which also waits until it has.
        """
        return self._run(self._client.stop(agent, drain=drain, timeout_s=timeout_s))

    def remove(self, agent: Agent) -> None:
        """Stop and forget an agent; its name is free again, and what waits for it goes to the dead letters."""
        return self._run(self._client.remove(agent))

    def remove_many(self, agents: Iterable[Agent]) -> list[CaxtonError | None]:
        """Remove agents; returns None for each, in order, or why it was not removed."""
        return self._run(self._client.remove_many(agents))
