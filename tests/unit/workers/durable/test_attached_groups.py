"""Several programs that share an attached agent, at its shard."""

import asyncio

import pytest

from caxton.agents.manifest import Encoding
from caxton.errors import AgentNotRunning, AgentTakenOver, AlreadyAttached, ResourceExhausted, ValidationError
from caxton.store.ledger import check
from caxton.wire.calls import LEASE_S, Ended, Exchange
from workers.agents.group import MOST_MEMBERS
from workers.agents.registry import Hold
from workers.loop.views import view
from workers.queues.dispatcher import Dispatcher

SECOND = 1_000
TALK = b"t" * 16


@pytest.fixture
def client(durable, make_far):
    return make_far(durable.sessions[0], durable)


@pytest.fixture
def agent(durable):
    agent = durable.agent(1, encoding=Encoding.ATTACHED)
    agent.hold(Hold.ATTACHED)
    return agent


@pytest.fixture
def attached(durable):
    return durable.worker._attached


@pytest.fixture
def pair(durable, agent, attached):
    """The sessions of two programs that share the agent."""
    sessions = durable.sessions[2:4]
    for session in sessions:
        attached.attach(session, agent, "conversation")
    return sessions


@pytest.fixture
def exchange(durable, agent, attached, ask):
    """A function that exchanges for one of them: what ended, and what it keeps."""

    def make(session, *ended, most=10, concurrency=4, wait_ms=0, **fields):
        fields = {"order": "conversation", "seen": 0} | fields
        asked = Exchange(agent.agent_id, list(ended), most, wait_ms, concurrency=concurrency, **fields)
        return ask(durable, attached.exchange(session, asked))

    return make


@pytest.fixture
def send(durable, client, agent, durable_message, converse):
    """A function that sends a message of each of these contents, each asking for an answer so that it has no order."""

    def make(*contents, **fields):
        for content in contents:
            asks = {} if fields else {"reply_with": content.ljust(16)}
            client.send(durable_message(client.number, agent.agent_id, content=content, **asks, **fields))
        converse(durable, client)

    return make


@pytest.fixture
def come(durable, client, agent, durable_message):
    """A function that has so many messages come while questions are open."""

    def make(count, **fields):
        for number in range(count):
            client.send(durable_message(client.number, agent.agent_id, reply_with=number.to_bytes(16), **fields))
        client.push()
        durable.settle()

    return make


@pytest.fixture
def question(agent):
    """A function that makes an exchange that waits for messages."""
    return lambda: Exchange(agent.agent_id, [], 5, 1_000 * SECOND, concurrency=4, order="conversation")


@pytest.fixture
def while_waiting(durable, attached, question, one_turn_of_the_loop):
    """A function that has a program wait for messages while something happens; returns what it is given."""

    def make(session, *happenings):
        async def both():
            async with asyncio.TaskGroup() as tasks:
                waiting = tasks.create_task(attached.exchange(session, question()))
                for happens in happenings:
                    await one_turn_of_the_loop()
                    assert not waiting.done()
                    happens()
                return await asyncio.wait_for(waiting, 30)

        return durable.runner.run(both())

    return make


@pytest.fixture
def end(agent, attached):
    """A function that has a program leave, or its client die."""

    def make(way, session):
        if way == "detach":
            attached.detach(session, agent.agent_id)
        else:
            attached.session_ended(session)

    return make


def contents(answer):
    return [given.message.content for given in answer.deliveries]


def numbers(answer):
    return [given.delivery for given in answer.deliveries]


def test_what_one_has_nobody_else_is_given(agent, pair, exchange, send, durable):
    """Each message is with one of them, and whoever has it ends it."""
    send(b"1", b"2", b"3", b"4")
    ann, bob = pair
    mine, yours = exchange(ann, most=2, concurrency=2), exchange(bob)
    assert (contents(mine), contents(yours)) == ([b"1", b"2"], [b"3", b"4"])
    exchange(bob, *map(Ended, numbers(mine)), kept=numbers(yours))
    assert durable.ledger().pending == 4, "nobody ends what another one has"
    exchange(ann, *map(Ended, numbers(mine)))
    exchange(bob, *map(Ended, numbers(yours)))
    assert (durable.ledger().pending, agent.mailbox.depth, agent.drawn) == (0, 0, {})
    assert check([durable.ledger()]).balanced


@pytest.mark.parametrize("way", ["detach", "session_ended", "silent"])
def test_who_dies_in_the_middle_leaves_its_messages_to_the_others(pair, exchange, send, end, durable, clocks, way):
    """They are given to another member, in order, each a second time; an end of the dead one counts no more."""
    send(b"1", b"2", b"3")
    ann, bob = pair
    lost = exchange(ann)
    assert contents(exchange(bob)) == []
    if way == "silent":
        clocks.wait(LEASE_S - 1)
        durable.step()
        exchange(bob)  # is heard of
        clocks.wait(1)
        durable.step()
        durable.worker._tick()
        late = exchange(ann, *map(Ended, numbers(lost)), most=0)
        assert [failed.error for failed in late.not_sent] == ["LeaseEnded"] * 3
    else:
        end(way, ann)
    again = exchange(bob)
    assert [(d.message.content, d.attempts) for d in again.deliveries] == [(b"1", 2), (b"2", 2), (b"3", 2)]
    exchange(bob, *map(Ended, numbers(again)))
    assert durable.ledger().pending == 0


def test_who_waits_is_given_at_once_what_another_one_leaves(attached, pair, exchange, send, while_waiting):
    """A member whose question is open gets the messages of one that dies without a tick or a message that comes."""
    send(b"1", b"2")
    ann, bob = pair
    exchange(ann)
    assert contents(while_waiting(bob, lambda: attached.session_ended(ann))) == [b"1", b"2"]


def test_messages_that_come_are_dealt_to_all_who_wait(durable, attached, pair, come, question, one_turn_of_the_loop):
    """Of four that come at once each of two waiting members gets two; nobody asked for them anew."""

    async def both():
        async with asyncio.TaskGroup() as tasks:
            waiting = [tasks.create_task(attached.exchange(session, question())) for session in pair]
            await one_turn_of_the_loop()
            come(4)
            return [await asyncio.wait_for(each, 30) for each in waiting]

    assert [len(answer.deliveries) for answer in durable.runner.run(both())] == [2, 2]


def test_what_was_dealt_to_a_question_that_is_over_waits_again(
    agent, durable, attached, pair, come, question, one_turn_of_the_loop
):
    """A member that asks anew just after something was dealt to it is given that once, and its try counts once."""

    async def both():
        ann, bob = pair
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(attached.exchange(ann, question()))
            other = tasks.create_task(attached.exchange(bob, question()))
            await one_turn_of_the_loop()
            come(2)
            again = tasks.create_task(attached.exchange(bob, question()))
            return [await asyncio.wait_for(each, 30) for each in (first, other, again)]

    answers = durable.runner.run(both())
    assert [len(answer.deliveries) for answer in answers] == [1, 0, 1]
    given = [d for answer in answers for d in answer.deliveries]
    assert sorted(agent.drawn) == sorted(d.delivery for d in given)
    assert len({d.message.message_id for d in given}) == len(given) == 2
    assert {d.attempts for d in given} == {1}


def test_a_conversation_stays_with_its_program(agent, pair, exchange, send, attached):
    """Also when nothing of it is under way; and goes on with another one when that program has gone."""
    send(b"1", conversation_id=TALK)
    ann, bob = pair
    (first,) = exchange(bob).deliveries
    exchange(bob, Ended(first.delivery))
    send(b"2", conversation_id=TALK)
    assert contents(exchange(ann)) == []
    second = exchange(bob)
    assert contents(second) == [b"2"]
    exchange(bob, *map(Ended, numbers(second)))
    send(b"3", conversation_id=TALK)
    attached.detach(bob, agent.agent_id)
    assert contents(exchange(ann)) == [b"3"]


def test_nothing_waits_for_a_member_that_is_silent_or_leaves(agent, pair, exchange, send, durable, clocks):
    """A conversation goes on elsewhere when its program asks for nothing more, or was not heard of for long."""
    ann, bob = pair
    send(b"1", conversation_id=TALK)
    exchange(bob, Ended(exchange(bob).deliveries[0].delivery), most=0)
    send(b"2", conversation_id=TALK)
    second = exchange(ann)
    assert contents(second) == [b"2"]
    exchange(ann, *map(Ended, numbers(second)))
    clocks.wait(LEASE_S)
    durable.step()
    exchange(bob)
    durable.worker._tick()
    send(b"3", conversation_id=TALK)
    assert [member.is_there for member in view(agent, durable.worker._shard).members] == [False, True]
    assert contents(exchange(bob)) == [b"3"]


def test_what_waits_for_a_silent_member_is_given_to_who_asks(durable, pair, exchange, come, clocks, while_waiting):
    """A conversation whose member has nothing under way, and is not heard of, goes on with one that waits already."""
    ann, bob = pair
    come(1, conversation_id=TALK)
    exchange(ann, Ended(exchange(ann).deliveries[0].delivery))
    clocks.wait(LEASE_S - 1)
    durable.step()
    exchange(bob)

    def time_is_over():
        clocks.wait(1)
        durable.step()
        durable.worker._tick()

    given = while_waiting(bob, lambda: come(1, conversation_id=TALK), time_is_over)
    assert contents(given) == [b"x"]


def test_the_order_of_a_key_holds_over_members(pair, exchange, send, durable, clocks):
    """While one has a message of a sender the next waits for it, also behind a retry; then anybody may have it."""
    ann, bob = pair
    send(b"1", b"2", b"3", level=5)
    first = exchange(ann, most=1)
    assert (contents(first), contents(exchange(bob))) == ([b"1"], [])
    exchange(ann, Ended(numbers(first)[0], [], "no"), most=0)
    assert contents(exchange(bob)) == [], "they wait behind the retry"
    clocks.wait(2)
    durable.worker._tick()
    durable.settle()
    again = exchange(bob)
    assert [(d.message.content, d.attempts) for d in again.deliveries] == [(b"1", 2), (b"2", 1), (b"3", 1)]


def test_the_last_one_gone_is_away(durable, agent, pair, exchange, send, attached):
    """Then the agent is detached, as one that had one program, and may be had alone or by another group."""
    send(b"1")
    ann, bob = pair
    exchange(ann)
    attached.session_ended(ann)
    assert (agent.attached, agent.takes) == (bob, True)
    attached.session_ended(bob)
    assert (agent.attached, agent.group, agent.takes) == (0, None, False)
    attached.attach(ann, agent)
    assert contents(exchange(ann)) == [b"1"]


@pytest.mark.parametrize(
    ("order", "why"),
    [(None, "a group of programs shares it, 2 now"), ("sender", "order='conversation', and not 'sender'")],
)
def test_who_is_not_of_the_group_is_refused_by_name(durable, agent, attached, pair, order, why):
    """One that would have it alone, or in another order, hears what a group is, and how to take over."""
    with pytest.raises(AlreadyAttached, match=why) as refused:
        attached.attach(durable.sessions[0], agent, order)
    assert "group=True" in str(refused.value)
    assert "replace=True" in str(refused.value)


def test_who_comes_as_a_group_to_one_that_is_alone_is_refused(durable, agent, attached):
    """An agent that was attached alone is shared with nobody."""
    attached.attach(durable.sessions[2], agent)
    with pytest.raises(AlreadyAttached, match="without group=True"):
        attached.attach(durable.sessions[0], agent, "conversation")


def test_a_group_has_so_many_programs(durable, agent, attached):
    """Sixty-four share an agent, one more is refused by name, and one that is among them may attach again."""
    first = durable.sessions[0] + 100
    for session in range(first, first + MOST_MEMBERS):
        attached.attach(session, agent, "conversation")
    with pytest.raises(ResourceExhausted, match="programs in the group"):
        attached.attach(first + MOST_MEMBERS, agent, "conversation")
    attached.attach(first, agent, "conversation")
    assert len(view(agent, durable.worker._shard).members) == MOST_MEMBERS


@pytest.mark.parametrize("order", [None, "conversation"], ids=["alone", "as another group"])
def test_all_of_a_group_are_told_who_is_replaced(durable, agent, pair, exchange, send, attached, order):
    """Each of them hears of it by name, none of its ends counts, and what they had goes to the new one."""
    send(b"1", b"2", b"3", b"4")
    had = [exchange(pair[0], most=2), exchange(pair[1])]
    new = durable.sessions[1]
    attached.attach(new, agent, order, replace=True)
    for session, answer in zip(pair, had, strict=True):
        with pytest.raises(AgentTakenOver):
            exchange(session, *map(Ended, numbers(answer)))
    assert sorted(contents(exchange(new))) == [b"1", b"2", b"3", b"4"]
    assert (agent.counters["taken_over"], (agent.group is None)) == (1, order is None)


def test_a_group_keeps_no_state(agent, pair, exchange, send, durable):
    """A state, or the wish for one, is refused by name before anything of the exchange counts."""
    send(b"1")
    ann, _ = pair
    (given,) = exchange(ann).deliveries
    for ended, fields in (
        ([Ended(given.delivery, [], None, b"state")], {}),
        ([Ended(given.delivery)], {"wants_state": True}),
    ):
        with pytest.raises(ValidationError, match="state"):
            exchange(ann, *ended, **fields)
    assert (durable.ledger().pending, agent.saved) == (1, b"")


def test_a_group_is_seen_with_what_each_has(durable, agent, pair, exchange, send):
    """An agent's view has its members, and how much is under way at each."""
    send(b"1", b"2", b"3")
    exchange(pair[0], most=1, concurrency=1)
    exchange(pair[1])
    assert [(each.session, each.under_way, each.is_there) for each in view(agent, durable.worker._shard).members] == [
        (pair[0], 1, True),
        (pair[1], 2, True),
    ]


def test_who_left_is_not_of_it(durable, agent, pair, exchange, attached):
    """One that detached is refused, until it joins again."""
    ann, _ = pair
    attached.detach(ann, agent.agent_id)
    with pytest.raises(AgentNotRunning):
        exchange(ann)
    attached.attach(ann, agent, "conversation")
    assert exchange(ann).deliveries == []


def test_one_look_serves_all_who_wait(durable, attached, pair, come, question, monkeypatch, one_turn_of_the_loop):
    """However many members wait, what comes is looked at once."""
    looks = []
    draw = Dispatcher.draw
    monkeypatch.setattr(Dispatcher, "draw", lambda *given: looks.append(1) or draw(*given))

    async def both():
        async with asyncio.TaskGroup() as tasks:
            for session in pair:
                tasks.create_task(attached.exchange(session, question()))
            await one_turn_of_the_loop()
            looks.clear()
            come(4)

    durable.runner.run(both())
    assert len(looks) == 1
