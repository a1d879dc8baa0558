import asyncio
from collections import Counter

import pytest

from caxton.acl.envelope import DURABLE, Envelope
from caxton.acl.options import Lane
from caxton.client.routes.answers import Answers
from caxton.client.routes.batches import Batch
from caxton.client.routes.durable_route import (
    MOST_AGE_OF_A_KEY_MS,
    SILENT_TICKS,
    TELL_AFTER,
    TELL_AFTER_BYTES,
    TICKS_TO_BE_TOLD,
)
from caxton.client.routes.inbox import INBOX_CAPACITY
from caxton.client.routes.outlets import Outlets
from caxton.client.routes.receipts import Receipt
from caxton.client.routes.shard_route import ShardRoute
from caxton.errors import NetworkError, ShardUnavailable, StorageError
from caxton.wire.codec import CONTROL, DATA
from caxton.wire.control import Hello
from caxton.wire.frames import DataFrame
from caxton.wire.link_state import LinkState, Refusal

SESSION, MARK, FILE = 1 << 63, bytes(16), 77


class Client:
    """A route, the worker's end of it by hand, and one batch of sends."""

    def __init__(self, make_wire):
        self.make_wire = make_wire
        self.answers, self.counts = Answers(), Counter()
        self.route = ShardRoute(0, SESSION, MARK, self.answers, self.counts)
        self.durable = self.route.durable
        self.answers.inbox.on_room = self.durable.ask_again
        self.incarnation = self.states = 0
        self.batch = Batch(2_000, "send", 60.0, asyncio.get_running_loop())
        self.submitted = 0

    def start(self, file=FILE, taken=0):
        """A worker starts and greets; with file=0 it does not."""
        self.incarnation += 1
        self.states = 0
        self.data, self.control = self.make_wire(), self.make_wire()
        self.route.change(Outlets(self.incarnation, self.data, self.control), "ready")
        if file:
            self.greet(taken, file)

    def greet(self, taken, file=FILE, answer_wanted=False):
        self.durable.heard_hello(Hello(self.incarnation, MARK, SESSION, file, SESSION, taken, 0, answer_wanted))
        self.durable.send()

    def submit(self, *contents, receiver=None):
        """Submit messages, each for an agent of its own or all for one; returns their places in the batch."""
        places = range(self.submitted, self.submitted + len(contents))
        self.submitted += len(contents)
        entries = [
            (Envelope(bytes(16), 7, SESSION, receiver or 1 + n, c, flags=DURABLE), self.batch, n, True)
            for n, c in zip(places, contents, strict=True)
        ]
        self.route.submit(entries, Lane.DURABLE)
        self.durable.send()
        return places

    def request(self, *, created_at=0):
        """Submit a request; returns its place in the batch."""
        place, self.submitted = self.submitted, self.submitted + 1
        request = Envelope(bytes(16), 7, SESSION, 5, b"q", bytes(16), created_at=created_at, flags=DURABLE)
        self.route.submit([(request, self.batch, place, False)], Lane.DURABLE)
        self.durable.send()
        return place

    def told(self, taken, closed="", credit=10_000, refusals=(), emitted=0):
        self.states += 1
        state = LinkState(
            source=self.incarnation,
            mark=MARK,
            target=SESSION,
            lane=1,
            number=self.states,
            closed=closed,
            taken=taken,
            credit_messages=credit,
            credit_bytes=1 << 40,
            refusals_from=refusals[0].sequence - 1 if refusals else 0,
            refusals=list(refusals),
            full=[],
            emitted=emitted,
            refusals_seen=0,
        )
        self.route.heard_state(state)
        self.durable.send()

    def sent(self):
        """What went to the worker: (first sequence, resent, contents) of each frame."""
        frames = [DATA.decode(frame) for frame in self.data.frames]
        self.data.frames.clear()
        return [(f.first, f.resent, [m.content for m in f.messages]) for f in frames]

    def said(self, kind):
        """The control frames of a kind that went to the worker."""
        controls = [CONTROL.decode(frame) for frame in self.control.frames]
        self.control.frames.clear()
        return [control for control in controls if isinstance(control, kind)]

    def results(self, places):
        return [type(self.batch.results[place]) for place in places]

    def arrive(self, first, count, size=0):
        """A frame of so many bytes, of unasked messages, comes from the worker's outbox."""
        messages = [Envelope(n.to_bytes(16, "big"), 7, 5, SESSION, b"", flags=DURABLE) for n in range(count)]
        frame = DataFrame(self.incarnation, MARK, SESSION, 1, first, resent=False, messages=messages)
        self.durable.take(frame, size)


@pytest.fixture
async def client(make_wire):
    client = Client(make_wire)
    yield client
    client.batch.cancel()


async def test_nothing_goes_to_a_worker_that_has_not_greeted_us(client):
    """A new worker is told who is there at once and at every tick; data follows when it has answered."""
    client.start(file=0)
    client.submit(b"a")
    client.durable.tick()
    assert client.sent() == []
    assert [(h.file, h.of_file, h.taken, h.answer_wanted) for h in client.said(Hello)] == [(SESSION, 0, 0, True)] * 2

    client.greet(0, answer_wanted=True)
    client.durable.tick()
    assert client.sent() == [(1, False, [b"a"])]
    assert [(h.of_file, h.answer_wanted) for h in client.said(Hello)] == [(FILE, False)]


async def test_a_send_ends_when_it_is_acknowledged(client):
    """Its result is a receipt with its id and lane."""
    client.start()
    (place,) = client.submit(b"a")
    assert client.batch.results[place] is None
    client.told(1)

    assert client.batch.results[place] == Receipt(bytes(16), Lane.DURABLE)


async def test_what_is_under_way_goes_to_the_next_worker_as_it_was(client):
    """Every sequence has the same content again, marked as resent, after what the next worker says it has."""
    contents = [str(n).encode() for n in range(700)]
    client.start()
    client.told(0)
    client.submit(*contents)
    client.sent()
    client.start(taken=100)
    client.told(100)
    resent = client.sent()

    assert all(is_resent for _, is_resent, _ in resent)
    assert [first for first, _, _ in resent][:2] == [101, 165]
    assert [content for _, _, some in resent for content in some] == contents[100:]
    assert {first: some[0] for first, _, some in resent} == {first: contents[first - 1] for first, _, _ in resent}
    assert client.counts["resent"] == 600


async def test_what_waited_for_room_goes_to_the_next_worker_unasked(client):
    """A successor knows of no agent that is full, and has nothing to say to who sends nothing: so it goes at once."""
    client.start()
    client.durable.link.full = frozenset({5})
    client.submit(b"a", receiver=5)
    assert client.sent() == []
    client.start()
    assert client.sent() == [(1, False, [b"a"])]


async def test_what_its_caller_gave_up_goes_again_too(client):
    """A sequence that has a number keeps its message, whether anybody waits for it or not."""
    client.start()
    client.submit(b"a", b"b")
    client.batch.cancel()
    client.sent()
    client.start()

    assert client.sent() == [(1, True, [b"a", b"b"])]


async def test_a_full_disk_ends_what_has_no_number(client):
    """While the worker is closed, what waits and what comes ends with StorageError; what is under way waits for it."""
    client.start()
    going = client.submit(*[b"x"] * 64)
    waiting = client.submit(b"y")
    client.told(0, closed="the disk is full", credit=64)
    later = client.submit(b"z")
    assert client.results([*waiting, *later]) == [StorageError] * 2
    assert "shard 0: the disk is full" in str(client.batch.results[waiting[0]])
    assert client.durable.has_room(5), "who does not want to wait is told at once"

    client.told(64)
    assert client.results(going) == [Receipt] * 64
    assert client.submit(b"y")
    assert client.sent()[-1] == (65, False, [b"y"])


async def test_who_gives_up_while_the_disk_is_full_is_told_what_is_known(client):
    """A Timeout of what is under way says that the disk is full and that it may be stored; not once there is room."""
    client.start()
    client.submit(b"x")
    assert client.batch.knows == ""
    client.told(0, closed="the disk is full")
    assert client.batch.knows == "shard 0 takes nothing durable now: the disk is full; it may be stored yet"
    client.told(0)
    assert client.batch.knows == ""


async def test_a_worker_that_takes_nothing_is_asked_whether_it_does_again(client):
    """Every two seconds, also when nothing is under way: its word that there is room on the disk may have been lost."""
    client.start()
    client.told(0, closed="the disk is full")
    client.said(Hello)
    for _ in range(SILENT_TICKS):
        client.durable.tick()
    assert [hello.answer_wanted for hello in client.said(Hello)] == [True]


@pytest.mark.parametrize("state", ["failed", "quarantined"])
async def test_a_shard_that_does_not_come_back_ends_what_has_no_number(client, state):
    """What waits for credit, and what comes, ends with ShardUnavailable; what is under way may still be committed."""
    client.start()
    going = client.submit(*[b"x"] * 64)
    waiting = client.submit(b"y")
    client.route.change(None, state)
    assert client.results([*going, *waiting, *client.submit(b"z")]) == [type(None)] * 64 + [ShardUnavailable] * 2

    client.start(taken=64)
    client.told(64)
    assert client.results(going) == [Receipt] * 64


async def test_another_file_loses_what_was_under_way(client):
    """A worker with another file begins with sequence 1, and the fate of what its predecessor had is unknown."""
    client.start()
    going = client.submit(*[b"x"] * 64)
    client.submit(b"y")
    client.sent()
    client.start(file=FILE + 1)

    assert client.results(going) == [NetworkError] * 64
    assert client.sent() == [(1, False, [b"y"])]


async def test_states_of_a_worker_that_has_not_greeted_us_settle_nothing(client):
    """They may speak of another store's numbers."""
    client.start()
    (place,) = client.submit(b"a")
    client.start(file=0)
    client.told(1)
    assert client.batch.results[place] is None
    client.greet(1)
    client.told(1)

    assert client.results([place]) == [Receipt]


async def test_a_frame_that_found_no_room_goes_again(client):
    """What the socket refused is asked for at the next tick, and sent from where the worker says."""
    client.start()
    client.data.is_full = True
    client.submit(b"a")
    client.data.is_full = False
    client.said(Hello)
    client.durable.tick()
    assert [hello.answer_wanted for hello in client.said(Hello)] == [True]
    client.greet(0)

    assert client.sent() == [(1, True, [b"a"])]
    assert client.counts["unsent"] == 1


async def test_a_worker_that_stays_silent_is_asked_what_it_has(client):
    """When nothing under way is acknowledged for two seconds, the worker is asked, and again later."""
    client.start()
    client.submit(b"a")
    client.said(Hello)
    for _ in range(SILENT_TICKS - 1):
        client.durable.tick()
    assert client.said(Hello) == []
    client.durable.tick()
    assert [hello.answer_wanted for hello in client.said(Hello)] == [True]
    client.told(1)
    client.greet(1)
    for _ in range(2 * SILENT_TICKS):
        client.durable.tick()
    assert client.said(Hello) == []


async def test_a_gap_is_asked_for_once(client):
    """After a frame was lost on the way, one hello says what was taken, however many frames follow it."""
    client.start()
    client.arrive(1, 2)
    client.said(Hello)
    client.arrive(4, 1)
    client.arrive(5, 1)
    client.durable.taken_all()
    assert [(h.of_file, h.taken) for h in client.said(Hello)] == [(FILE, 2)]
    client.arrive(3, 3)
    client.durable.taken_all()

    assert client.said(Hello) == []
    assert client.counts["out_of_sequence"] == 2
    assert len(client.answers.inbox) == 5


async def test_what_came_before_is_dropped(client):
    """A frame that comes again, in part or whole, adds only what is new."""
    client.start()
    client.arrive(1, 3)
    client.arrive(1, 3)
    client.arrive(2, 3)

    assert (len(client.answers.inbox), client.counts["duplicates"]) == (4, 5)


async def test_an_inbox_without_room_leaves_durable_messages_with_the_worker(client):
    """What does not fit is not taken and not dropped; it is asked for when half of the inbox is free."""
    client.start()
    for first in range(1, INBOX_CAPACITY + 1, 250):
        client.arrive(first, 250)
    client.arrive(INBOX_CAPACITY + 1, 250)
    client.durable.taken_all()
    assert (len(client.answers.inbox), client.counts["held_back"]) == (INBOX_CAPACITY, 250)
    client.said(Hello)
    while len(client.answers.inbox) > INBOX_CAPACITY // 2:
        await client.answers.inbox.next()

    assert [(h.of_file, h.taken) for h in client.said(Hello)] == [(FILE, INBOX_CAPACITY)]
    client.arrive(INBOX_CAPACITY + 1, 250)
    assert len(client.answers.inbox) == INBOX_CAPACITY // 2 + 250


async def test_messages_are_acknowledged_in_batches_when_they_are_read(client):
    """The worker is told at the end of a read that makes it enough messages, or at the next tick."""
    client.start()
    client.arrive(1, TELL_AFTER - 1)
    client.durable.taken_all()
    assert client.said(LinkState) == []
    for _ in range(TELL_AFTER - 1):
        await client.answers.inbox.next()
    client.arrive(TELL_AFTER, 1)
    client.durable.taken_all()
    assert [state.taken for state in client.said(LinkState)] == [TELL_AFTER - 1]
    await client.answers.inbox.next()
    client.durable.tick()

    assert [state.taken for state in client.said(LinkState)] == [TELL_AFTER]


async def test_large_messages_are_acknowledged_sooner(client):
    """The worker, which keeps what is not acknowledged, is told after 16 MiB, however few messages that were."""
    client.start()
    client.arrive(1, 1, TELL_AFTER_BYTES // 2)
    client.durable.taken_all()
    assert client.said(LinkState) == []
    client.arrive(2, 1, TELL_AFTER_BYTES // 2)
    client.durable.taken_all()

    assert len(client.said(LinkState)) == 1


KNOWN = Refusal(1, 1, "AlreadyAccepted", {"agent": "x"})


def ticks(client, count, now_ms=0):
    """So many ticks; returns whether anything was to be asked again at any of them."""
    again = False
    for _ in range(count):
        client.durable.tick()
        again = client.durable.ask_again_for_answers(now_ms) or again
        client.durable.send()
    return again


@pytest.mark.parametrize("told_by", ["the old one", "the new one"])
async def test_a_request_that_waits_for_anothers_answer_goes_again(client, told_by):
    """The next worker is asked for the answer that the last one owed, once, whichever of them said that it is known."""
    client.start()
    client.request()
    if told_by == "the old one":
        client.told(1, refusals=[KNOWN])
    assert not ticks(client, TICKS_TO_BE_TOLD)
    client.sent()
    client.start(taken=1)
    if told_by == "the new one":
        client.told(1, refusals=[KNOWN])
    assert client.sent() == []
    assert ticks(client, TICKS_TO_BE_TOLD)
    assert client.sent() == [(2, False, [b"q"])]
    client.told(2)
    assert not ticks(client, TICKS_TO_BE_TOLD)


async def test_what_is_on_its_way_is_awaited_first(client):
    """A request whose answer the last worker had committed does not go again."""
    client.start()
    place = client.request()
    client.told(1, refusals=[KNOWN])
    client.start(taken=1)
    client.told(1, emitted=1)
    client.sent()
    assert not ticks(client, TICKS_TO_BE_TOLD)

    client.arrive(1, 1)
    client.batch.end(place, Receipt(bytes(16), Lane.DURABLE))
    assert not ticks(client, TICKS_TO_BE_TOLD)
    assert client.sent() == []


async def test_a_request_is_not_asked_again_when_its_key_may_be_forgotten(client):
    """An old one, and one whose shard has another file now, end as NetworkError: the agent might handle them twice."""
    client.start()
    place = client.request(created_at=1)
    client.told(1, refusals=[KNOWN])
    client.start(taken=1)
    ticks(client, TICKS_TO_BE_TOLD, MOST_AGE_OF_A_KEY_MS + 2)
    other = client.request()
    client.told(2, refusals=[Refusal(2, 1, "AlreadyAccepted", {"agent": "x"})])
    client.start(FILE + 1)

    assert client.results([place, other]) == [NetworkError, NetworkError]


async def test_those_that_were_asked_again_and_ended_are_dropped(client, monkeypatch):
    """No more of them is kept than wait for their answers, and some thousands."""
    monkeypatch.setattr("caxton.client.routes.backlog._MOST_GIVEN_UP", 4)
    client.start()
    backlog = client.durable.backlog
    backlog._look_at_asked = 4
    for sequence in range(1, 20):
        place = client.request()
        client.told(sequence, refusals=[Refusal(sequence, 1, "AlreadyAccepted", {"agent": "x"})])
        client.batch.end(place, Receipt(bytes(16), Lane.DURABLE))
        assert len(backlog._asked_again) < 4
