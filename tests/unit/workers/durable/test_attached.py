import asyncio

import pytest

from caxton.acl.envelope import DURABLE, Rare
from caxton.acl.failure import read_report
from caxton.agents.manifest import Encoding
from caxton.errors import AgentNotFound, AgentNotRunning, AgentTakenOver, HandlerFailed
from caxton.ids import BROADCAST
from caxton.store.ledger import check
from caxton.wire.calls import Ended, Exchange
from workers.agents.registry import Hold
from workers.operations.attached import MOST_REPLACED

SECOND = 1_000


@pytest.fixture
def client(durable, make_far):
    return make_far(durable.sessions[0], durable)


@pytest.fixture
def agent(durable, client):
    """An agent that the client has attached."""
    agent = durable.agent(1, encoding=Encoding.ATTACHED)
    agent.hold(Hold.ATTACHED)
    durable.worker._attached.attach(client.number, agent)
    return agent


@pytest.fixture
def exchange(durable, client, agent, ask):
    """A function that exchanges: what ended, and how many are asked for."""

    def make(*ended, most=10, wait_ms=0, session=client.number, **fields):
        asked = Exchange(agent.agent_id, list(ended), most, wait_ms, **fields)
        return ask(durable, durable.worker._attached.exchange(session, asked))

    return make


def send(client, agent, durable_message, *contents, **fields):
    client.send(*(durable_message(client.number, agent.agent_id, content=content, **fields) for content in contents))


def test_what_waits_is_given_in_order_and_ends_once(durable, client, agent, exchange, converse, durable_message):
    """Messages are given in order, as many as asked, pending until they have ended, and processed then."""
    send(client, agent, durable_message, b"1", b"2", b"3")
    converse(durable, client)
    first = exchange(most=2).deliveries
    assert [(d.message.content, d.attempts) for d in first] == [(b"1", 1), (b"2", 1)]
    assert durable.ledger().pending == 3

    second = exchange(*(Ended(d.delivery) for d in first)).deliveries
    assert [d.message.content for d in second] == [b"3"]
    assert (durable.ledger().pending, durable.ledger().counts["processed"]) == (1, 2)


def test_what_has_not_ended_is_given_again(durable, client, agent, exchange, converse, durable_message):
    """What an exchange does not name waits again in its place, and is given with a higher count."""
    send(client, agent, durable_message, b"1", b"2", b"3")
    converse(durable, client)
    one, _, three = exchange().deliveries
    again = exchange(Ended(three.delivery)).deliveries
    assert [(d.message.content, d.attempts) for d in again] == [(b"1", 2), (b"2", 2)]

    stale = exchange(Ended(one.delivery)).deliveries
    assert [d.message.content for d in stale] == [b"1", b"2"], "the end of an earlier giving is none"


def test_done_and_sent_are_one(durable, client, agent, exchange, converse, durable_message):
    """What a handler sent leaves with the commit that has its message as done, stamped by the runtime."""
    send(client, agent, durable_message, b"1")
    converse(durable, client)
    (given,) = exchange().deliveries
    forged = durable_message(5, client.number, content=b"answer", flags=0)
    forged_id = forged.message_id
    exchange(Ended(given.delivery, [forged]))
    converse(durable, client)

    assert [(m.sender, m.content, m.flags) for m in client.got] == [(agent.agent_id, b"answer", DURABLE)]
    assert client.got[0].message_id != forged_id
    assert check([durable.ledger()]).balanced


@pytest.mark.parametrize("receiver", [0, BROADCAST])
def test_what_is_for_nobody_is_not_sent(durable, client, agent, exchange, converse, durable_message, receiver):
    """When one of a turn's messages is for nobody none of them is sent, and the next answer says so."""
    send(client, agent, durable_message, b"1")
    converse(durable, client)
    (given,) = exchange().deliveries
    messages = [durable_message(5, client.number), durable_message(5, receiver)]
    answer = exchange(Ended(given.delivery, messages))
    converse(durable, client)

    assert [failed.error for failed in answer.not_sent] == ["ValidationError"]
    assert client.got == []


def test_what_a_failed_handler_sent_is_not_sent(durable, client, agent, exchange, converse, durable_message):
    """Messages that come with a handler's error go nowhere: the one it failed on waits, and its effects are to come."""
    send(client, agent, durable_message, b"1")
    converse(durable, client)
    (given,) = exchange().deliveries
    exchange(Ended(given.delivery, [durable_message(5, client.number, content=b"half")], "no"))
    converse(durable, client)

    assert client.got == []
    assert (durable.ledger().pending, durable.ledger().counts.get("emitted_sessions", 0)) == (1, 0)
    assert check([durable.ledger()]).balanced


def test_who_sent_it_is_told_what_a_handler_raised(durable, client, agent, exchange, converse, clocks, durable_message):
    """A handler's last error is HandlerFailed, with the type and the text that its program told."""
    send(client, agent, durable_message, b"1", b"2", rare=Rare(max_retries=1))
    converse(durable, client)
    for _ in range(2):
        first, second = exchange().deliveries
        exchange(Ended(first.delivery, [], "OSError: no: disk"), Ended(second.delivery, [], "KeyError: "))
        clocks.wait(2)
        durable.worker._tick()
        durable.settle()
    converse(durable, client)

    errors = [read_report(message.content) for message in client.got]
    assert [type(error) for error in errors] == [HandlerFailed] * 2
    assert [(error.exception, error.detail) for error in errors] == [
        ("OSError", "no: disk"),
        ("KeyError", "it says no more"),
    ]


def test_a_handler_that_fails_is_tried_again(durable, client, agent, exchange, converse, clocks, durable_message):
    """A handler's error is a failed attempt: the message comes again later, and those of its pair wait behind it."""
    send(client, agent, durable_message, b"1", b"2")
    converse(durable, client)
    (given,) = exchange(most=1).deliveries
    assert exchange(Ended(given.delivery, [], "no")).deliveries == []

    clocks.wait(2)
    durable.worker._tick()
    durable.settle()
    again = exchange().deliveries
    assert [(d.message.content, d.attempts) for d in again] == [(b"1", 2), (b"2", 1)]


def test_all_that_a_handler_fails_on_is_tried_again(
    durable, client, agent, exchange, converse, clocks, durable_message
):
    """When a client fails on several messages of one sender that it was given at once, each of them comes again."""
    send(client, agent, durable_message, b"1", b"2", b"3")
    converse(durable, client)
    exchange(*(Ended(given.delivery, [], "no") for given in exchange().deliveries))

    clocks.wait(2)
    durable.worker._tick()
    durable.settle()
    again = exchange().deliveries
    assert [(d.message.content, d.attempts) for d in again] == [(b"1", 2), (b"2", 2), (b"3", 2)]
    exchange(*(Ended(given.delivery) for given in again))
    assert (agent.mailbox.depth, durable.ledger().pending) == (0, 0)


def test_an_exchange_waits_for_a_message(durable, client, agent, durable_message, one_turn_of_the_loop):
    """An exchange that finds nothing is answered as soon as something comes, and with none after its time."""

    async def both():
        asked = Exchange(agent.agent_id, [], 5, 10 * SECOND)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(durable.worker._attached.exchange(client.number, asked))
            await one_turn_of_the_loop()
            client.send(durable_message(client.number, agent.agent_id, content=b"1"))
            client.push()
            durable.settle()
            return await asyncio.wait_for(waiting, 30)

    assert [d.message.content for d in durable.runner.run(both()).deliveries] == [b"1"]


def test_a_paused_agent_is_given_nothing(
    durable, client, agent, exchange, converse, durable_message, one_turn_of_the_loop
):
    """While an attached agent is paused its messages wait; whoever waits for them gets them when it is resumed."""
    durable.runner.run(durable.lifecycle.pause(agent.agent_id))
    send(client, agent, durable_message, b"1")
    converse(durable, client)
    assert exchange().deliveries == []

    async def both():
        asked = Exchange(agent.agent_id, [], 5, 10 * SECOND)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(durable.worker._attached.exchange(client.number, asked))
            await one_turn_of_the_loop()
            await durable.lifecycle.resume(agent.agent_id)
            durable.settle()
            return await asyncio.wait_for(waiting, 30)

    assert [d.message.content for d in durable.runner.run(both()).deliveries] == [b"1"]


def test_only_the_last_exchange_counts(durable, client, agent, converse, durable_message):
    """A second exchange for an agent ends the first one's wait, with nothing."""

    async def both():
        asked = Exchange(agent.agent_id, [], 5, 10 * SECOND)
        async with asyncio.TaskGroup() as group:
            first, second = (
                group.create_task(durable.worker._attached.exchange(client.number, asked)) for _ in range(2)
            )
            answer = await asyncio.wait_for(first, 30)
            second.cancel()
        return answer

    assert durable.runner.run(both()).deliveries == []


def test_an_exchange_that_was_superseded_gives_nothing(
    durable, client, agent, exchange, converse, durable_message, one_turn_of_the_loop
):
    """When a client asks again while what it gave back is being committed, only the second answer has messages."""
    send(client, agent, durable_message, b"1", b"2", b"3")
    converse(durable, client)
    (one,) = exchange(most=1).deliveries

    async def both():
        exchanges = durable.worker._attached.exchange
        async with asyncio.TaskGroup() as group:
            first = group.create_task(
                exchanges(client.number, Exchange(agent.agent_id, [Ended(one.delivery)], 1, 10 * SECOND))
            )
            await one_turn_of_the_loop()
            second = group.create_task(exchanges(client.number, Exchange(agent.agent_id, [], 1, 10 * SECOND)))
            await one_turn_of_the_loop()
            await durable.worker._committer.commit()
        return first.result().deliveries, second.result().deliveries

    first, second = durable.runner.run(both())
    assert (first, [d.message.content for d in second]) == ([], [b"2"])


def test_an_exchange_that_was_superseded_takes_no_message_from_the_next(
    durable, client, agent, exchange, converse, durable_message, one_turn_of_the_loop
):
    """One that is superseded while it is committed ends at once, and the next one is told when a message comes."""
    send(client, agent, durable_message, b"1")
    converse(durable, client)
    (one,) = exchange(most=1).deliveries

    async def both():
        exchanges = durable.worker._attached.exchange
        ended = [Ended(one.delivery)]
        async with asyncio.TaskGroup() as group:
            first = group.create_task(exchanges(client.number, Exchange(agent.agent_id, ended, 1, 100 * SECOND)))
            await one_turn_of_the_loop()
            second = group.create_task(exchanges(client.number, Exchange(agent.agent_id, [], 1, 100 * SECOND)))
            await one_turn_of_the_loop()
            await durable.worker._committer.commit()
            nothing = await asyncio.wait_for(first, 30)
            client.send(durable_message(client.number, agent.agent_id, content=b"2"))
            client.push()
            durable.settle()
            return nothing.deliveries, (await asyncio.wait_for(second, 30)).deliveries

    nothing, given = durable.runner.run(both())
    assert (nothing, [d.message.content for d in given]) == ([], [b"2"])


def test_what_waits_behind_does_not_hide_what_can_be_given(
    durable, client, agent, exchange, make_far, converse, durable_message
):
    """Messages of a sender that wait for a retry of its own, more than are asked for, let those of others through."""
    send(client, agent, durable_message, b"1", b"2", b"3")
    converse(durable, client)
    other = make_far(durable.sessions[1], durable)
    other.send(durable_message(other.number, agent.agent_id, content=b"other"))
    converse(durable, other)
    (one,) = exchange(most=1).deliveries

    given = exchange(Ended(one.delivery, [], "no"), most=1).deliveries
    assert [d.message.content for d in given] == [b"other"]


def test_nobody_waits_for_the_messages_of_an_agent_that_was_stopped(durable, client, agent, exchange):
    """An exchange for an agent that was stopped is refused, and so is who attaches it; whoever has it may detach."""
    durable.runner.run(durable.lifecycle.stop(agent.agent_id))
    with pytest.raises(AgentNotRunning):
        exchange()
    durable.worker._attached.detach(client.number, agent.agent_id)


def test_who_has_not_attached_it_gets_nothing(durable, client, agent, exchange):
    """Another session's exchange is refused, and so is one for an agent that is not there."""
    with pytest.raises(AgentNotRunning):
        exchange(session=durable.sessions[1])
    durable.runner.run(durable.lifecycle.remove([agent.agent_id]))
    with pytest.raises(AgentNotFound):
        exchange()


@pytest.mark.parametrize("way", ["detach", "session_ended"])
def test_what_was_given_waits_for_the_next(durable, client, agent, exchange, converse, durable_message, way):
    """When a session detaches or ends, what it was given waits again, in order, for whoever attaches next."""
    send(client, agent, durable_message, b"1", b"2")
    converse(durable, client)
    exchange(most=1)
    attached = durable.worker._attached
    if way == "detach":
        attached.detach(client.number, agent.agent_id)
    else:
        attached.session_ended(client.number)
    assert (agent.attached, agent.mailbox.depth, durable.ledger().pending) == (0, 2, 2)

    durable.worker._attached.attach(durable.sessions[1], agent)
    given = exchange(session=durable.sessions[1]).deliveries
    assert [(d.message.content, d.attempts) for d in given] == [(b"1", 2), (b"2", 1)]


def test_what_is_too_old_is_not_given(durable, client, agent, exchange, converse, clocks, durable_message):
    """A message that waited beyond its timeout is a dead letter under its own term, and is not given."""
    send(client, agent, durable_message, b"1", timeout_ms=SECOND)
    converse(durable, client)
    clocks.wait(2)
    durable.step()
    assert exchange().deliveries == []
    durable.work()
    assert durable.ledger().counts["expired"] == 1
    assert agent.mailbox.depth == 0


def test_an_agent_that_is_removed_takes_what_was_given_with_it(
    durable, client, agent, exchange, converse, durable_message
):
    """What a client was given when its agent is removed is dead, and its end later comes to nothing."""
    send(client, agent, durable_message, b"1", b"2")
    converse(durable, client)
    exchange(most=1)
    durable.runner.run(durable.lifecycle.remove([agent.agent_id]))
    durable.work()

    assert (durable.ledger().dead_letters, durable.ledger().pending) == (2, 0)
    assert check([durable.ledger()]).balanced


def test_what_is_kept_stays(durable, client, agent, exchange, converse, durable_message):
    """What the program says it has still is not given again, and ends later, in any order."""
    send(client, agent, durable_message, b"1", b"2", b"3")
    converse(durable, client)
    one, two, three = exchange().deliveries
    seen = three.delivery
    assert exchange(Ended(two.delivery), kept=[one.delivery, three.delivery], seen=seen).deliveries == []
    assert (durable.ledger().pending, durable.ledger().counts["processed"]) == (2, 1)
    exchange(Ended(three.delivery), kept=[one.delivery], seen=seen)
    exchange(Ended(one.delivery), seen=seen)
    assert (durable.ledger().pending, durable.ledger().counts["processed"]) == (0, 3)
    assert agent.mailbox.depth == 0


def test_what_the_program_has_not_seen_is_its_own(durable, client, agent, exchange, converse, durable_message):
    """An exchange that crosses an answer takes nothing of it back; one that has seen nothing takes all of it."""
    send(client, agent, durable_message, b"1", b"2")
    converse(durable, client)
    (one,) = exchange(most=1, concurrency=2, order="none").deliveries
    exchange(most=1, concurrency=2, order="none", kept=[one.delivery], seen=one.delivery)
    crossed = exchange(Ended(one.delivery), seen=one.delivery)
    assert (crossed.deliveries, len(agent.drawn)) == ([], 1)
    (again,) = exchange().deliveries
    assert (again.message.content, again.attempts) == (b"2", 2)


def test_what_was_given_before_is_told(durable, client, agent, exchange, converse, durable_message):
    """An answer tells the highest number that was given before it and has not ended, so that a loss is noticed."""
    send(client, agent, durable_message, b"1", b"2", b"3")
    converse(durable, client)
    some = {"most": 1, "concurrency": 3, "order": "none", "seen": 0}
    first, second = exchange(**some), exchange(**some)
    given = [answer.deliveries[0].delivery for answer in (first, second)]
    third = exchange(Ended(given[1]), **some)
    assert [answer.before for answer in (first, second, third)] == [0, given[0], given[0]]


def test_what_was_not_begun_waits_as_before(durable, client, agent, exchange, converse, durable_message):
    """What the program returns unbegun is given again in its place, on either lane, as if it had not been given."""
    send(client, agent, durable_message, b"1", b"2")
    converse(durable, client)
    for content in (b"3", b"4"):
        volatile = durable_message(client.number, agent.agent_id, content=content, flags=0)
        durable.dispatcher.enqueue(agent, agent.mailbox, volatile, 0, 0, durable.durable.journal.now_ns, 0)
    first = exchange().deliveries
    returned = [given.delivery for given in first if given.message.content in {b"2", b"4"}]
    exchange(most=0, returned=returned, seen=first[-1].delivery)
    again = exchange().deliveries
    assert [(d.message.content, d.attempts) for d in again] == [(b"1", 2), (b"2", 1), (b"4", 1)]
    assert agent.mailbox.depth == 3


def test_the_end_of_a_volatile_message_waits_for_no_commit(durable, client, agent, exchange, durable_message):
    """It is answered where nobody commits, and the message is done with."""
    volatile = durable_message(client.number, agent.agent_id, flags=0)
    durable.dispatcher.enqueue(agent, agent.open_mailbox(), volatile, 0, 0, durable.durable.journal.now_ns, 0)
    (given,) = exchange().deliveries
    ended = Ended(given.delivery, [durable_message(5, client.number, content=b"answer", flags=0)])
    asked = durable.worker._attached.exchange(client.number, Exchange(agent.agent_id, [ended], 0, 0))
    assert durable.runner.run(asyncio.wait_for(asked, 30)).deliveries == []
    assert (agent.mailbox.depth, agent.run) == (0, 1)


def test_who_is_busy_holds_up_nobody_else(durable, client, agent, exchange, make_far, converse, durable_message):
    """A sender with more messages than may wait at the program leaves the others' to be given at once."""
    send(client, agent, durable_message, *[b"slow"] * 6)
    converse(durable, client)
    other = make_far(durable.sessions[1], durable)
    other.send(durable_message(other.number, agent.agent_id, content=b"fast"))
    converse(durable, other)

    given = exchange(most=2, concurrency=2, order="sender").deliveries
    assert [d.message.content for d in given] == [b"slow", b"slow"]
    kept = [d.delivery for d in given]
    given = exchange(most=2, concurrency=2, order="sender", kept=kept, seen=kept[-1]).deliveries
    assert [d.message.content for d in given] == [b"slow", b"fast"]


def test_what_comes_and_may_not_be_given_ends_no_wait(
    durable, client, agent, exchange, converse, durable_message, one_turn_of_the_loop
):
    """An exchange whose program has enough of a sender waits on when more of it comes, and gets the next of others."""
    send(client, agent, durable_message, b"1")
    converse(durable, client)
    (one,) = exchange(most=1).deliveries

    async def both():
        asked = Exchange(agent.agent_id, [], 1, 10 * SECOND, [one.delivery], [], one.delivery, 2, "conversation")
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(durable.worker._attached.exchange(client.number, asked))
            agent.drawn[99] = agent.drawn[one.delivery]  # it has enough of this sender
            for conversation in (None, b"c" * 16):
                await one_turn_of_the_loop()
                assert not waiting.done()
                message = durable_message(client.number, agent.agent_id, conversation_id=conversation)
                client.send(message)
                client.push()
                durable.settle()
                await one_turn_of_the_loop()
            return await asyncio.wait_for(waiting, 30)

    assert [d.message.conversation_id for d in durable.runner.run(both()).deliveries] == [b"c" * 16]


def test_who_takes_over_gets_what_was_under_way(durable, client, agent, exchange, converse, durable_message):
    """What another session had goes to the one that replaces it; the other is told so, also when it has an end."""
    send(client, agent, durable_message, b"1", b"2")
    converse(durable, client)
    first = exchange(most=1).deliveries
    durable.worker._attached.attach(durable.sessions[1], agent, replace=True)
    with pytest.raises(AgentTakenOver):
        exchange(Ended(first[0].delivery))
    given = exchange(session=durable.sessions[1]).deliveries
    assert [(d.message.content, d.attempts) for d in given] == [(b"1", 2), (b"2", 1)]
    assert agent.counters["taken_over"] == 1


def test_everybody_it_was_taken_from_is_told(durable, agent, exchange):
    """Also who had it before the last one did, up to the bound: one more from the end is not attached, and no more."""
    for session in range(MOST_REPLACED + 2):
        durable.worker._attached.attach(durable.sessions[0] + session, agent, replace=True)
    for session in range(1, MOST_REPLACED + 1):
        with pytest.raises(AgentTakenOver):
            exchange(session=durable.sessions[0] + session)
    with pytest.raises(AgentNotRunning) as refused:
        exchange(session=durable.sessions[0])
    assert refused.type is AgentNotRunning
