"""What follows from one message ends, whatever guests answer, and whom: also by what the runtime itself says of it."""

from itertools import count

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from caxton.acl.envelope import DURABLE, Opening, Rare
from caxton.ids import ConversationId
from caxton.wire.control import SessionEnded

# Whom guests tell, and how: what fits, what is too late, what answers nothing, what is of no protocol. reply_by: from
# when it is said, in ms.
NOBODY, GONE, UNREAD, LEAVES = 9 << 10, (1 << 63) + 3, (1 << 63) + 1, (1 << 63) + 2
WHOM = [1 << 10, 2 << 10, 3 << 10, NOBODY, GONE, UNREAD, LEAVES]
PLAIN = {}
ASKS = {"protocol": "fipa-request", "performative": "request", "reply_by": 50_000}
LATE = {"protocol": "fipa-request", "performative": "request", "reply_by": -50_000}
BIDS = {"protocol": "fipa-contract-net", "performative": "cfp"}
UNFIT = {"protocol": "fipa-request", "performative": "agree"}
UNKNOWN = {"protocol": "fipa-nonsense"}
SAID = st.tuples(st.sampled_from(WHOM), st.sampled_from([PLAIN, ASKS, LATE, BIDS, UNFIT, UNKNOWN]), st.booleans())
ANSWERS = st.lists(st.lists(SAID, max_size=3), min_size=3, max_size=3)
A_STORM = 4_000
NONE = [[], []]


def one_sided(*said):
    """Guests of which only the first one speaks."""
    return [list(said), *NONE]


def follow(shard, message, answers, lane, rare):
    """Let a client send one message, and all that is said because of it be handled; returns how many turns."""
    conversations, client = count(1), shard.sessions[0]
    agents = [shard.agent(n + 1) for n in range(3)]
    told = dict(zip([agent.agent_id for agent in agents], answers, strict=True))

    def work(agent, given):
        if len(shard.turns.ran) > A_STORM:
            return None  # or it would not end at all
        in_its, now_ms = msgspec.msgpack.decode(given)["conversation_id"], shard.durable.journal.wall_ms
        return msgspec.msgpack.encode(
            {
                "messages": [
                    {"receiver": to, "content": b"x", "reply_with": bytes(16)}
                    | {"conversation_id": in_its if goes_on else next(conversations).to_bytes(16, "big")}
                    | how
                    | ({"reply_by": now_ms + how["reply_by"]} if "reply_by" in how else {})
                    for to, how, goes_on in told[agent.agent_id]
                ]
            }
        )

    shard.turns.work = work
    shard.gone.add(GONE)
    root = message(client, agents[0].agent_id, flags=lane, rare=rare)
    root.conversation_id = bytes(ConversationId.of_session(client, 1))
    shard.frame(client, [root], lane=1 if lane else 0)
    shard.work()
    shard.say(SessionEnded(0, shard.marks.mark(0), LEAVES))
    turns, rounds = 0, 0
    while turns < len(shard.turns.ran) or rounds < 6:
        turns, rounds = len(shard.turns.ran), rounds + 1
        shard.durable.journal.served.now_ms += 70_000  # beyond what is asked by, in time beyond all deadlines
        shard.tick()
        shard.work()
    return turns


@pytest.fixture
def few_unread(monkeypatch):
    """A client's outbox is full with 2 messages."""
    monkeypatch.setattr("workers.durable.routes.MOST_UNREAD", 2)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=max(1, settings().max_examples // 5),
    deadline=None,
)
@given(ANSWERS, st.sampled_from([0, DURABLE]), st.integers(1, 6), st.integers(1, 20), st.sampled_from([0, 2]))
@example(one_sided((GONE, PLAIN, True)), 0, 1, 1, 0)
@example(one_sided((GONE, PLAIN, True)), DURABLE, 1, 1, 0)
@example(one_sided((UNREAD, PLAIN, True)), DURABLE, 1, 1, 0)
@example(one_sided(*[(2 << 10, UNFIT, False)] * 3), 0, 1, 1, 0)
@example(one_sided(*[(2 << 10, UNKNOWN, False)] * 3), DURABLE, 1, 1, 0)
@example(one_sided((2 << 10, ASKS, False), (3 << 10, ASKS, False)), 0, 2, 10, 0)
@example(one_sided((2 << 10, ASKS, False), (3 << 10, BIDS, False)), DURABLE, 2, 10, 0)
@example([[(2 << 10, PLAIN, True)], [(1 << 10, PLAIN, True)], []], 0, 4, 20, 2)
@example(one_sided(*[(LEAVES, ASKS, False)] * 3), 0, 1, 1, 0)
def test_all_that_follows_from_one_message_ends(  # noqa: PLR0913, PLR0917 (what is drawn)
    make_shard, message, few_unread, answers, lane, hops, work, turns
):
    """Each message that was counted brings forth a bounded number of words of the runtime, and these count too."""
    del few_unread
    shard = make_shard(durable=True)
    rare = Rare(max_hops=hops, max_work=work, conversation=Opening(turns=turns, timeout_s=300))
    most = 3  # that one turn sends
    assert follow(shard, message, answers, lane, rare) <= (1 + work) * (10 + most)
    shard.close()
