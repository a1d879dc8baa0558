"""What a runtime may tell, at its emptiest and at its fullest."""

import pytest

from caxton.store.ledger import Figures, Ledger
from caxton.telemetry.families import Parts
from caxton.wire.busy import Busiest, BusyAgent
from caxton.wire.counters import COUNTERS
from caxton.wire.told import (
    ComponentHealth,
    ConversationStats,
    DeadLetterStats,
    Health,
    HealthReason,
    LatencyStats,
    LimitWarning,
    RouterStats,
    WorkerHealth,
)


def busy(number, name="echo", **did):
    about = {"turns_per_s": 2.0, "failures_per_s": 0.5, "time_share": 0.01, "queued": 3, "turns": 40, "failures": 4}
    return BusyAgent(agent_id=number, name=name, shard=0, state="running", **about | did)


@pytest.fixture
def agent():
    """Make one of the busiest agents."""
    return busy


@pytest.fixture
def stats():
    """Two shards of which one has no worker now; 100 turns, of which three failed."""
    return RouterStats(
        uptime_s=12.5,
        sessions=2,
        most_sessions=1_024,
        workers=[
            {"shard": 0, "incarnation": 1, "state": "ready", **dict.fromkeys(COUNTERS, 7), "oldest_ms": 1_500},
            {"shard": 1, "incarnation": 0, "state": "restarting"},
        ],
        totals=dict.fromkeys(COUNTERS, 9) | {"run": 100, "failed": 1, "agent_errors": 2, "of_a_later_release": 5},
        lost={"total": 3, "mailboxes": 2, "links": 1},
        undelivered_to_ended_sessions=1,
        dropped_by_supervisor={"calls that do not decode": 4},
        total_messages_processed=100,
        errors_by_type={"failed": 1, "agent_errors": 2, "lost": 3},
        inbound_queue_depth=90,
        latencies={"routing": LatencyStats(6, buckets=[1, 0, 2, *[0] * 17, 3])},
        rates={"run": 200.0, "failed": 6.0, "agent_errors": 4.0},
        messages_per_second=200.0,
    )


@pytest.fixture
def health():
    """One worker is ready, one is not, which is a problem; and one limit is near, for three agents."""
    reasons = [HealthReason("shard_down", "problem", shard, "", "", 0) for shard in (0, 1)]
    near = [LimitWarning("mailbox", 0, whose, have, 10, "", 0) for whose, have in (("a", 8), ("b", 9), ("c", 8))]
    workers = [
        WorkerHealth(0, 5, 1, "ready", 2, 3, 1_000, 1, agents_broken=2, agents_failed=1),
        WorkerHealth(1, 0, 0, "restarting", 0, 0, 0, 0),
    ]
    parts = {"shard 0": ComponentHealth("healthy", 0, 2)}
    return Health("degraded", "", reasons, 12.5, "0.1.0", 1, "", "", 2, 1_024, [], workers, parts, warnings=near)


@pytest.fixture
def parts():
    """What all shards tell, when all of them answer."""
    figures = Figures(10, 0, 7, 1, 0, 2, 0, 0, balanced=True, problems=[])
    return Parts(
        Ledger(figures, {0: figures}),
        DeadLetterStats(3, {"expired": 2, "retry_limit": 1}, 2_500, 64, 100_000, 5),
        ConversationStats(4, 9, 5, 100, 2.5, {2: 4}, 1_000, 2_000, 0, 0, 0, 0),
        Busiest([busy(1), busy(2, "tally", turns_per_s=100.0)], 1_000, 5),
    )
