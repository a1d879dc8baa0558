import asyncio

import msgspec
import pytest

from caxton.acl.envelope import Envelope, Rare
from caxton.errors import Unsupported
from caxton.store.ledger import check
from caxton.wire.calls import (
    AskDeadLetterStats,
    AskLedger,
    DeadLetterFilter,
    ListAgents,
    ListDeadLetters,
    PurgeDeadLetters,
    RequeueDeadLetters,
)
from workers.loop.call_line import CallLine
from workers.loop.dead_letter_calls import DeadLetterCalls

ALL = DeadLetterFilter()
OTHER, OTHERS_FILE = 8, 5_000


@pytest.fixture
def call(durable, ask):
    """A function that asks a shard with three dead letters for agent 9."""
    calls = DeadLetterCalls(durable.parts, durable.worker._passes, CallLine())
    return lambda request: ask(durable, calls.answer(request, lambda: None))


@pytest.fixture
def dead(durable, make_far, converse, durable_message):
    """Three messages of another shard, with a key, that died for want of their agent."""
    worker = make_far(OTHER, durable, OTHERS_FILE)
    rare = Rare(idempotency_key="k", language="x")
    worker.send(*(durable_message(5 << 10 | 1, 9 << 10, content=bytes([n]), rare=rare) for n in range(3)))
    converse(durable, worker)
    return worker.messages


def test_letters_are_listed_with_what_was_asked(durable, call, dead):
    """A page has the letters, oldest first, with their content only if it was asked for; stats and ledger agree."""
    page = call(ListDeadLetters(ALL, 0, 2))
    assert [(letter.reason, letter.content_bytes, letter.message.content) for letter in page.letters] == [
        ("agent_not_found", 1, b"")
    ] * 2
    assert page.more
    rest = call(ListDeadLetters(ALL, page.letters[-1].number, 2, with_content=True))
    assert [letter.message.content for letter in rest.letters] == [b"\2"]
    assert (call(AskDeadLetterStats()).total, call(AskLedger()).dead_letters) == (3, 3)


def test_what_is_requeued_goes_again(durable, call, dead, durable_message):
    """A requeued letter is handled as a new message, without its old key, with a link to the letter, which is gone."""
    agent = durable.agent(9)
    numbers = [letter.number for letter in call(ListDeadLetters(ALL)).letters]
    sent = call(RequeueDeadLetters(DeadLetterFilter(ids=numbers[:2]))).message_ids
    durable.work()

    assert list(sent) == numbers[:2]
    assert {msgspec.msgpack.decode(given)["message_id"] for _, given in durable.turns.ran} == set(sent.values())
    assert not {m.message_id for m in dead} & set(sent.values())
    ledger = durable.ledger()
    assert (agent.run, ledger.dead_letters, ledger.counts["requeued"]) == (2, 1, 2)
    assert check([ledger]).balanced


def test_what_dies_again_knows_what_it_was(durable, call, dead):
    """A requeued message that dies again is a letter that names the one it was, and nothing is counted twice."""
    numbers = [letter.number for letter in call(ListDeadLetters(ALL)).letters]
    call(RequeueDeadLetters(ALL))
    durable.work()
    letters = call(ListDeadLetters(ALL)).letters

    assert [letter.requeued_from for letter in letters] == numbers
    assert check([durable.ledger()]).balanced
    rows, _ = durable.runner.run(durable.store.letters_with_messages(ALL, 10))
    assert [msgspec.msgpack.decode(row.message, type=Envelope).rare.idempotency_key for row in rows] == [None] * 3


@pytest.mark.parametrize("step_s", [-3_600, 0, 3_600])
def test_all_are_those_of_now_whatever_the_clock_says(durable, call, dead, clocks, step_s):
    """A clock that was set back leaves none out, and what dies again at once is no part of the call."""
    durable.settle()
    clocks.wall_ms += step_s * 1_000
    found = call(RequeueDeadLetters(ALL))
    durable.work()

    assert len(found.message_ids) == 3
    letters = call(ListDeadLetters(ALL)).letters
    assert len(letters) == 3, "they have died again"
    assert all(letter.number > found.up_to for letter in letters)
    rest = call(RequeueDeadLetters(DeadLetterFilter(up_to=found.up_to)))
    assert (rest.message_ids, rest.more, rest.up_to) == ({}, False, found.up_to)
    assert call(PurgeDeadLetters(DeadLetterFilter(up_to=letters[0].number))).count == 1
    assert call(PurgeDeadLetters(ALL)).count == 2


def test_what_dies_again_at_once_stays(durable, call, dead, clocks):
    """A letter that dies again while its call goes on bears the time of its death, so `before` the call leaves it."""
    durable.settle()  # from here on a pass is open
    clocks.wait(0.2)
    now_ms = clocks.wall_ms
    sent = call(RequeueDeadLetters(DeadLetterFilter(before=now_ms))).message_ids
    durable.work()

    assert len(sent) == 3
    assert call(RequeueDeadLetters(DeadLetterFilter(before=now_ms))).message_ids == {}
    assert len(call(ListDeadLetters(ALL)).letters) == 3


def test_what_is_purged_is_gone(durable, call, dead):
    """Purging deletes what fits the filter and says how many; a second time there are none."""
    assert call(PurgeDeadLetters(DeadLetterFilter(sender=1))).count == 0
    assert (call(PurgeDeadLetters(ALL)).count, call(PurgeDeadLetters(ALL)).count) == (3, 0)
    assert durable.ledger().dead_letters == len(durable.durable.dead_letters) == 0
    assert check([durable.ledger()]).balanced


def test_a_letter_is_requeued_by_one_of_two(durable, call, dead, ask):
    """Of two requeues and a purge at the same time each letter is seen to by one, whichever comes first."""
    agent = durable.agent(9)  # what goes again is handled: without its agent it would be a letter again, for the purge
    calls = DeadLetterCalls(durable.parts, durable.worker._passes, CallLine())

    async def all_at_once():
        return await asyncio.gather(
            *(
                calls.answer(request, lambda: None)
                for request in (RequeueDeadLetters(ALL), RequeueDeadLetters(ALL), PurgeDeadLetters(ALL))
            )
        )

    first, second, purged = ask(durable, all_at_once())
    durable.work()
    again = len(first.message_ids) + len(second.message_ids)
    assert (again + purged.count, agent.run) == (3, again)
    assert check([durable.ledger()]).balanced


def test_other_calls_are_unsupported(call):
    """What this version does not know is Unsupported."""
    with pytest.raises(Unsupported):
        call(ListAgents())
