import asyncio

import pytest

from caxton.acl.envelope import DURABLE, Cause, Envelope, Rare, Waiters
from caxton.acl.options import Lane
from caxton.client.routes.answers import Answers
from caxton.client.routes.backlog import RECEIVER_WINDOW, Backlog
from caxton.client.routes.batches import Batch
from caxton.client.session.leftovers import MOST_AGE_OF_A_KEY_S, Held, leftovers
from caxton.errors import NetworkError
from workers.durable.idempotency_keys import KEPT_MS

SESSION = 1 << 63
ENDED = NetworkError("the runtime", "it ended")


class Route:
    """The two lanes to a shard, of which only the backlogs matter here."""

    def __init__(self):
        self.backlog = Backlog(Lane.VOLATILE)
        self.volatile, self.durable = self, type("Durable", (), {"backlog": Backlog(Lane.DURABLE)})

    def submit(self, entries, lane, *, goes):
        backlog = self.durable.backlog if lane else self.backlog
        backlog.add(entries)
        if goes:
            backlog.fill(1_000, lambda size: True, frozenset())


@pytest.fixture
async def make_entry():
    """A function that makes a message on its way, by its number: with a batch of its own, and a key if it is to."""
    batches = []

    def make(number, *, key=False, durable=True, asks=False, receiver=5):
        batches.append(Batch(1, "test", 60, asyncio.get_running_loop()))
        message = Envelope(
            number.to_bytes(16, "big"),
            7,
            SESSION,
            receiver,
            b"",
            flags=DURABLE if durable else 0,
            rare=Rare(idempotency_key=str(number)) if key else None,
        )
        return message, batches[-1], 0, not asks

    yield make
    for batch in batches:
        batch.cancel()


def numbers(entries):
    return [int.from_bytes(entry[0].message_id, "big") for entry in entries]


def result(entry):
    return entry[1].results[0]


@pytest.mark.parametrize("durable", [False, True])
async def test_what_left_is_unknown_and_what_waits_goes_on(make_entry, durable):
    """Whatever was under way ends with the error; what waited for room, or for its receiver, is left in order."""
    route, lane = Route(), Lane(durable)
    gone = [make_entry(number, durable=durable) for number in range(RECEIVER_WINDOW)]
    waits = [make_entry(1_000 + number, durable=durable) for number in range(3)]
    route.submit([*gone, *waits], lane, goes=True)
    route.submit([make_entry(2_000, durable=durable, receiver=6)], lane, goes=False)

    left = leftovers([route], Answers(), ENDED)

    assert numbers(left) == [1_000, 1_001, 1_002, 2_000]
    assert {result(entry) for entry in gone} == {ENDED}
    assert {result(entry) for entry in left} == {None}
    assert leftovers([route], Answers(), ENDED) == []


async def test_what_has_a_key_goes_again(make_entry):
    """Durable messages with a key go again, before what waits: acknowledged requests first, in the order they came."""
    route, answers = Route(), Answers()
    acknowledged = [make_entry(1, asks=True), make_entry(2, asks=True, key=True)]
    under_way = [make_entry(3, key=True), make_entry(4), make_entry(5, asks=True, key=True), make_entry(6, asks=True)]
    waits = [make_entry(7, asks=True)]
    for entry in (*acknowledged, under_way[2], under_way[3], *waits):
        answers.waiting[entry[0].message_id] = entry
    route.submit(under_way, Lane.DURABLE, goes=True)
    route.submit(waits, Lane.DURABLE, goes=False)

    left = leftovers([route], answers, ENDED)

    assert numbers(left) == [2, 3, 5, 7]
    assert [result(entry) for entry in (acknowledged[0], under_way[1], under_way[3])] == [ENDED] * 3
    assert sorted(numbers(answers.waiting.values())) == [2, 5, 7], "whose answers are waited for"


async def test_a_key_is_worth_nothing_on_the_volatile_lane(make_entry):
    """The volatile lane keeps no keys: what left is unknown."""
    route = Route()
    entry = make_entry(1, key=True, durable=False)
    route.submit([entry], Lane.VOLATILE, goes=True)

    assert leftovers([route], Answers(), ENDED) == []
    assert result(entry) is ENDED


async def test_nothing_is_left_for_callers_that_gave_up(make_entry):
    """What nobody waits for any more does not go, whether it left or not."""
    route = Route()
    entries = [make_entry(number, key=True) for number in range(4)]
    route.submit(entries[:2], Lane.DURABLE, goes=True)
    route.submit(entries[2:], Lane.DURABLE, goes=False)
    entries[0][1].cancel()
    entries[2][1].cancel()

    assert numbers(leftovers([route], Answers(), ENDED)) == [1, 3]


async def test_what_waits_is_handed_over_once(make_entry):
    """The next session gets what waits, in order, lane by lane, as its own; nothing stays, nor what was given up."""
    held = Held(is_awaited=True)
    entries = [make_entry(1), make_entry(2, durable=False), make_entry(3), make_entry(4, durable=False)]
    held.keep(entries, ENDED)
    entries[0][1].cancel()
    held.forget_given_up()

    lanes = dict(held.handed_over(SESSION | 1, 0))

    assert {lane: numbers(some) for lane, some in lanes.items()} == {Lane.VOLATILE: [2, 4], Lane.DURABLE: [3]}
    assert {entry[0].sender for entry in entries[1:]} == {SESSION | 1}
    assert not held


async def test_what_has_a_key_does_not_go_once_its_shard_may_have_forgotten_it(make_entry):
    """Nine minutes after it was made a message with a key ends as unknown; one without, which never left, goes."""
    held, keyed, plain = Held(is_awaited=True), make_entry(1, key=True), make_entry(2)
    for entry in (keyed, plain):
        entry[1].began_s = 1_000.0
    held.keep([keyed], ENDED)
    at_the_edge = held.handed_over(SESSION | 1, 1_000.0 + MOST_AGE_OF_A_KEY_S)
    held.keep([keyed, plain], ENDED)
    beyond = held.handed_over(SESSION | 1, 1_001.0 + MOST_AGE_OF_A_KEY_S)

    assert [numbers(some) for _, some in at_the_edge] == [[1]]
    assert [numbers(some) for _, some in beyond] == [[2]]
    assert isinstance(keyed[1].results[0], NetworkError)
    assert MOST_AGE_OF_A_KEY_S * 1_000 < KEPT_MS


async def test_nothing_waits_for_a_session_that_will_not_come(make_entry):
    """Once no next session is awaited, what waits ends, and so does what comes later."""
    held, early, late = Held(is_awaited=True), make_entry(1), make_entry(2)
    held.keep([early], ENDED)
    assert result(early) is None

    held.end(ENDED)
    held.keep([late], ENDED)

    assert (result(early), result(late), len(held)) == (ENDED, ENDED, 0)


async def test_what_goes_with_another_session_is_a_root(make_entry):
    """The cause of a message was given to the session that has ended: no other is believed to have it."""
    entry, held = make_entry(1), Held(is_awaited=True)
    entry[0].cause = Cause(1, bytes(16), waiters=Waiters((), b"s" * 16))
    held.keep([entry], ENDED)
    held.handed_over(SESSION + 1, 0.0)
    assert (entry[0].sender, entry[0].cause) == (SESSION + 1, None)
