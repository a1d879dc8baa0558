"""How a program is several agents: written as functions and classes, attached together."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from caxton.acl.order import HandlerOrder
from caxton.client.attached.agent import DRAIN_S, AttachedAgent
from caxton.client.calls.agent_calls import CONCURRENCY, AgentCalls
from caxton.client.hosting.definition import HandlerLike, agent, definition_of, instance_of, methods_of
from caxton.client.hosting.handling import Handling
from caxton.client.hosting.hosting import Hosted, Hosting
from caxton.client.hosting.kept_state import KeptState
from caxton.errors import ValidationError


class HostingCalls(AgentCalls):
    """Python agents: `agent` says what is one, `host` and `serve` attach them."""

    _own: tuple[object, ...] = ()

    def agent(  # noqa: PLR0913 (what an agent may be, each by its name)
        self,
        name: str,
        *,
        capabilities: Sequence[str] = (),
        mailbox_capacity: int | None = None,
        concurrency: int | None = None,
        order: HandlerOrder = "conversation",
        timeout_s: float | None = None,
        escalate_to: str | None = None,
        state: type | None = None,
        group: bool = False,
        encoding: str | None = None,
    ) -> Callable[[HandlerLike], HandlerLike]:
        """Decorate a function or a class as `caxton.agent` does, and let `host` and `serve` of this client know it."""
        decorate = agent(
            name,
            capabilities=capabilities,
            mailbox_capacity=mailbox_capacity,
            concurrency=concurrency,
            order=order,
            timeout_s=timeout_s,
            escalate_to=escalate_to,
            state=state,
            group=group,
            encoding=encoding,
        )

        def noted(handler: HandlerLike) -> HandlerLike:
            self._own = (*self._own, decorate(handler))
            return handler

        return noted

    def host(self, *agents: object, replace: bool = False, group: bool = False, drain_s: float = DRAIN_S) -> Hosting:
        """Return a block in which this process is the program of these agents, or, of none, of all of `client.agent`.

        agents: what `caxton.agent` has decorated: functions, classes (an instance is made, without arguments) and
        instances of them. group: programs share them, also where their decorators do not say so. replace, drain_s: as
        in `attach`. Raises ValidationError for what is no agent, two of the same name, one with a state that is to be
        shared, and none at all; entering the block raises what that of `attach` does.
        """
        chosen = [instance_of(each) for each in agents or self._own]
        names = [definition_of(each).name for each in chosen]
        if not names:
            raise ValidationError("agents", "there is none to host; decorate a function with @client.agent(name)")
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValidationError("agents", f"two of them are named {twice!r}")
        return Hosting([self._hosted(each, replace=replace, group=group, drain_s=drain_s) for each in chosen])

    async def serve(
        self, *agents: object, replace: bool = False, group: bool = False, drain_s: float = DRAIN_S
    ) -> None:
        """Host these agents, or all of `client.agent`, until this task is cancelled or one of them cannot go on.

        Raises what `host` and its block do.
        """
        async with self.host(*agents, replace=replace, group=group, drain_s=drain_s) as hosting:
            await hosting.wait()

    def _hosted(self, instance: object, *, replace: bool, group: bool, drain_s: float) -> Hosted:
        definition, methods = definition_of(instance), methods_of(instance)
        is_serial = definition.state is not None or any(method.is_plain for method in methods.values())
        concurrency = definition.concurrency or (1 if is_serial else CONCURRENCY)
        threads = ThreadPoolExecutor(concurrency, f"caxton agent {definition.name}")
        kept = None if definition.state is None else KeptState(definition.state)
        handling = Handling(definition.name, methods, self.id_of, threads, kept, definition.encoding)
        attach: Callable[..., AttachedAgent] = self.attach
        block = attach(
            definition.name,
            handling,
            capabilities=definition.capabilities,
            mailbox_capacity=definition.mailbox_capacity,
            concurrency=concurrency,
            order=definition.order,
            drain_s=drain_s,
            timeout_s=definition.timeout_s,
            replace=replace,
            state=kept is not None,
            escalate_to=definition.escalate_to,
            group=group or definition.group,
            encoding=definition.encoding,
        )
        return Hosted(definition.name, block, threads)
