"""Agents, as others may see them."""

from time import monotonic_ns

from caxton.agents.limits import with_capacity
from caxton.wire.calls import AgentView
from caxton.wire.members import MemberView
from workers.agents.group import Member
from workers.agents.registry import Agent, state_of
from workers.loop.shard import Shard
from workers.worker_pass import NS_PER_MS


def view(agent: Agent, shard: Shard) -> AgentView:
    """Return an agent as others may see it."""
    manifest, sandbox = agent.manifest, agent.sandbox
    counters = {**agent.counters, "run": agent.run, "time_us": agent.took_ns // 1_000}
    if sandbox is not None:
        counters["fuel"] = counters.get("fuel", 0) + sandbox.fuel_used
    now_ns = monotonic_ns()
    oldest_ns = None if agent.mailbox is None else agent.mailbox.oldest_ns()
    fixed = with_capacity(manifest.limits, agent.capacity)
    limits = {name: getattr(fixed, name) for name in fixed.__struct_fields__}
    return AgentView(
        agent.agent_id,
        manifest.name,
        state_of(agent),
        shard.number,
        manifest.encoding.value,
        manifest.capabilities,
        limits,
        manifest.module,
        sandbox is not None,
        0 if agent.mailbox is None else agent.mailbox.depth,
        counters,
        manifest.escalate_to,
        0 if oldest_ns is None else max(0, now_ns - oldest_ns) // NS_PER_MS,
        manifest.weight,
        manifest.health.value,
        agent.is_healthy,
        shard.durable.journal.conversations.active_of(agent.agent_id),
        shard.lifecycle.draining.left_ms(agent.agent_id, now_ns),
        () if agent.group is None else tuple(map(_member, agent.group.members.values())),
        manifest.version,
        manifest.system,
    )


def _member(member: Member) -> MemberView:
    return MemberView(member.session, len(member.given), member.is_there)
