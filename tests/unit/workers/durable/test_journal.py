import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caxton.links.durable import DurableIncoming
from caxton.store.waiting import decode_waiting
from caxton.wire.frames import FULL_FRAME_BYTES
from workers.agents.delivery import DURABLE_ROOT, ROW_SPAN, Delivery
from workers.commit.journal import Journal, Source
from workers.commit.outboxes import Outboxes
from workers.worker_pass import Pass

FILE, SESSION = 77, 1 << 63


@pytest.fixture
def journal():
    journal = Journal(FILE)
    journal.begin(Pass(5_000_000_000, 1_000))
    return journal


@pytest.fixture
def outboxes():
    return Outboxes(lambda _session: True, lambda _session: False)


@pytest.fixture
def deliver(journal, durable_message):
    """A function that lets a message enter, and returns its delivery."""

    def make(**fields):
        delivery = Delivery(durable_message(1, 2, **fields), SESSION, 9)
        delivery.came_ms, delivery.due_ms = 7, 30_007
        journal.enter(delivery)
        return delivery

    return make


def close(journal, outboxes):
    return journal.close(outboxes.of).commit


def test_what_is_finished_in_its_pass_costs_no_row(journal, outboxes, deliver):
    """A message that came and was finished before the close is in no row, and nothing is marked."""
    delivery = deliver()
    journal.finish(delivery)
    commit = close(journal, outboxes)

    assert (commit.unfinished, commit.done, commit.queued, journal.unfinished) == ([], {}, {}, 0)


def test_what_is_left_is_stored_in_its_order(journal, outboxes, deliver):
    """What is not finished at the close is stored, in the order in which it came, and has its root in the file."""
    deliveries = [deliver() for _ in range(600)]
    for delivery in deliveries[::2]:
        journal.finish(delivery)
    commit = close(journal, outboxes)

    left = deliveries[1::2]
    stored = [waiting for row in commit.unfinished for waiting in decode_waiting(row.messages)]
    assert [waiting.message for waiting in stored] == [delivery.message for delivery in left]
    assert [row.size for row in commit.unfinished] == [256, 44]
    assert len({(d.source, d.sequence) for d in left}) == 300
    assert all(d.source == FILE and d.sequence & DURABLE_ROOT for d in left)
    assert {(waiting.came_ms, waiting.due_ms) for waiting in stored} == {(7, 30_007)}
    assert journal.unfinished == 300


def test_rows_are_bounded_in_bytes(journal, outboxes, deliver):
    """A row takes no more messages once it has a quarter of a megabyte."""
    for _ in range(5):
        deliver(content=bytes(FULL_FRAME_BYTES // 2))
    assert [row.size for row in close(journal, outboxes).unfinished] == [2, 2, 1]


def test_rows_are_bounded_in_number(journal, outboxes, deliver):
    """A row has up to 256 messages."""
    for _ in range(2 * 256 + 1):
        deliver()
    assert [row.size for row in close(journal, outboxes).unfinished] == [256, 256, 1]


def test_what_is_finished_later_is_marked(journal, outboxes, deliver):
    """Each later close marks what was finished since, and the last one lets the row go."""
    first, second = deliver(), deliver()
    (row,) = close(journal, outboxes).unfinished
    journal.finish(first)
    assert close(journal, outboxes).done == {row.number: (b"\x01", 1)}

    journal.finish(second)
    assert close(journal, outboxes).done == {row.number: None}
    assert journal.unfinished == 0


def test_finishing_twice_counts_once(journal, outboxes, deliver):
    """A message that is finished already can be finished again without effect."""
    delivery = deliver()
    close(journal, outboxes)
    journal.finish(delivery)
    journal.finish(delivery)
    assert journal.unfinished == 0


def test_what_lingers_has_a_row_of_its_own(journal, outboxes, deliver):
    """A message that waits moves from its row to one of its own, keeps its place among the others, and its due time."""
    other, delivery = deliver(), deliver()
    (row,) = close(journal, outboxes).unfinished
    delivery.attempts = 1
    journal.linger(delivery, journal.now_ns + 2_000_000_000)
    commit = close(journal, outboxes)
    (queued,) = commit.queued.values()

    assert commit.done == {row.number: (b"\x02", 1)}
    assert (queued.attempts, queued.next_retry_ms, queued.from_row, queued.from_place) == (1, 3_000, row.number, 1)
    assert (delivery.source, delivery.sequence) == (FILE, queued.number * ROW_SPAN | DURABLE_ROOT)
    assert (journal.unfinished, other.row.number) == (2, row.number)


def test_what_lingers_again_keeps_its_number(journal, outboxes, deliver):
    """The row of a message that fails again is replaced, not deleted, and goes when it is finished."""
    delivery = deliver()
    journal.linger(delivery, 1)
    (number,) = close(journal, outboxes).queued
    delivery.attempts = 2
    journal.linger(delivery, 2)
    again = close(journal, outboxes)
    assert list(again.queued) == [number]
    assert again.dequeued == []

    journal.finish(delivery)
    last = close(journal, outboxes)
    assert (last.queued, last.dequeued, journal.unfinished) == ({}, [number], 0)


def test_a_first_turn_that_fails_lingers(journal, outboxes, durable_message):
    """A message that fails in the pass it came in, without having waited, is counted and stored from then on."""
    delivery = Delivery(durable_message(1, 2), SESSION, 9)
    journal.linger(delivery, 1)
    assert journal.unfinished == 1
    assert len(close(journal, outboxes).queued) == 1


def test_what_is_sent_is_numbered_at_the_close(journal, outboxes, durable_message):
    """Messages become frames at the close, in their order, counted by where they go; the way's row goes with them."""
    for place in range(300):
        journal.emit(1, durable_message(5, 9, content=str(place).encode()))
    journal.emit(SESSION, durable_message(5, SESSION))
    closed = journal.close(outboxes.of)
    commit = closed.commit

    assert [(row.target, row.first, row.last) for row in commit.outbox] == [(1, 1, 256), (1, 257, 300), (SESSION, 1, 1)]
    assert commit.targets[1].emitted == 300
    assert (commit.counts["emitted_workers"], commit.counts["emitted_sessions"]) == (300, 1)
    assert [(outbox.target, len(rows)) for outbox, rows in closed.rows] == [(1, 2), (SESSION, 1)]
    assert journal.empty


def test_what_is_taken_is_stored_with_what_it_caused(journal, outboxes):
    """A commit has the last sequence of each source that moved, and only these, and what is placed when it is done."""
    source = Source(SESSION, DurableIncoming(window_messages=64, window_bytes=1 << 20))
    source.incoming.take(1, 5, 50)
    journal.took(source, 5, 50)
    closed = journal.close(outboxes.of)

    assert closed.commit.sources == {SESSION: (5, None)}
    assert closed.placed == [(source, 5, 50)]
    assert journal.close(outboxes.of).placed == []


def test_a_session_that_ends_leaves_no_row(journal, outboxes, durable_message):
    """What was gathered for a client that ended is returned, and neither its source nor its target is written."""
    source = Source(SESSION, DurableIncoming(window_messages=64, window_bytes=1 << 20))
    source.incoming.take(1, 1, 1)
    journal.took(source, 1, 1)
    sent = durable_message(5, SESSION)
    journal.emit(SESSION, sent)
    assert journal.end_session(SESSION) == [sent]
    commit = close(journal, outboxes)

    assert (commit.sources, commit.targets, commit.outbox, commit.ended) == ({}, {}, [], {SESSION})


def test_another_store_gets_what_the_old_one_did_not_acknowledge(journal, outboxes, durable_message):
    """What a lost store had not acknowledged is numbered anew from 1: the old rows go and the new ones are released."""
    for place in range(3):
        journal.emit(1, durable_message(5, 9, content=bytes([place])))
        closed = journal.close(outboxes.of)
    outbox = outboxes.of(1)
    numbers = [packed.number for packed in outbox.frames]
    journal.renumber(outbox)
    closed = journal.close(outboxes.of)

    assert closed.commit.settled == numbers
    assert [(row.first, row.last) for row in closed.commit.outbox] == [(1, 1), (2, 2), (3, 3)]
    assert closed.commit.targets[1].emitted == 3
    assert closed.rows == [(outbox, closed.commit.outbox)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # it only makes messages
@given(steps=st.lists(st.sampled_from(["enter", "finish", "linger", "close"]), max_size=60), data=st.data())
def test_the_file_holds_what_is_not_finished(durable_message, steps, data):
    """Whatever enters, lingers, and is finished around closes: the rows hold exactly what is not finished."""
    journal, outboxes = Journal(FILE), Outboxes(lambda _session: True, lambda _session: False)
    rows, queue, live = {}, {}, []
    for step in [*steps, "close"]:
        if step == "enter":
            live.append(Delivery(durable_message(1, 2), SESSION, 9))
            journal.enter(live[-1])
        elif step == "close":
            commit = close(journal, outboxes)
            rows |= {r.number: [w.message.message_id for w in decode_waiting(r.messages)] for r in commit.unfinished}
            marks = {number: marked for number, marked in commit.done.items() if marked is not None}
            for number in commit.done.keys() - marks.keys():
                del rows[number]
            for number, (marked, _) in marks.items():
                rows[number] = [
                    None if marked[place >> 3] >> (place & 7) & 1 else one for place, one in enumerate(rows[number])
                ]
            queue |= {n: decode_waiting(row.message)[0].message.message_id for n, row in commit.queued.items()}
            for number in commit.dequeued:
                queue.pop(number, None)
        elif live:
            delivery = data.draw(st.sampled_from(live))
            if step == "finish":
                live.remove(delivery)
                journal.finish(delivery)
            else:
                journal.linger(delivery, 1)
    stored = [one for row in rows.values() for one in row if one is not None] + list(queue.values())

    assert sorted(stored) == sorted(delivery.message.message_id for delivery in live)
    assert journal.unfinished == len(live)
