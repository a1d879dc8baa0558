"""A client on another machine: the calls of the local one, by a gateway, with the same results and errors."""

import asyncio
import contextlib

import pytest

import caxton
import caxton.testing
from caxton.acl.json_form import message_values

ABSENT = caxton.MessageId.parse("019b76da-a800-7abc-8000-000000003000")


@pytest.fixture
async def remote(url, token, admin):
    """A client with a token for everything, where an agent echo is deployed."""
    async with caxton.connect(url, token=token("admin")) as client:
        yield client


@pytest.fixture
async def here(served, admin):
    """The client of the same runtime on its own machine."""
    async with served.connect() as client:
        yield client


async def test_an_agent_is_seen_as_on_its_own_machine(remote, here):
    """By its name, its id and in lists; what it is called is told in whichever way it was asked for."""
    near, far = await here.inspect("echo"), await remote.inspect("echo")
    by_id = await remote.inspect(near.id)

    assert far == by_id == near
    assert remote.id_of("echo") == near.id
    assert await remote.agents(name="ec*") == [near]
    assert await remote.find("say") == [near]
    assert [view.name async for view in remote.capabilities()] == ["say"]
    assert [view.name async for view in remote.capabilities(after="say")] == []
    looked = await remote.lookup([near.id, "nobody"])
    assert (looked[0], type(looked[1])) == (near, caxton.errors.AgentNotFound)
    assert str(looked[1]) == str((await here.lookup(["nobody"]))[0])


@pytest.mark.parametrize("name", ["a/b", "..", ".", "0000000000004d2", "*", "ä%2F ?#&", "x" * 200])
async def test_any_name_that_an_agent_may_have_is_reached(remote, here, echo_wasm, name):
    """Also one that no path can hold, or that is nearly written as an id."""
    made = await remote.deploy(name, echo_wasm, capabilities=["odd"], limits=caxton.Limits(max_hops=7), version="v1")
    seen = await remote.inspect(name)
    answer = await remote.request(name, b"hello")
    await remote.pause(name)
    paused = (await here.inspect(name)).state
    await remote.resume(name)
    await remote.remove(name)

    assert (seen.id, seen.name, seen.limits["max_hops"], seen.version) == (made, name, 7, "v1")
    assert (answer.content, answer.sender, paused) == (b"hello", made, "paused")
    with pytest.raises(caxton.errors.AgentNotFound):
        await here.inspect(name)


async def test_what_cannot_be_deployed_is_the_same_error(remote, here, echo_wasm):
    """Each deployment has its own end, and a mistake is found before anything travels."""
    wasm = echo_wasm.read_bytes()
    wanted = [caxton.Deployment("echo", wasm), caxton.Deployment("bad", b"\0asm"), caxton.Deployment(" x", wasm)]
    wanted.append(caxton.Deployment(str(caxton.AgentId(1234)), wasm))
    far, near = await remote.deploy_many(wanted), await here.deploy_many(wanted)

    assert [type(error) for error in far] == [type(error) for error in near]
    assert [str(error) for error in far] == [str(error) for error in near]


async def test_messages_are_sent_and_answered(remote, here):
    """By name, by id and to a capability, one and many; bytes are bytes."""
    agent = (await here.inspect("echo")).id
    by_name = await remote.request("echo", b"\xff\x00")
    by_id = await remote.request(agent, {"a": 1}, encoding="json", protocol="fipa-request")
    capable = await remote.request(caxton.Capability("say"), b"x")
    many = await remote.request_many([caxton.Message(agent, str(n).encode()) for n in range(30)])
    sent = await remote.send("echo", b"once", idempotency_key="far")
    again = await remote.send("echo", b"once", idempotency_key="far")
    to_one = await remote.send(caxton.Capability("say"), b"y")
    several = await remote.broadcast(b"z", ["echo"])

    assert (by_name.content, by_name.sender, capable.sender) == (b"\xff\x00", agent, agent)
    assert by_id.conversation_id is not None
    assert [one.content for one in many] == [str(n).encode() for n in range(30)]
    assert (sent.is_new, sent.lane, again.is_new, to_one.agent) == (True, caxton.Lane.DURABLE, False, agent)
    assert [type(result) for result in several.values()] == [caxton.Receipt]
    assert [*several] == [agent]


async def test_an_answer_is_the_message_that_a_local_client_has(remote, here):
    """All of its fields but ids and times, which are new each time."""

    def said(message):
        changing = {"message_id", "in_reply_to", "created_at", "conversation_id", "receiver", "reply_with"}
        return {name: value for name, value in message_values(message).items() if name not in changing}

    assert said(await remote.request("echo", b"same")) == said(await here.request("echo", b"same"))


async def test_more_messages_than_one_request_holds(remote, here):
    """Go in several, and have their results in order."""
    agent = (await here.inspect("echo")).id
    options = caxton.DeliveryOptions(reliability="at_most_once")
    messages = [caxton.Message(agent, b"", delivery_options=options) for _ in range(1_001)]
    messages[500] = caxton.Message(caxton.AgentId(77), b"", delivery_options=options)
    results = await remote.send_batch(messages)

    assert [place for place, one in enumerate(results) if isinstance(one, caxton.errors.CaxtonError)] == [500]
    assert isinstance(results[500], caxton.errors.AgentNotFound)


async def test_each_of_many_messages_has_its_own_result(url, token, remote, here, echo_wasm):
    """As where the runtime serves: what the token is not for is refused alone, in the same request as others."""
    hidden = await remote.deploy("hidden-from-some", echo_wasm)
    agent = (await here.inspect("echo")).id
    options = caxton.DeliveryOptions(reliability="at_most_once")
    messages = [caxton.Message(agent, b"", delivery_options=options) for _ in range(4)]
    messages[2] = caxton.Message(hidden, b"", delivery_options=options)
    async with caxton.connect(url, token=token("sender", "echo")) as some:
        results = await some.send_batch(messages)
    await remote.remove("hidden-from-some")

    assert [type(one) for one in results] == [caxton.Receipt] * 2 + [caxton.errors.AccessDenied, caxton.Receipt]


async def test_bytes_that_json_makes_long_are_sent_and_come(remote):
    """As many zeros as a message may have, both ways."""
    content = bytes(900_000)
    assert (await remote.request("echo", content)).content == content
    echo = (await remote.inspect("echo")).id
    sent = await remote.send_batch([caxton.Message(echo, bytes(5_000_000))])
    assert isinstance(sent[0], caxton.errors.MessageTooLarge)
    assert "5000000 bytes" in str(sent[0])  # as the agent says it, and nobody before it


async def test_a_client_that_is_closed_within_its_block_hangs_up(url, token, remote):
    """At the end of the block, beyond which it may be entered anew, and not before."""
    async with caxton.connect(url, token=token("admin")) as client:
        await client.health()
        line = client._line
        client.close()
        with pytest.raises(caxton.errors.ConfigurationError):
            await client.health()
        with pytest.raises(caxton.errors.ConfigurationError, match="open already"):
            await client.__aenter__()
        assert not line._http.is_closed
    assert line._http.is_closed
    async with client:
        await client.health()


async def test_agents_are_found_by_something(remote, here):
    """Not by nothing, which all have."""
    for client in (remote, here):
        with pytest.raises(caxton.errors.ValidationError):
            await client.find()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda client: client.inspect("nobody"), caxton.errors.AgentNotFound),
        (lambda client: client.send("nobody", b""), caxton.errors.AgentNotFound),
        (lambda client: client.request("nobody", b""), caxton.errors.AgentNotFound),
        (lambda client: client.resume("echo"), caxton.errors.InvalidStateTransition),
        (lambda client: client.remove("nobody"), caxton.errors.AgentNotFound),
        (lambda client: client.dead_letter("0-999999"), caxton.errors.DeadLetterNotFound),
        (lambda client: client.conversation(str(ABSENT)), caxton.errors.ConversationNotFound),
        (lambda client: client.purge(), caxton.errors.ValidationError),
        (lambda client: client.send(caxton.Capability("nothing"), b""), caxton.errors.NoCapableAgents),
        (lambda client: client.request("echo", b"", protocol="fipa-nothing"), caxton.errors.UnknownProtocol),
    ],
)
async def test_what_goes_wrong_is_the_same_error(remote, here, call, error):
    """With the same fields, so that it says the same."""
    with pytest.raises(error) as far:
        await call(remote)
    with pytest.raises(error) as near:
        await call(here)

    assert type(far.value) is type(near.value) is error
    assert str(far.value) == str(near.value)


async def test_dead_letters_are_listed_shown_sent_again_and_forgotten(remote, here, echo_wasm):
    """As on the machine of the runtime; of an agent that is gone too."""
    await remote.deploy("far-grave", echo_wasm)
    await remote.pause("far-grave")
    for number in range(3):
        await remote.send("far-grave", str(number).encode())
    await remote.stop("far-grave")
    far = [letter async for letter in remote.dead_letters(agent="far-grave", with_content=True)]
    near = [letter async for letter in here.dead_letters(agent="far-grave", with_content=True)]
    some = [letter async for letter in remote.dead_letters(agent="far-grave", limit=2)]
    sent = await remote.requeue([far[0]])
    purged = await remote.purge(agent="far-grave", reason=far[0].reason)

    assert [(one.id, one.reason, one.died_at, one.attempts) for one in far] == [
        (one.id, one.reason, one.died_at, one.attempts) for one in near
    ]
    assert [one.message.content for one in far] == [b"0", b"1", b"2"]
    assert [message_values(one.message) for one in far] == [message_values(one.message) for one in near]
    assert [one.error for one in far] == [one.error for one in near]
    assert ([one.id for one in some], [*sent]) == ([one.id for one in far[:2]], [far[0].id])
    assert purged >= 2
    await remote.remove("far-grave")


async def test_conversations_and_figures_are_the_same(remote, here):
    """What counts goes on counting, so the books and what has ended are compared."""
    answer = await remote.request("echo", b"talk", protocol="fipa-request")
    far, near = [await client.conversation(str(answer.conversation_id)) for client in (remote, here)]
    listed = [view.id async for view in remote.conversations(agent="echo")]
    ledgers = await remote.ledger(), await here.ledger()

    assert (far.id, far.state, far.outcome, far.history, far.participants) == (
        near.id,
        near.state,
        near.outcome,
        near.history,
        near.participants,
    )
    assert far.id in listed
    far_books, near_books = [{n: f.accepted for n, f in ledger.shards.items()} for ledger in ledgers]
    assert (far_books, ledgers[0].balanced) == (near_books, True)
    assert (await remote.dead_letter_stats()).capacity == (await here.dead_letter_stats()).capacity
    assert (await remote.conversation_stats()).total_created >= 1
    assert (await remote.health()).workers[0].shard == 0
    assert len((await remote.stats()).workers) == 2


async def test_an_agent_is_drained(remote, echo_wasm):
    """The call returns when it has stopped."""
    await remote.deploy("far-drained", echo_wasm)
    drained = await remote.drain("far-drained", timeout_s=20)

    assert drained.is_complete
    assert (await remote.inspect("far-drained")).state == "stopped"
    await remote.remove("far-drained")


async def test_what_an_agent_logs_is_read_and_followed(remote, here, wasm):
    """The lines that are kept, and those that come."""
    await remote.deploy("far-talker", wasm("log"))
    await remote.request("far-talker", b"one")
    kept = [line async for line in remote.logs("far-talker")]
    near = [line async for line in here.logs("far-talker")]
    following = remote.logs("far-talker", follow=True)
    first = await anext(following)
    await remote.request("far-talker", b"two")
    second = await anext(following)
    await following.aclose()

    assert kept == near != []
    assert (first, second.number) == (kept[0], first.number + 1)
    await remote.remove("far-talker")


async def test_what_happens_is_told(remote, here):
    """What is kept is the same, from any cursor on; and what happens comes as it does."""
    kept = [event async for event in remote.events()]
    near = [event async for event in here.events()]
    behind = [event async for event in remote.events(after=kept[1].cursor, kinds=["agent_deployed"])]
    following = remote.events(agent="echo", kinds=["agent_paused", "agent_resumed"], after=near[-1].cursor, follow=True)
    await here.pause("echo")
    await here.resume("echo")
    live = [await anext(following), await anext(following)]
    await following.aclose()

    assert kept == near[: len(kept)] != []
    assert behind == [event for event in near[2:] if event.kind == "agent_deployed"]
    assert [(event.kind, event.agent) for event in live] == [("agent_paused", "echo"), ("agent_resumed", "echo")]
    with pytest.raises(caxton.errors.ValidationError, match="cursor"):
        await anext(remote.events(after="x"))
    with pytest.raises(caxton.errors.ValidationError, match="kinds"):
        await anext(remote.events(kinds=["x"]))


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.waiting("echo").__anext__(),
        lambda client: client.watch("echo").__anext__(),
        lambda client: client.message(ABSENT),
        lambda client: client.create_token("x", "viewer"),
        lambda client: client.backup("/nowhere"),
        lambda client: client.spans(),
        lambda client: client.advertise("echo", add=["x"]),
        lambda client: client.attach("x", print).__aenter__(),
        lambda client: client.send("echo", b"", wait=False),
    ],
)
async def test_what_only_the_machine_of_the_runtime_can_do_says_so(remote, call):
    """By a typed error, and nothing is done."""
    with pytest.raises(caxton.errors.Unsupported, match="another machine"):
        await call(remote)


async def test_who_may_not_is_told_so(url, token, admin):
    """A role that is too low, agents that a token is not for, and a token that is none."""
    async with caxton.connect(url, token=token("viewer")) as viewer:
        with pytest.raises(caxton.errors.AccessDenied):
            await viewer.send("echo", b"")
    async with caxton.connect(url, token=token("admin", "other-*")) as some:
        with pytest.raises(caxton.errors.AccessDenied):
            await some.inspect("echo")
    async with caxton.connect(url, token="cx_" + "A" * 43) as nobody:
        with pytest.raises(caxton.errors.TokenRefused):
            await nobody.agents()


async def test_a_client_is_open_within_its_block_and_in_its_loop(url, token):
    """Use before and after, and twice at once, is told as a mistake."""
    client = caxton.connect(url, token=token("viewer"))
    with pytest.raises(caxton.errors.ConfigurationError, match="not open"):
        await client.health()
    async with client:
        with pytest.raises(caxton.errors.ConfigurationError, match="open already"):
            await client.__aenter__()
        with pytest.raises(caxton.errors.ConfigurationError, match="another event loop"):
            await asyncio.to_thread(asyncio.run, client.health())
    with pytest.raises(caxton.errors.ConfigurationError, match="not open"):
        await client.inspect("echo")


def test_programs_without_a_loop_have_it_too(url, token, admin):
    """`connect_sync` takes a URL as `connect` does."""
    with caxton.connect_sync(url, token=token("admin")) as client:
        assert client.request("echo", b"hello").content == b"hello"
        assert [view.name for view in client.agents(name="echo")] == ["echo"]
        with pytest.raises(caxton.errors.Unsupported):
            client.spans()


async def test_where_nobody_serves_nothing_was_asked(token):
    """That is another error than one of something that may have happened."""
    async with caxton.connect("http://127.0.0.1:1", token=token("viewer")) as client:
        with pytest.raises(caxton.errors.RuntimeNotFound, match="right URL"):
            await client.health()


async def test_what_agents_send_unasked_is_read(served, url, token):
    """Durable and not, in order, by who reads; and a receipt comes there too."""

    async def talkative(delivered):
        sender = delivered.message.sender
        options = caxton.DeliveryOptions(reliability="at_most_once")
        return [
            caxton.Message(sender, b"one"),
            caxton.Message(sender, b"\xff"),
            caxton.Message(sender, b"three", delivery_options=options),
        ]

    async with served.connect() as client, client.attach("far-talkative", talkative):
        async with caxton.connect(url, token=token("sender", "far-*", "x")) as remote:
            inbox = await remote.inbox()
            await remote.send("far-talkative", b"", options=caxton.DeliveryOptions(receipt=True))
            read = [await anext(inbox) for _ in range(4)]
        said = sorted(message.content for message in read if not message.is_confirmation)

        assert said == [b"one", b"three", b"\xff"]
        assert sum(message.is_confirmation for message in read) == 1
        assert {message.receiver.is_session for message in read} == {True}
    with pytest.raises(StopAsyncIteration):
        await anext(inbox)


async def next_of(client):
    return await anext(client.inbox())


async def test_a_later_reader_of_a_token_takes_over(served, url):
    """The one before is told so, and does not come back by itself."""
    async with served.connect() as client:
        made = await client.create_token("reads", "sender")
    async with caxton.connect(url, token=made.token) as first, caxton.connect(url, token=made.token) as second:
        waits = asyncio.get_running_loop().create_task(next_of(first))
        await first._heard()
        await second._heard()
        with pytest.raises(caxton.errors.ConfigurationError, match="another stream"):
            await waits
    async with served.connect() as client, caxton.connect(url, token=made.token) as third:
        await third._heard()
        await client.revoke_token(made.about.token_id)
        with pytest.raises(caxton.errors.TokenRefused):
            await third.health()


@pytest.fixture
async def sellers(here):
    """Agents that bid: two make a proposal, and one refuses."""

    def seller(price):
        async def handler(delivered):
            message = delivered.message
            match message.performative:
                case caxton.Performative.CFP:
                    return [message.reply(price, performative="propose" if price else "refuse")]
                case caxton.Performative.ACCEPT_PROPOSAL:
                    return [message.reply(b"done")]
            return None

        return handler

    bids = {"far-anna": b"9", "far-bert": b"7", "far-carl": b""}
    async with contextlib.AsyncExitStack() as blocks:
        for name, price in bids.items():
            await blocks.enter_async_context(here.attach(name, seller(price), capabilities=["sell"]))
        yield [*bids]
    await here.remove_many(bids)


async def test_a_task_is_awarded_in_one_request(remote, here, sellers):
    """To agents by name or capability; the outcome is the one of the local call, but for ids and times."""
    far, near = [await client.contract_net(b"paint", sellers) for client in (remote, here)]
    capable = await remote.contract_net(b"paint", caxton.Capability("sell"), choose="highest")
    chosen = await remote.contract_net(b"paint", sellers, choose=lambda proposals: proposals[0])
    none = await remote.contract_net(b"paint", ["nobody"], deadline_s=5)

    for one in (far, near):
        assert (one.outcome, one.result.content, one.proposal.content) == (caxton.Outcome.AWARDED, b"done", b"7")
        assert [proposal.content for proposal in one.proposals] == [b"9", b"7"]
        assert [said.performative for said in one.refusals.values()] == [caxton.Performative.REFUSE]
    assert (far.winner, far.refusals.keys()) == (near.winner, near.refusals.keys())
    assert (capable.proposal.content, chosen.proposal.content) == (b"9", b"9")
    assert none.outcome is caxton.Outcome.NO_PROPOSALS
    assert [type(said) for said in none.refusals.values()] == [caxton.errors.AgentNotFound]
    with pytest.raises(caxton.errors.ValidationError, match="25 s"):
        await remote.contract_net(b"", sellers, deadline_s=26)


async def test_a_negotiation_is_for_agents_that_a_token_is_for(url, token, sellers):
    """All of them, or else all agents where a capability stands for them."""
    async with caxton.connect(url, token=token("sender", "far-a*")) as some:
        for to in (sellers, caxton.Capability("sell")):
            with pytest.raises(caxton.errors.AccessDenied):
                await some.contract_net(b"", to)
        assert (await some.contract_net(b"", ["far-anna"])).proposal.content == b"9"
