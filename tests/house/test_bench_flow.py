import importlib
import itertools
import sys
from collections import Counter, deque

import msgspec
import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from caxton.acl.envelope import Envelope
from caxton.acl.performative import ACTS
from caxton.agents.limits import DEFAULT_CAPACITY
from caxton.store.books import Book
from caxton.wire.counters import COUNTERS
from workers.sandbox.guest_messages import to_guest

SENDER, RECEIVER = 0x1234_5678_9ABC_DEF0, 0x0FED_CBA9_8765_4321
GRAPHS = [
    "flat",
    "flat-msgpack",
    "coordinator-replies",
    "coordinator-news",
    "ring",
    "pipeline",
    "star",
    "gossip",
    "broker",
    "circle",
]


@pytest.fixture(scope="session")
def room(root):
    """Import a module of the bench, which is no part of the package that is shipped: it comes last on the path."""
    sys.path.append(str(root))
    return lambda name: importlib.import_module(f"bench.{name}")


@pytest.fixture(scope="session")
def graphs(room):
    return room("flow.graphs")


@pytest.fixture
def guest(room):
    """Return a function that starts an agent of a graph and returns what has it handle a message."""
    made = room("flow.guests")

    def start(agent, names):
        engine = wasmtime.Engine()
        store = wasmtime.Store(engine)
        exports = wasmtime.Instance(store, wasmtime.Module(engine, made.module(agent, names)), []).exports(store)
        memory, buffer = exports["memory"], exports["caxton_alloc"](store, 4_096)

        def handle(performative, content, sender=SENDER):
            message = Envelope(b"m" * 16, ACTS.index(performative), sender, RECEIVER, content, b"r" * 16, None, None, 0)
            given = to_guest(message)
            memory.write(store, given, buffer)
            answer = exports["handle_message"](store, buffer, len(given))
            if answer == 0:
                return []
            output = bytes(memory.read(store, answer >> 32, (answer >> 32) + (answer & 0xFFFFFFFF)))
            return msgspec.msgpack.decode(output)["messages"]

        return handle

    return start


def play(graphs, graph, roots):
    """Run a graph's rules as they are written and return how many turns that took."""
    entries = itertools.islice(itertools.cycle(graph.entries), roots)
    waiting = deque((entry, graphs.REQUEST, graph.hops, "client") for entry in entries)
    turns, times = 0, Counter()
    while waiting:
        name, performative, hops, sender = waiting.popleft()
        turns += 1
        agent = graph.agents[name]
        if not agent.rules:
            if sender != "client":  # an echo answers
                waiting.append((sender, graphs.TELL, hops, name))
            continue
        rule = agent.rules.get(performative, graphs.NOTHING)
        times[name, performative] += 1
        if times[name, performative] % rule.every or (rule.counts_hops and not hops):
            continue
        for said in rule.says:
            to = sender if said.to in {graphs.SENDER, graphs.ANSWER} else said.to
            if to == "client":
                continue
            waiting.append((to, said.performative, hops - rule.counts_hops, name))
    return turns


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("roots", [1, 11, 40])
def test_the_turns_of_a_graph_follow_from_its_rules(graphs, name, roots):
    """As many turns are expected of a graph as its rules cause when they are played through."""
    graph = graphs.GRAPHS[name]

    assert graph.turns(roots) == play(graphs, graph, roots)


def test_every_graph_is_tried(graphs):
    """The graphs of the bench are those that these tests try, flat first."""
    assert list(graphs.GRAPHS) == GRAPHS


@pytest.mark.parametrize("name", GRAPHS[1:])
def test_a_flood_is_more_than_the_mailboxes_hold(graphs, name):
    """At 200,000 turns more messages enter each graph than the mailboxes at its entries hold, and about so many run."""
    graph = graphs.GRAPHS[name]
    roots = graph.roots(200_000)

    assert roots > len(graph.entries) * DEFAULT_CAPACITY
    assert graph.turns(roots) == pytest.approx(200_000, rel=0.01)
    assert graph.roots(1) == 1


@pytest.mark.parametrize("name", GRAPHS[1:])
def test_a_guest_says_what_its_rule_says(graphs, guest, name):
    """Each agent says to each performative just the messages of its rule, with the hops that are left in each."""
    graph = graphs.GRAPHS[name]
    names = {agent: f"{agent}-in-the-runtime" for agent in graph.agents}
    for agent in filter(lambda agent: agent.rules, graph.agents.values()):
        for performative in (graphs.REQUEST, graphs.ASK, graphs.TELL):
            rule = agent.rules.get(performative, graphs.NOTHING)
            handle = guest(agent, names)
            hops = 7 + rule.counts_hops
            said = [handle(performative, hops.to_bytes(4, "little")) for _ in range(rule.every)]

            assert said[:-1] == [[]] * (rule.every - 1)
            assert [message["content"] for message in said[-1]] == [(7).to_bytes(4, "little")] * len(rule.says)
            assert [message["performative"] for message in said[-1]] == [each.performative for each in rule.says]
            assert ["reply_with" in message for message in said[-1]] == [each.asks for each in rule.says]
            to = {graphs.SENDER: SENDER, graphs.ANSWER: None} | names
            assert [message.get("receiver") for message in said[-1]] == [to[each.to] for each in rule.says]


def test_a_guest_ends_where_hops_and_failures_do(graphs, guest):
    """Nothing is said when no hops are left, nor to a failure, nor to what wakes an agent."""
    ring = graphs.GRAPHS["ring"]
    handle = guest(ring.agents[ring.entries[0]], {name: name for name in ring.agents})

    assert handle("inform", bytes(4)) == []
    assert handle("cancel", (3).to_bytes(4, "little")) == []
    assert handle("failure", b"a report of another length") == []
    with pytest.raises(wasmtime.Trap, match="unreachable"):
        handle("inform", b"five!")


@given(
    st.lists(st.tuples(st.floats(0.001, 1.0), st.integers(0, 3))).filter(lambda steps: any(more for _, more in steps))
)
def test_a_standstill_is_as_long_as_looks_show_the_same(room, steps):
    """The longest standstill lies between two looks with the same turns, from the first turn to the last one."""
    now_s, turns, wanted = 10.0, 0, sum(more for _, more in steps)
    standstill = room("flow.pulse").Standstill(now_s, wanted)
    seen: dict[int, list[float]] = {}
    for passed_s, more in steps:
        now_s, turns = now_s + passed_s, turns + more
        standstill.look(now_s, turns)
        seen.setdefault(turns, []).append(now_s)

    stood_s = [at[-1] - at[0] for ran, at in seen.items() if 0 < ran < wanted]
    assert standstill.turns == wanted
    assert standstill.still_s == 0.0
    assert standstill.ended_s == seen[wanted][0]
    assert standstill.longest_s == pytest.approx(max(stood_s, default=0.0))


def test_a_graph_that_never_begins_stands_still(room):
    """Where no turn runs the standstill is all of the time that was looked at."""
    standstill = room("flow.pulse").Standstill(1.0, 10)
    for now_s in (1.5, 2.0, 4.0):
        standstill.look(now_s, 0)

    assert standstill.ended_s is None
    assert standstill.still_s == standstill.longest_s == pytest.approx(3.0)


def test_a_mapped_counter_shows_each_commit(room, tmp_path):
    """A counter that is read from a mapped book is what its owner last committed."""
    book = Book.create(tmp_path / "a.book", 1, ("passes", "run"), peers=2)
    counter = room("flow.pulse").MappedCounter(tmp_path / "a.book", "run")
    shown = []
    for more in (1, 2, 3):
        book.count("run", more)
        shown.append(counter.read())
        book.commit()
    shown.append(counter.read())
    counter.close()
    book.close()

    assert shown == [0, 1, 3, 6]


def test_what_the_bench_looks_at_is_in_every_book(room):
    """Each counter that tells of a message without a turn, and each gauge of what waits, is one of a worker's."""
    amiss = itertools.chain.from_iterable(room("flow.flood").AMISS.values())
    read = [*amiss, *room("flow.crew").WAITING, room("flow.pulse").TURNS]

    assert set(read) - set(COUNTERS) == set()
