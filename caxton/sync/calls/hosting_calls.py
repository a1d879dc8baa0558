"""`caxton.client.calls.hosting_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from collections.abc import Callable, Sequence
from functools import partial

from caxton.acl.order import HandlerOrder
from caxton.client.attached.agent import DRAIN_S
from caxton.client.hosting.definition import HandlerLike
from caxton.sync.calls.agent_calls import AgentCalls
from caxton.sync.returned import Hosting


class HostingCalls(AgentCalls):
    """Python agents: `agent` says what is one, `host` and `serve` attach them."""

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
        return self._client.agent(
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

    def host(self, *agents: object, replace: bool = False, group: bool = False, drain_s: float = DRAIN_S) -> Hosting:
        """Return a block in which this process is the program of these agents, or, of none, of all of `client.agent`.

        agents: what `caxton.agent` has decorated: functions, classes (an instance is made, without arguments) and
        instances of them. group: programs share them, also where their decorators do not say so. replace, drain_s: as
        in `attach`. Raises ValidationError for what is no agent, two of the same name, one with a state that is to be
        shared, and none at all; entering the block raises what that of `attach` does.
        """
        return Hosting(
            self._thread, self._made(partial(self._client.host, *agents, replace=replace, group=group, drain_s=drain_s))
        )

    def serve(self, *agents: object, replace: bool = False, group: bool = False, drain_s: float = DRAIN_S) -> None:
        """Host these agents, or all of `client.agent`, until Ctrl-C or until one of them cannot go on.

        Raises what `host` and its block do.
        """
        return self._run(self._client.serve(*agents, replace=replace, group=group, drain_s=drain_s))
