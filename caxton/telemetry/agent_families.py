"""The busiest agents by their names, and all others as one: a million agents are no million series."""

from collections.abc import Iterator

from caxton.telemetry.family import OTHER, Family, Kind
from caxton.wire.busy import Busiest, BusyAgent
from caxton.wire.told import RouterStats

MOST_AGENTS = 50
_LABELS = ("agent_id", "agent", "shard")
_OTHERS = (OTHER, "", "")


def agent_families(busiest: Busiest, stats: RouterStats) -> Iterator[Family]:
    """Yield what the first fifty agents do and did. `other`, in place of an id, is what all agents do but for these."""
    agents = busiest.agents[:MOST_AGENTS]
    rates = stats.rates
    all_failures = rates.get("failed", 0.0) + rates.get("agent_errors", 0.0)
    turns = {_labels(agent): agent.turns_per_s for agent in agents}
    failures = {_labels(agent): agent.failures_per_s for agent in agents}
    queued: dict[tuple[str, ...], float] = {_labels(agent): agent.queued for agent in agents}
    told = (
        ("turns_per_second", "turns of the busiest agents, and of all others", turns, stats.messages_per_second),
        ("failures_per_second", "of these turns those that failed", failures, all_failures),
        (
            "mailbox_messages",
            "what waits for the busiest agents, and for others",
            queued,
            stats.inbound_queue_depth,
        ),
    )
    for name, says, values, whole in told:
        rest = {_OTHERS: max(0.0, whole - sum(values.values()))}
        yield Family(f"caxton_agent_{name}", Kind.GAUGE, says, _LABELS, values | rest)
    shares = {_labels(agent): agent.time_share for agent in agents}
    says = "the part of its worker's time that an agent's turns take, about"
    yield Family("caxton_agent_time_ratio", Kind.GAUGE, says, _LABELS, shares)
    events = {(*_labels(agent), "turn"): float(agent.turns) for agent in agents}
    failed = {(*_labels(agent), "failure"): float(agent.failures) for agent in agents}
    says = "what the busiest agents did since their worker started"
    yield Family("caxton_agent_events", Kind.COUNTER, says, (*_LABELS, "event"), events | failed)


def _labels(agent: BusyAgent) -> tuple[str, ...]:
    return str(agent.id), agent.name, str(agent.shard)
