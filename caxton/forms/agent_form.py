"""An agent as `-o json` prints it and the gateway tells it."""

import msgspec

from caxton.ids import AgentId
from caxton.wire.calls import AgentView
from caxton.wire.members import MemberView


class MemberForm(msgspec.Struct, frozen=True):
    """A program that shares an agent. session: whose. under_way: messages that it has."""

    session: str
    under_way: int
    is_there: bool


class AgentForm(msgspec.Struct, frozen=True, kw_only=True):
    """One agent, as `AgentView` has it, under the names that programs read. module_sha256: "" for an attached one."""

    agent_id: str
    name: str
    state: str
    shard: int
    encoding: str
    escalate_to: str | None
    capabilities: list[str]
    weight: int
    version: str
    system: str
    health: str
    healthy: bool
    module_sha256: str
    instantiated: bool
    queued: int
    oldest_ms: int
    conversations: int
    drains_for_ms: int
    limits: dict[str, int]
    counters: dict[str, int]
    members: list[MemberForm]

    @classmethod
    def of(cls, view: AgentView) -> "AgentForm":
        """Return the form of a view."""
        return cls(
            agent_id=str(view.id),
            name=view.name,
            state=view.state,
            shard=view.shard,
            encoding=view.encoding,
            escalate_to=view.escalate_to,
            capabilities=list(view.capabilities),
            weight=view.weight,
            version=view.version,
            system=view.system,
            health=view.health,
            healthy=view.is_healthy,
            module_sha256=view.module.hex(),
            instantiated=view.instantiated,
            queued=view.queued,
            oldest_ms=view.oldest_ms,
            conversations=view.conversations,
            drains_for_ms=view.drains_for_ms,
            limits=view.limits,
            counters=view.counters,
            members=[MemberForm(str(AgentId(m.session)), m.under_way, m.is_there) for m in view.members],
        )

    def view(self) -> AgentView:
        """Return the view that it is the form of. Raises ParseError, ValueError."""
        return AgentView(
            int(AgentId.parse(self.agent_id)),
            self.name,
            self.state,
            self.shard,
            self.encoding,
            tuple(self.capabilities),
            self.limits,
            bytes.fromhex(self.module_sha256),
            self.instantiated,
            self.queued,
            self.counters,
            escalate_to=self.escalate_to,
            oldest_ms=self.oldest_ms,
            weight=self.weight,
            health=self.health,
            is_healthy=self.healthy,
            conversations=self.conversations,
            drains_for_ms=self.drains_for_ms,
            members=tuple(MemberView(int(AgentId.parse(m.session)), m.under_way, m.is_there) for m in self.members),
            version=self.version,
            system=self.system,
        )
