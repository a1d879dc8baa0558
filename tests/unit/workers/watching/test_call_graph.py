"""Who talks to whom: what is counted and where, what is kept, and how near estimates are."""

import random
from math import sqrt

import pytest

from caxton.acl.capability import NOBODY
from caxton.acl.envelope import AUTOMATIC, Rare
from caxton.acl.escalation import ESCALATED
from caxton.acl.failure import END_PROTOCOL
from caxton.acl.performative import Performative
from caxton.errors import QueueFull
from caxton.wire.call_graph import CALL_GRAPH_LEASE_S, CLIENTS
from caxton.wire.watching import Watch
from workers.watching import call_graph as room
from workers.watching.call_graph import CallGraph
from workers.watching.pairs import MOST_BEFORE_ROOM, MOST_PAIRS
from workers.watching.waits import Waits
from workers.watching.watchers import Watchers

CLIENT, OTHER = 1 << 63, 1 << 63 | 1
# Agents of this shard are even.
HERE, SECOND, ELSEWHERE = 2, 4, 3
TICK_S = 0.2
FAILURE = int(Performative.FAILURE)


@pytest.fixture
def graph():
    """A call graph that somebody has asked for at the moment 0, with dice that are the same in every run."""
    made = CallGraph(lambda agent: agent % 2 == 0, random.Random(7).random)
    made.ask(0.0)
    return made


def word(message, performative):
    """A message as the runtime's own word."""
    message.performative = performative
    return message


def told(graph, now_s=1.0):
    """Messages and failures by pair."""
    pairs = graph.told(now_s, 500).pairs
    return {pair: (estimate.messages, estimate.failures) for pair, estimate in pairs.items()}


def test_a_message_is_counted_once_where_its_receiver_is(graph, message):
    """From a client or another shard when it comes, from an agent here when it is sent; clients are one party."""
    graph.came([message(CLIENT, HERE), message(OTHER, HERE)], from_client=True)
    graph.came([message(ELSEWHERE, HERE)], from_client=False)
    graph.sent([message(HERE, to) for to in (SECOND, ELSEWHERE, HERE, CLIENT)])
    graph.sent([message(HERE, NOBODY), message(CLIENT, OTHER)])  # to whoever is chosen later; between two clients
    assert told(graph) == {
        (CLIENTS, HERE): (2, 0),
        (ELSEWHERE, HERE): (1, 0),
        (HERE, SECOND): (1, 0),
        (HERE, HERE): (1, 0),
        (HERE, CLIENTS): (1, 0),
    }


def test_a_client_cannot_speak_for_an_agent(graph, message):
    """Whatever sender it names, and what it marks as the runtime's own word is no failure of anybody."""
    forged = message(SECOND, HERE)
    marked = word(message(SECOND, HERE, flags=AUTOMATIC), FAILURE)
    graph.came([forged, marked], from_client=True)
    assert told(graph) == {(CLIENTS, HERE): (1, 0)}


def test_failures_are_those_of_which_senders_are_told(graph, message):
    """In a message, of which other words than of a failure are none; and clients by a refusal."""
    ended = Rare(protocol=END_PROTOCOL)
    words = [
        word(message(HERE, SECOND, flags=AUTOMATIC), FAILURE),
        word(message(HERE, ELSEWHERE, flags=AUTOMATIC), int(Performative.NOT_UNDERSTOOD)),
        word(message(HERE, CLIENT, flags=AUTOMATIC), FAILURE),
        word(message(CLIENT, HERE, flags=AUTOMATIC), FAILURE),
        word(message(HERE, SECOND, flags=AUTOMATIC), int(Performative.CONFIRM)),
        word(message(HERE, SECOND, flags=AUTOMATIC, rare=ESCALATED), FAILURE),
        word(message(HERE, SECOND, flags=AUTOMATIC, rare=ended), FAILURE),
    ]
    graph.sent(words)
    graph.refused(
        [(1, message(CLIENT, HERE), QueueFull("tally", 1, 1)), (2, message(CLIENT, OTHER), QueueFull("x", 1, 1))]
    )
    assert told(graph) == {
        (SECOND, HERE): (0, 1),
        (ELSEWHERE, HERE): (0, 1),
        (CLIENTS, HERE): (0, 2),
        (HERE, CLIENTS): (0, 1),
    }


def test_what_is_told_is_of_two_windows_and_ends(graph, message):
    """The present one and the one before; ten seconds after the last question nothing is counted any more."""
    for second in range(8):
        graph.ask(second)
        graph.came([message(CLIENT, HERE)], from_client=True)
        graph.tick(second + 0.5)
    assert (told(graph, 8.0), graph.told(8.0, 500).over_s) == ({(CLIENTS, HERE): (8, 0)}, 8.0)
    for tenth in range(75, 171):
        graph.tick(tenth / 10)
        assert graph.is_asked == (tenth / 10 - 7.0 < CALL_GRAPH_LEASE_S)
    assert (len(graph), graph.is_counting) == (0, False)


def test_a_shard_counts_so_many_pairs(graph, message):
    """Those with least make room, count among the rest, and are counted; nothing of the sum is lost."""
    busy = [message(2 * number, HERE) for number in range(1, 51)]
    for start in range(100):
        graph.draw()
        graph.came([message(2_000 + 200 * start + 2 * number, HERE) for number in range(100)], from_client=False)
        graph.came(busy, from_client=False)
        graph.tick(0.04 * (start + 1))
        assert len(graph) <= MOST_BEFORE_ROOM
    few = graph.told(4.0, 50)
    assert graph.evicted > 7_000
    assert [few.pairs[2 * number, HERE].messages for number in range(1, 51)] == [100.0] * 50
    assert (few.part, few.rest_messages, few.rest_failures) == (1.0, 10_000, 0)
    graph.tick(5.0)
    graph.tick(5.2)
    later = graph.told(6.0, 50)
    assert (later.pairs.keys(), later.rest_messages) == (few.pairs.keys(), 10_000)
    assert len(graph) == MOST_PAIRS


@pytest.mark.parametrize("knows_turns", [True, False])
def test_where_much_goes_by_a_part_of_the_passes_stands_for_all(graph, message, knows_turns):
    """Estimates are as near as their standard errors say, which are small where turns are known of all passes."""
    dice, looked_at, off, errors, runs = random.Random(8), 0, [], [], 12
    clients, others = [message(CLIENT, HERE)] * 400, [message(ELSEWHERE, HERE)] * 200
    done = [0]
    graph.turns = lambda: done[0]
    for run in range(runs):
        graph.ask(10.0 * run)
        sent = {(CLIENTS, HERE): 0, (ELSEWHERE, HERE): 0}
        for tick in range(1, 21):  # 80,000 messages a second, for 4 s, in passes of many sizes
            for _ in range(64):
                size = dice.randrange(1, 100)
                of_others = dice.randrange(2 * size)
                counts = graph.draw()
                for pair, whole, part in zip(sent, (clients, others), (4 * size, of_others), strict=True):
                    sent[pair] += part
                    if counts:
                        looked_at += part
                        graph.came(whole[:part], from_client=False)
                done[0] += (4 * size + of_others) * knows_turns
            graph.tick(10.0 * run + tick * TICK_S)
        pairs, _, _, over_s, part = graph.told(10.0 * run + 4.0, 500)
        for pair, number in sent.items():
            spread = sqrt(pairs[pair].messages_variance)
            errors.append(spread / number)
            off.append((pairs[pair].messages - number) / max(spread, 1e-6 * number))
        assert over_s == pytest.approx(4.0)
        assert part < 1
        graph.tick(10.0 * run + 9.0)
        graph.tick(10.0 * (run + 1))  # beyond its lease: the next run begins anew
        assert not graph.is_asked
    assert looked_at < 1.5 * runs * 4 * room.ENOUGH_A_SECOND
    assert max(errors) < (0.1 if knows_turns else 0.3)
    assert abs(sum(off) / len(off)) < 1, "they are not too high, nor too low"
    assert sum(abs(one) < 2 for one in off) > len(off) * 0.8


def test_a_burst_is_not_counted_whole(graph, message):
    """Between two ticks as well, each pass beyond enough makes the next ones less likely."""
    counted = 0
    for _ in range(1_000):
        if graph.draw():
            counted += 1
            graph.came([message(CLIENT, HERE)] * 100, from_client=True)
    assert counted * 100 < 2 * room.MOST_AT_ONCE
    for tick in range(1, 40):
        graph.tick(tick * TICK_S)
    assert graph.part == 1.0, "where less goes by again everything is counted"


def test_nobody_pays_who_does_not_ask(message):
    """What goes by is looked at in passes that count, or while somebody watches, and else in none."""
    watchers = Watchers(0, Waits(), lambda agent: agent % 2 == 0)
    assert (watchers.is_asked, watchers.is_on) == (False, False)
    watchers.ask_graph(0.0)
    assert watchers.begin()
    watchers.came([message(CLIENT, HERE)], 5, from_client=True)
    watchers.graph.part = 0.0  # no pass counts
    assert (watchers.begin(), watchers.is_on, watchers.is_asked) == (False, False, True)
    watchers.asked(CLIENT, Watch(1, HERE), 0.0)
    assert watchers.begin()
    watchers.came([message(CLIENT, HERE)], 5, from_client=True)
    watchers.end(CLIENT)
    assert (watchers.is_on, watchers.is_asked) == (False, True)
    assert told(watchers.graph) == {(CLIENTS, HERE): (1, 0)}
    watchers.tick(CALL_GRAPH_LEASE_S)
    assert (watchers.is_on, watchers.is_asked) == (False, False)
