import pytest

from caxton.delivery.levels import NearLimit
from caxton.supervisor.desk.reasons import (
    KINDS,
    PROBLEM,
    WARNING,
    Found,
    Reasons,
    ShardSeen,
    reasons_of,
    status_of,
)
from caxton.supervisor.workforce.shard import ShardState
from caxton.wire.condition import MOST_NAMED, Condition, Named

READY, FAILED, RESTARTING = ShardState.READY, ShardState.FAILED, ShardState.RESTARTING
MIB = 1 << 20


def looked(*shards, sessions=0, most_sessions=100, compiler=None, files=None, gateway=None, now_ms=5_000):
    return Reasons().look(reasons_of(shards, sessions, most_sessions, compiler, files, gateway), now_ms)


def conditioned(**condition):
    return ShardSeen(0, READY, Condition(**condition))


@pytest.mark.parametrize(
    ("states", "problem", "status", "reason"),
    [
        ([READY, READY], None, "healthy", None),
        ([READY, FAILED], None, "degraded", "shard 1 is failed"),
        ([RESTARTING, READY, FAILED], None, "degraded", "shard 0 is restarting; shard 2 is failed"),
        ([READY], "no compiler is ready", "degraded", "no compiler is ready"),
        ([FAILED], "no compiler is ready", "unhealthy", "shard 0 is failed"),
        (
            [READY, ShardState.QUARANTINED],
            None,
            "degraded",
            (
                "shard 1 is quarantined (its file is damaged: bring back this very file, or `caxton restore` a backup "
                "into a new directory)"
            ),
        ),
        ([ShardState.STARTING] * 2, None, "unhealthy", "shard 0 is starting; shard 1 is starting"),
    ],
)
def test_the_status_says_who_serves(states, problem, status, reason):
    """All serve: healthy; some, or nothing can be compiled: degraded; nobody: unhealthy; with every reason."""
    shards = [ShardSeen(number, state) for number, state in enumerate(states)]
    assert status_of(shards, looked(*shards, compiler=problem)) == (status, reason)


ONE = Named(1, ["a"])
HOLDING = [
    ("disk_full", {"storage": "no room", "refused_ms": 1}, "shard 0 takes nothing durable: no room"),
    ("commit_stands_still", {"commit_ms": 1_000, "waiting_ms": 9_000}, "a commit of shard 0 takes 1 s already"),
    (
        "lane_stands_still",
        {"waiting_ms": 1_000, "busy": "a"},
        "shard 0 has committed nothing for 1 s, and durable work waits; most turns are of agent a",
    ),
    ("turns_stand_still", {"still_ms": 1_000}, "shard 0 has run no turn for 1 s, though messages may have theirs"),
    ("reads_stand_still", {"reading_ms": 2_000}, "shard 0 has read what waits on disk for 2 s, and has not got it"),
    ("dead_letters_full", {"dead_letters": 10, "dead_letter_capacity": 10}, "10 dead letters are in shard 0"),
    ("dead_letters_near", {"dead_letters": 8, "dead_letter_capacity": 10}, "8 dead letters are in shard 0, and 10"),
    (
        "dead_letter_bytes_full",
        {"dead_letter_bytes": 10, "most_dead_letter_bytes": 10},
        "10 bytes of dead letters are in shard 0",
    ),
    (
        "dead_letter_bytes_near",
        {"dead_letter_bytes": 8, "most_dead_letter_bytes": 10},
        "8 bytes of dead letters are in shard 0, and 10",
    ),
    ("agent_dead_letters_full", {"crowded": ONE}, "durable messages of clients to agent a"),
    ("mailboxes_full", {"held_back": True}, "its mailboxes hold too much"),
    ("sandboxes_full", {"sandboxes": 9, "most_sandboxes": 9}, "9 sandboxes are in shard 0"),
    ("sandboxes_near", {"sandboxes": 8, "most_sandboxes": 9}, "8 sandboxes"),
    *[
        (f"{name}_{how}", {name: have, f"most_{name}": 10}, f"{have} {what} are in shard 0, and 10 may be")
        for name, what in (
            ("keys", "idempotency keys"),
            ("answers", "bytes of answers to idempotency keys"),
            ("calls", "calls under way"),
        )
        for how, have in (("near", 8), ("full", 10))
    ],
    *[
        (f"effects_on_disk_{how}", {"on_disk": have, "most_on_disk": 10}, f"{have} KiB of effects wait on the disk")
        for how, have in (("near", 8), ("full", 10))
    ],
    *[
        (
            f"outbox_{how}",
            {"outbox": have, "most_outbox": 10, "outbox_of": "messages for shard 1"},
            f"{have} messages for shard 1 wait in an outbox of shard 0, and 10 may be",
        )
        for how, have in (("near", 8), ("full", 12))
    ],
    (
        "shard_far_behind",
        {"kept_back": ONE, "far": Named(2, ["1", "2"])},
        "shard 0 begins nothing new for agent a: so much that follows waits for shards 1, 2",
    ),
    (
        "principal_full",
        {"beyond_share": Named(2, ["principal a", "the runtime's owner"])},
        "shard 0 refuses what principal a, the runtime's owner send beyond their shares of mailboxes, dead letters or",
    ),
    (
        "states_full",
        {"unsaved": ONE, "states": 9, "most_states": 10},
        "shard 0 has no room for the states of agent a: what made them failed; all states have 9 bytes, and 10 may be",
    ),
    ("states_near", {"states": 8, "most_states": 10}, "8 bytes of states are in shard 0, and 10 may be"),
    ("agent_on_disk_full", {"full_on_disk": ONE}, "shard 0 keeps no more on disk for agent a: what is sent to them"),
    (
        "agents_failed",
        {"failed": Named(7, ["a", "b"])},
        "shard 0 runs no turns of agents a, b and 5 more: workers died",
    ),
    ("agents_broken", {"broken": ONE}, "shard 0 leaves agent a alone for a while"),
]


@pytest.mark.parametrize(("name", "condition", "text"), HOLDING)
def test_what_a_shard_tells_is_told(name, condition, text):
    """Each condition gives its own reason and no other, which names the shard and what is so."""
    (reason,) = looked(conditioned(**condition))
    assert (reason.name, reason.shard) == (name, 0)
    assert text in reason.text
    assert (reason.level, reason.advice) == KINDS[name]


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"commit_ms": 999, "waiting_ms": 999},
        {"dead_letters": 7, "dead_letter_capacity": 10},
        {"dead_letters": 10},
        {"sandboxes": 7, "most_sandboxes": 9},
    ],
)
def test_what_is_well_gives_no_reason(condition):
    """Below its limit, or with none, nothing is told; dead letters that may be evicted have none."""
    assert looked(conditioned(**condition)) == []


def test_what_is_seen_from_outside_is_told():
    """A silent worker is named with its turn; memory and clients are told at their limits and from 80 % on."""
    silent = ShardSeen(0, READY, silent_ms=2_500, in_turn="3f")
    assert [(r.name, r.text, r.since) for r in looked(silent)] == [
        ("worker_silent", "the worker of shard 0 has said nothing for 2 s, in a turn of agent 3f", 2_500)
    ]
    sizes = [
        ShardSeen(n, READY, resident_bytes=mib * MIB, memory_limit=100 * MIB) for n, mib in enumerate((79, 80, 100))
    ]
    assert [(r.name, r.shard) for r in looked(*sizes)] == [("memory_full", 2), ("memory_near", 1)]
    for sessions, names in ((79, []), (80, ["clients_near"]), (100, ["clients_full"])):
        assert [r.name for r in looked(conditioned(), sessions=sessions)] == names
    assert [r.name for r in looked(conditioned(), compiler="none", files="gone")] == ["compiler_missing", "files_gone"]


def test_a_shard_that_does_not_serve_has_one_reason():
    """What its last worker said, or how silent it is, counts no more."""
    gone = ShardSeen(0, RESTARTING, Condition(held_back=True), silent_ms=9_000)
    assert [reason.name for reason in looked(gone, ShardSeen(1, READY))] == ["shard_restarting"]


def test_a_warning_degrades_nothing():
    """Problems come first and degrade; warnings are told beside the status that there would be without them."""
    near, broken = conditioned(dead_letters=9, dead_letter_capacity=10), ShardSeen(1, READY, Condition(broken=ONE))
    assert [r.level for r in looked(near)] == [WARNING]
    assert status_of([near], looked(near)) == ("healthy", None)
    assert [r.level for r in looked(near, broken)] == [PROBLEM, WARNING]
    status, text = status_of([near, broken], looked(near, broken))
    assert (status, "dead letters" in text) == ("degraded", False)


def test_a_reason_keeps_the_moment_at_which_it_began():
    """It is told since the first look that found it, or since when it is said to hold; when it comes back, anew."""
    reasons, found = Reasons(), [Found("disk_full", 0, "x", 300), Found("files_gone", None, "y")]
    assert [r.since for r in reasons.look(found, 1_000)] == [700, 1_000]
    assert [r.since for r in reasons.look([Found("disk_full", 0, "z", 5)], 2_000)] == [700]
    assert [r.since for r in reasons.look([], 3_000)] == []
    assert [r.since for r in reasons.look(found, 4_000)] == [3_700, 4_000]


def test_every_reason_can_come_about():
    """No reason is listed that nothing gives, and none is given that the list does not know."""
    shards = [ShardSeen(n, state) for n, state in enumerate(ShardState) if state is not READY]
    found = [*looked(*shards, compiler="x", files="y", gateway="z")]
    found += [reason for _, condition, _ in HOLDING for reason in looked(conditioned(**condition))]
    found += looked(ShardSeen(0, READY, silent_ms=9_000, resident_bytes=9, memory_limit=9 * MIB), sessions=80)
    found += looked(ShardSeen(0, READY, resident_bytes=9 * MIB, memory_limit=9 * MIB), sessions=100)
    found += looked(ShardSeen(0, READY, resident_bytes=8 * MIB, memory_limit=9 * MIB))
    found += reasons_of([], 0, 9, None, None, near=[NearLimit("http_streams", 64, 64, "", 1)])
    found += reasons_of([], 0, 9, "it starts", None, audit="the disk is full", compiler_starts=True)
    assert {reason.name for reason in found} == KINDS.keys()


def test_what_the_gateway_refuses_is_named_as_far_as_it_is_told():
    """What is near alone is a warning and no reason; five limits are named, and how many more there are."""
    near = [NearLimit("http_streams", 63, 64, "", 1)]
    full = [NearLimit("http_token_streams", 32, 32, f"token:{n}", 1) for n in range(MOST_NAMED + 2)]
    assert reasons_of([], 0, 9, None, None, near=near) == []
    (one,) = reasons_of([], 0, 9, None, None, near=[full[0], *near])
    (many,) = reasons_of([], 0, 9, None, None, near=full)
    assert one == Found(
        "gateway_full", None, "the gateway refuses more: http_token_streams of token:0: 32 of 32 (100 %)"
    )
    assert many.text.count("token:") == MOST_NAMED
    assert many.text.endswith("token:4: 32 of 32 (100 %) and 2 more")


def test_a_few_agents_are_named():
    """A heartbeat carries five names of a group at most, and how many there are."""
    named = Named.of([f"a{n}" for n in range(9, 0, -1)])
    assert named == Named(9, [f"a{n}" for n in range(1, MOST_NAMED + 1)])
