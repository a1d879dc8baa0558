"""What is kept of sampled turns, and who reads it."""

import sys

from caxton.wire.spans import DEPLOY, LeftSpan
from workers.watching.spans import MOST_SPAN_BYTES, MOST_SPANS, Spans
from workers.worker_pass import SpawnLeft


def left(number):
    return SpawnLeft("", 1, number, "a", 0, 0)


def test_a_shard_keeps_so_many_spans():
    """The first makes room for the one beyond the last, and that is counted, as nobody had read it."""
    spans = Spans()
    spans.add(left(number) for number in range(MOST_SPANS))
    assert (len(spans), spans.dropped) == (MOST_SPANS, 0)
    spans.add([left(MOST_SPANS)])
    assert (len(spans), spans.dropped, spans.last) == (MOST_SPANS, 1, MOST_SPANS + 1)
    assert [(n, each.agent_id) for n, each in spans.behind(0, 2)] == [(2, 1), (3, 2)]


def test_so_many_bytes_are_kept_of_what_clients_leave():
    """Whatever is in their attributes, what is kept weighs no less than it takes, and no more than the bound."""
    spans, count = Spans(), MOST_SPANS // 2
    made = [
        LeftSpan(DEPLOY, "", 1, 0, 0, 0, 0, attributes={f"{n}/{a}": "\U0001f600" * 100 for a in range(16)})
        for n in range(count)
    ]
    spans.add(made)
    takes = sum(map(sys.getsizeof, [*made[0].attributes, *made[0].attributes.values(), made[0], made[0].attributes]))

    assert MOST_SPAN_BYTES / 2 < spans.bytes <= MOST_SPAN_BYTES
    assert takes * len(spans) <= spans.bytes
    assert (len(spans) + spans.dropped, spans.last) == (count, count)


def test_what_was_read_is_not_missed_when_it_makes_room():
    """Only what nobody had read is counted."""
    spans = Spans()
    spans.add(left(number) for number in range(MOST_SPANS))
    assert len(list(spans.behind(0, 10))) == 10
    spans.add(left(number) for number in range(12))
    assert spans.dropped == 2


def test_several_read_each_from_its_own_place():
    """Reading takes nothing away."""
    spans = Spans()
    spans.add(left(number) for number in range(3))
    assert [n for n, _ in spans.behind(0, 100)] == [n for n, _ in spans.behind(0, 100)] == [1, 2, 3]
    assert [n for n, _ in spans.behind(2, 100)] == [3]
    assert list(spans.behind(3, 100)) == list(spans.behind(9, 100)) == []
