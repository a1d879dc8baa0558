"""Agents whose handlers ask who waits for them: told at once where they would wait for themselves, else handled."""

import asyncio

import pytest

import caxton
from caxton.errors import ConversationStopped, Deadlock, HandlerFailed, HopLimitExceeded

WORKERS = 2
PATIENCE_S = 60
DIGITS = (b"0", b"1")
DURABLE = caxton.DeliveryOptions(reliability="at_least_once", max_retries=1)
VOLATILE = caxton.DeliveryOptions(reliability="at_most_once")


@pytest.fixture(params=[VOLATILE, DURABLE], ids=["volatile", "durable"])
def options(request):
    return request.param


@pytest.fixture(params=[1, 2], ids=["of one shard", "of two shards"])
async def pair(client, request):
    """The names of two agents of one shard, or of two, so that a circle of them goes over both."""
    shard_of = client._reach().table.shard_of
    names = [f"circle {n}" for n in range(99)]
    shards = [shard_of(client.id_of(name)) for name in names]
    other = next(n for n in range(1, 99) if (shards[n] != shards[0]) == (request.param == WORKERS))
    return names[0], names[other]


def asking(client, to, options, **others):
    """Return a handler that passes a question on, and tells what came of it as its answer."""

    async def ask(delivered):
        try:
            reply = await client.request(to, delivered.message.content, options=options, timeout_s=PATIENCE_S, **others)
        except caxton.errors.CaxtonError as error:
            return type(error).__name__.encode()
        return reply.content

    return ask


async def test_two_that_wait_for_each_other_are_told_at_once(client, pair, options):
    """A asks B, which asks A, which handles one at a time: B's question ends by name, and both answer."""
    a, b = pair
    async with (
        client.attach(a, asking(client, b, options), concurrency=1),
        client.attach(b, asking(client, a, options), concurrency=1),
    ):
        reply = await client.request(a, b"x", options=options, timeout_s=PATIENCE_S)
        assert reply.content == b"Deadlock"
        counted = [shard["deadlocks"] for shard in (await client.stats()).workers]
        assert sum(counted) >= 1


async def test_who_asks_itself_is_told_at_once(client, options):
    """An agent that keeps a state handles one message at a time, and cannot ask itself."""

    async def ask(delivered):
        with pytest.raises(Deadlock, match="would wait for itself"):
            await client.request("alone", b"again", options=options, timeout_s=PATIENCE_S)
        return caxton.Saved(b"kept", b"told")

    async with client.attach("alone", ask, state=True):
        assert (await client.request("alone", b"x", options=options, timeout_s=PATIENCE_S)).content == b"told"


async def test_what_nobody_catches_fails_by_name(client, pair):
    """An error that no handler catches names the deadlock to who asked first."""
    a, b = pair

    async def ask_back(_delivered):
        return (await client.request(a, b"back", timeout_s=PATIENCE_S)).content

    async def ask(_delivered):
        return (await client.request(b, b"on", timeout_s=PATIENCE_S)).content

    async with client.attach(a, ask, concurrency=1), client.attach(b, ask_back):
        with pytest.raises(HandlerFailed, match="Deadlock"):
            await client.request(a, b"x", timeout_s=PATIENCE_S)


@pytest.mark.parametrize("order", ["conversation", "sender", "none"])
async def test_who_handles_more_at_a_time_answers_itself(client, pair, options, order):
    """With one more place the question that comes back is handled, whatever it shares with what waits for it."""
    a, b = pair
    talk = client.new_conversation()

    async def ask(delivered):
        if delivered.message.content == b"back":
            return b"answered"
        reply = await client.request(b, b"on", options=options, timeout_s=PATIENCE_S, conversation_id=talk)
        return reply.content

    async def ask_back(_delivered):
        reply = await client.request(a, b"back", options=options, timeout_s=PATIENCE_S, conversation_id=talk)
        return reply.content

    async with client.attach(a, ask, concurrency=2, order=order), client.attach(b, ask_back, order=order):
        reply = await client.request(a, b"x", options=options, timeout_s=PATIENCE_S, conversation_id=talk)
        assert reply.content == b"answered"


async def test_many_that_wait_for_themselves_end(client):
    """As many questions as an agent handles at a time, each of which asks it again: some are told, and all end."""

    async def ask(delivered):
        if delivered.message.content == b"again":
            return b"done"
        try:
            return (await client.request("many", b"again", timeout_s=PATIENCE_S)).content
        except Deadlock:
            return b"deadlock"

    async with client.attach("many", ask, concurrency=3):
        replies = await asyncio.gather(*(client.request("many", b"x", timeout_s=PATIENCE_S) for _ in range(30)))
        assert {reply.content for reply in replies} <= {b"done", b"deadlock"}


async def test_what_only_shares_its_root_waits_its_turn(client):
    """Of two messages that follow from one, the second is no deadlock while the handler of the first asks somebody."""
    asked, go_on, both = asyncio.Event(), asyncio.Event(), asyncio.Event()
    seen = []

    async def split(delivered):
        return [caxton.Message(client.id_of("serial"), digit, performative="request") for digit in DIGITS]

    async def serial(delivered):
        seen.append((delivered.message.content, (await client.request("slow", b"", timeout_s=PATIENCE_S)).content))
        if len(seen) == len(DIGITS):
            both.set()

    async def slow(_delivered):
        asked.set()
        await go_on.wait()
        return b"yes"

    async with (
        client.attach("split", split),
        client.attach("serial", serial, concurrency=1),
        client.attach("slow", slow),
    ):
        await client.send("split", b"x", options=VOLATILE)
        await asked.wait()
        while (await client.inspect("serial")).queued < 2:
            pass
        go_on.set()
        await both.wait()
    assert seen == [(digit, b"yes") for digit in DIGITS]


async def test_a_note_to_itself_is_no_deadlock(client, options):
    """What a handler sends, and does not ask, is handled when it has ended, on either lane."""
    noted = asyncio.Event()

    async def handle(delivered):
        if delivered.message.content == b"note":
            noted.set()
        else:
            await client.send("noting", b"note", options=options)
        return b"ok"

    async with client.attach("noting", handle, concurrency=1):
        assert (await client.request("noting", b"x", options=options, timeout_s=PATIENCE_S)).content == b"ok"
        await noted.wait()


async def test_a_chain_through_programs_ends_by_its_hops(client, pair):
    """Two agents of a program that ask each other for ever come to the limit of what follows from one message."""
    a, b = pair
    depths = []

    def deeper(to):
        async def ask(delivered):
            depths.append(delivered.message.envelope.cause)
            try:
                return (await client.request(to, b"", timeout_s=PATIENCE_S)).content
            except HopLimitExceeded as error:
                return b"%d" % error.hops

        return ask

    limits = caxton.DeliveryOptions(max_hops=9)
    async with client.attach(a, deeper(b)), client.attach(b, deeper(a)):
        reply = await client.request(a, b"", options=limits, timeout_s=PATIENCE_S)
    assert reply.content == b"10"
    assert [0 if cause is None else cause.hops for cause in depths] == list(range(10))


async def test_who_asks_instead_of_answering_asks_for_who_waits(client, pair, options):
    """An agent that sends its question with its turn, and answers later, is told of the deadlock by a failure."""
    a, b = pair
    told = []

    async def ask_first(delivered):
        message = delivered.message
        if message.failure() is None:
            told.append(message)
            token = caxton.MessageId(bytes(range(16)))
            return [caxton.Message(client.id_of(a), b"?", performative="request", reply_with=token)]
        return [told[0].reply(type(message.failure()).__name__.encode())]

    async with client.attach(a, asking(client, b, options), concurrency=1), client.attach(b, ask_first):
        reply = await client.request(a, b"x", options=options, timeout_s=PATIENCE_S)
        assert reply.content == b"Deadlock"


async def test_another_that_can_do_it_is_asked_instead(client):
    """A request to a capability that would wait for itself goes to another agent that has it."""

    async def first(_delivered):
        reply = await client.request(caxton.Capability("think"), b"?", timeout_s=PATIENCE_S)
        return reply.content

    async def second(_delivered):
        return b"thought"

    async with client.attach("thinker", first, concurrency=1, capabilities=["think"]):
        with pytest.raises(HandlerFailed, match="NoCapableAgents"):
            await client.request("thinker", b"x", timeout_s=PATIENCE_S)
        async with client.attach("other thinker", second, capabilities=["think"]):
            assert (await client.request("thinker", b"x", timeout_s=PATIENCE_S)).content == b"thought"


async def test_a_conversation_s_limit_of_hops_holds_for_programs(client):
    """An agent that goes on with itself in a conversation comes to the hops that this may have."""
    talk, stopped = client.new_conversation(), asyncio.Event()
    limits = caxton.DeliveryOptions(reliability="at_most_once", conversation=caxton.ConversationLimits(max_hops=3))
    hops = []

    async def deeper(delivered):
        if delivered.message.failure() is not None:  # that it has ended
            return
        hops.append(0 if delivered.message.envelope.cause is None else delivered.message.envelope.cause.hops)
        try:
            await client.send("deeper", b"", options=VOLATILE, conversation_id=talk)
        except ConversationStopped:
            stopped.set()

    async with client.attach("deeper", deeper, concurrency=1):
        await client.send("deeper", b"", options=limits, conversation_id=talk)
        await stopped.wait()
    assert hops == [0, 1, 2, 3]


async def test_a_claim_of_what_it_was_not_given_is_refused(raw_session, client, shard_counter):
    """A session that names a cause is refused by name unless it was given that, and goes on; each is counted."""
    async with client.attach("listener", asking(client, "listener", VOLATILE)) as listener:
        table = client._reach().table
        names = (f"guarded {n}" for n in range(99))
        here = next(name for name in names if table.shard_of(client.id_of(name)) == 0)
        async with client.attach(here, asking(client, "listener", VOLATILE)) as guarded:
            before = await shard_counter("claims_forged")
            plain = [None, None, None, 0, 5, 30_000, 0, None]
            root = [1, bytes(16), "", 0, 0]
            for cause in (root, [*root, [[bytes(16)], bytes(16)]], [*root, [[], b""]]):
                fields = dict(zip("abcdefghi", [*plain, cause], strict=True))
                raw_session.send(raw_session.message(guarded.agent_id, b"x", **fields))
            errors = [error for _, error in await raw_session.settled()]
            assert errors == ["InvalidMessageFormat", "SecurityError", "SecurityError"]
            assert await shard_counter("claims_forged") == before + 3
            assert guarded.counts["handled"] == 0
    assert listener.counts["handled"] == 0


async def test_what_is_sent_after_the_end_is_a_root(client):
    """A task that a handler leaves behind sends what follows from nothing."""
    left = asyncio.Event()
    causes = asyncio.Queue()

    async def listen(delivered):
        causes.put_nowait(delivered.message.envelope.cause)

    async def later():
        await left.wait()
        await client.send("listener", b"late", options=VOLATILE)

    async def leave(_delivered):
        group.create_task(later())
        await client.send("listener", b"early", options=VOLATILE)
        return b"left"

    async with asyncio.TaskGroup() as group, client.attach("listener", listen), client.attach("leaver", leave):
        await client.request("leaver", b"x", timeout_s=PATIENCE_S)
        assert (await causes.get()).hops == 1
        left.set()
        assert await causes.get() is None
