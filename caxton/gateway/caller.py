"""Who asks, as routes see them: what they may do, to whom, and the client that does it for them."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from caxton.agents.names import normal_name
from caxton.client.client import Client
from caxton.client.routes.tracing import within
from caxton.errors import AccessDenied, ParseError
from caxton.gateway.access.grant import Grant
from caxton.gateway.house import House
from caxton.ids import BROADCAST, AgentId
from caxton.tokens.role import Role


@dataclass(frozen=True)
class Caller:
    """One request's. grant: what its token lets it do. trace_context: what it follows from, None where it says none."""

    house: House
    grant: Grant
    trace_context: str | None = None

    def client(self) -> AbstractAsyncContextManager[Client]:
        """Return a client that acts for this one; raises what opening one raises, ResourceExhausted."""
        return self.house.clients.acting_for(self.grant.principal)

    @asynccontextmanager
    async def speaking(self) -> AsyncIterator[Client]:
        """Yield the same client: what it sends meanwhile is in the trace of this one's request."""
        async with self.client() as client:
            with within(self.trace_context):
                yield client

    async def agent(self, client: Client, text: str, role: Role) -> AgentId | str:
        """Return the agent that a name, or an id of 16 hex digits, means, if this one may do so to it.

        Raises AccessDenied, ValidationError; AgentNotFound for an id that nobody has.
        """
        self.grant.allows_some(role)
        try:
            agent = AgentId.parse(text)
        except ParseError:
            self.grant.allows(role, normal_name("agent", text))
            return text
        await self.may_reach(client, agent, role)
        return agent

    async def may_reach(self, client: Client, agent: AgentId, role: Role) -> None:
        """Let pass who may do this to the agent of an id. Raises AccessDenied, AgentNotFound."""
        if self.grant.is_for_all:
            self.grant.allows_some(role)
            return
        # A token for some agents is for no clients, and not for all of them at once.
        is_one = not agent.is_session and int(agent) != BROADCAST
        if not is_one or not self.grant.covers((await client.inspect(agent)).name):
            raise AccessDenied("agents", role.value, self.grant.role.value, str(agent))

    def may(self, role: Role) -> None:
        """Let pass who may do what is about all agents. Raises AccessDenied."""
        self.grant.allows(role)
