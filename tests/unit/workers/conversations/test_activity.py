"""In how many active conversations each agent is: counted as it changes, and the same as counted anew."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from caxton.acl.envelope import Opening
from caxton.conversations.lines import Lines
from caxton.conversations.record import Record
from caxton.ids import SESSION_BIT
from caxton.protocols import Position
from workers.conversations.table import Table

AGENTS = [n << 10 for n in range(1, 5)]
ELSEWHERE = 9 << 10
PARTIES = st.sampled_from([*AGENTS, ELSEWHERE, SESSION_BIT | 1])


def counted_anew(table):
    """What the table should say: of every conversation that goes on, whoever of this shard is active there."""
    found = Counter()
    for record in table.live.values():
        if record.lines is None:
            found.update(party for party in record.parties if party in AGENTS)
        else:
            found.update({line[0] for line, position in record.lines.positions.items() if position.deadline_ms})
    return dict(found)


def steps():
    """What may happen: to which of a few conversations, and to whom."""
    number = st.integers(0, 3)
    return st.lists(
        st.one_of(
            st.tuples(st.just("open"), number, PARTIES),
            st.tuples(st.just("join"), number, PARTIES),
            st.tuples(st.just("line"), number, st.sampled_from(AGENTS), st.integers(1, 2), st.booleans()),
            st.tuples(st.sampled_from(["archive", "revive", "drop"]), number),
        ),
        max_size=60,
    )


@settings(deadline=None)
@given(steps())
def test_it_is_what_counting_anew_gives(steps):
    """Whatever begins, is joined, gets lines of a protocol, ends and goes on: nobody is counted twice, or for ever."""
    table = Table(lambda _: None, lambda agent: agent in AGENTS)
    for step in steps:
        happens(table, *step)
        assert table.activity.of == counted_anew(table)
    for record in list(table.live.values()):
        table.archive(record, 0)
    assert table.activity.of == {}


def happens(table, what, number, *more):
    """One of the steps, where it can be."""
    name = bytes([number]) * 16
    record = table.live.get(name)
    if what == "open" and table.find(name) is None:
        table.open(Record(name, more[0], 0, 300, Opening(), 4, parties={}, recent=[]))
    elif what == "revive" and name in table.archived:
        table.revive(table.archived[name])
    elif record is not None and what == "join":
        record.join(more[0])
        table.weigh(record)
    elif record is not None and what == "line":
        move(table, record, *more)
    elif record is not None and what == "archive":
        table.archive(record, 0)
    elif record is not None and what == "drop":
        table.drop(record)


def move(table, record, agent, other, is_open):
    """Let a line stand somewhere, as the rules of protocols do."""
    if record.lines is None:
        record.lines = Lines()
    position = Position(1, 1, 0, 1, 1_000 if is_open else 0, bytes(16))
    change = record.lines.move((agent, other), position, None, 0)
    if change:
        table.activity.change(agent, change)
    record.join(agent)
    table.weigh(record)


def test_it_is_told_with_the_load(make_talk):
    """Who subscribes to a capability is told in how many active conversations each agent is, as that changes."""
    talk = make_talk()
    agent, loads = talk.shard.agent(7, can=("a",)), talk.shard.parts.capabilities._loads
    for number in (1, 2, 3):
        assert talk.say(agent, conversation_id=bytes([number]) * 16) is None
    assert loads.candidate(agent.agent_id, ("a",)).active == 3
    assert loads.weighed(agent.agent_id, ("a",)).active == 3
    talk.conversations.table.archive(talk.record(bytes([1]) * 16), 0)
    assert loads.weighed(agent.agent_id, ("a",)).active == 2
