"""Limits that are near, as the supervisor shows and tells them."""

import pytest

from caxton.delivery.levels import Level, NearLimit
from caxton.supervisor.desk.near_limits import NearLimits
from caxton.supervisor.desk.reasons import ShardSeen
from caxton.supervisor.workforce.shard import ShardState
from caxton.wire.condition import Condition

READY = ShardState.READY
KEYS = NearLimit("keys", 9, 10, "agent a", 7)


@pytest.fixture
def told():
    return []


@pytest.fixture
def near(told):
    return NearLimits(told.append)


def seen(number, *limits, state=READY, **fields):
    return ShardSeen(number, state, condition=Condition(near=[*limits]), **fields)


def test_what_shards_say_is_shown_and_told_once(near, told):
    """Each with its shard; the event comes when it begins, and again only when it has begun anew."""
    for _ in range(3):
        found = near.look([seen(0), seen(1, KEYS)], [Level("clients", 0, 100)], 50)
    assert [(one.limit, one.shard, one.whose, one.have, one.most, one.since) for one in found] == [
        ("keys", 1, "agent a", 9, 10, 7)
    ]
    assert [(event.name, event.level, event.text) for event in told] == [
        ("limit_near", "warning", "shard 1, limit near: keys of agent a: 9 of 10 (90 %)")
    ]
    assert told[0].fields["whose"] == "agent a"

    assert near.look([seen(0), seen(1)], [Level("clients", 0, 100)], 60) == []
    near.look([seen(1, NearLimit("keys", 8, 10, "agent a", 70))], [Level("clients", 0, 100)], 70)
    assert len(told) == 2


def test_clients_and_memory_are_of_the_runtime(near, told):
    """The supervisor looks at its own limits with the same rule: from 80 % on, until less than 70 %."""
    for sessions, mib, names in (
        (79, 79, []),
        (80, 79, ["clients"]),
        (70, 85, ["memory", "clients"]),
        (69, 70, ["memory"]),
        (0, 69, []),
    ):
        found = near.look([seen(3, resident_bytes=mib, memory_limit=100)], [Level("clients", sessions, 100)], 1)
        assert [one.limit for one in found] == names
    assert [event.text for event in told] == [
        "limit near: clients: 80 of 100 (80 %)",
        "limit near: memory of the worker of shard 3: 85 of 100 (85 %)",
    ]


def test_what_the_gateway_says_is_of_the_runtime(near, told):
    """It has been decided there what is near, and since when; it is told once, as what shards say."""
    streams = NearLimit("http_token_streams", 32, 32, "token:a", 7)
    for _ in range(2):
        found = near.look([seen(0)], [Level("clients", 0, 100)], 50, [streams])
    assert [(one.limit, one.shard, one.whose, one.have, one.most, one.since) for one in found] == [
        ("http_token_streams", None, "token:a", 32, 32, 7)
    ]
    assert [event.text for event in told] == ["limit near: http_token_streams of token:a: 32 of 32 (100 %)"]
    assert near.look([seen(0)], [Level("clients", 0, 100)], 60) == []


def test_a_shard_that_does_not_serve_is_near_nothing(near):
    """What its last worker said is over; memory without a limit is never near."""
    assert (
        near.look([seen(0, KEYS, state=ShardState.RESTARTING, resident_bytes=9)], [Level("clients", 0, 100)], 1) == []
    )
