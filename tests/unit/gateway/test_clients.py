import asyncio
from functools import partial
from types import SimpleNamespace

import pytest

from caxton.acl.message import Message
from caxton.client.routes.inbox import Inbox
from caxton.errors import ConfigurationError, ResourceExhausted, RuntimeNotFound
from caxton.gateway.clients import Clients
from caxton.gateway.counts import Counts
from caxton.gateway.limits import MAX_BIDS_BYTES, MAX_CLIENTS, MAX_INBOX_BYTES, MAX_OWN_BIDS_BYTES


class Session:
    """What a client is to whoever keeps it: opened, used and closed, from one task."""

    def __init__(self, principal, bid_room):
        self.principal = principal
        self.bid_room = bid_room
        self.session_id = 1
        self.events = []
        self.failure = None
        self.unasked = Inbox()

    def inbox(self):
        return self.unasked

    def say(self, content):
        """An agent sends something that nobody asked for."""
        self.unasked.keep(Message(5, content).envelope)

    async def __aenter__(self):
        self.task = asyncio.current_task()
        if self.failure is not None:
            raise self.failure
        self.events.append("opened")
        return self

    async def __aexit__(self, *_):
        assert asyncio.current_task() is self.task
        self.events.append("closed")


@pytest.fixture
def made():
    return []


@pytest.fixture
def connect(made):
    """Make a session, which `made` has too."""

    def make(principal, bid_room):
        made.append(Session(principal, bid_room))
        return made[-1]

    return make


async def use(clients, principal):
    async with clients.acting_for(principal) as client:
        return client


async def test_a_principal_has_one_client(connect, made):
    """However many ask at the same time; all are closed at the end."""
    async with Clients(connect, Counts()) as clients:
        used = await asyncio.gather(*(use(clients, name) for name in "aabab"))
        assert [client.principal for client in used] == [*"aabab"]
        assert len(made) == len(clients) == 2

    assert [session.events for session in made] == [["opened", "closed"]] * 2


async def test_so_many_clients_and_no_more(connect, made, one_turn_of_the_loop):
    """The one that was used least recently goes; when all are in use, who comes next is refused."""
    async with Clients(connect, Counts(), most=2) as clients:
        for name in "abac":
            await use(clients, name)
        await one_turn_of_the_loop()
        assert [(session.principal, session.events[-1]) for session in made] == [
            ("a", "opened"),
            ("b", "closed"),
            ("c", "opened"),
        ]
        async with clients.acting_for("a"), clients.acting_for("c"):
            with pytest.raises(ResourceExhausted, match="principals at once"):
                await use(clients, "d")
        await use(clients, "d")


async def test_a_gateway_has_so_many_clients(connect, one_turn_of_the_loop):
    """Where nothing else is said: of as many as the bound says all stay, and with one more the oldest goes."""
    async with Clients(connect, Counts()) as clients:
        for number in range(MAX_CLIENTS):
            await use(clients, f"p{number}")
        assert len(clients) == MAX_CLIENTS
        await use(clients, "one more")
        await one_turn_of_the_loop()
        assert len(clients) == MAX_CLIENTS


async def test_what_bidders_answer_has_so_much_room_and_no_more(connect):
    """Of one principal, and of all together: what refuses is counted, and told with whose it is."""
    counts = Counts()
    async with Clients(connect, counts) as clients:
        rooms = [(await use(clients, name)).bid_room for name in "abc"]
        assert rooms[0].take(MAX_OWN_BIDS_BYTES)
        assert not rooms[0].take(1)
        assert rooms[1].take(MAX_BIDS_BYTES - MAX_OWN_BIDS_BYTES)
        assert not rooms[2].take(1)
        levels = {(level.limit, level.whose): (level.have, level.most) for level in clients.levels()}
        assert levels["bid_bytes", ""] == (MAX_BIDS_BYTES, MAX_BIDS_BYTES)
        assert clients.bid_bytes == MAX_BIDS_BYTES
        assert levels["token_bid_bytes", "a"] == (MAX_OWN_BIDS_BYTES, MAX_OWN_BIDS_BYTES)
        assert levels["token_bid_bytes", "c"] == (0, MAX_OWN_BIDS_BYTES)
        rooms[0].give_back(MAX_OWN_BIDS_BYTES)
        assert rooms[2].take(MAX_OWN_BIDS_BYTES)
    assert counts.refused == {"bids at once of one token": 1, "bids at once": 1}
    assert counts.full == {("token_bid_bytes", "a"): MAX_OWN_BIDS_BYTES, ("bid_bytes", ""): MAX_BIDS_BYTES}


async def test_one_that_cannot_be_opened_is_tried_anew(connect, made):
    """Whoever waits for it gets the error, and the next one another try."""
    failing = True

    def sometimes(principal, bid_room):
        session = connect(principal, bid_room)
        session.failure = RuntimeNotFound("r") if failing else None
        return session

    async with Clients(sometimes, Counts()) as clients:
        results = await asyncio.gather(use(clients, "a"), use(clients, "a"), return_exceptions=True)
        assert [type(result) for result in results] == [RuntimeNotFound] * 2
        failing = False
        assert (await use(clients, "a")).principal == "a"


async def test_who_gives_up_waiting_leaves_it_to_the_others(connect, one_turn_of_the_loop):
    """A request that is cancelled while its client opens does not take it from others."""
    async with Clients(connect, Counts()) as clients:
        given_up = asyncio.get_running_loop().create_task(use(clients, "a"))
        waiting = asyncio.get_running_loop().create_task(use(clients, "a"))
        await one_turn_of_the_loop()
        given_up.cancel()
        assert (await waiting).principal == "a"


async def test_what_nobody_reads_is_counted_and_not_kept(connect, made):
    """Nothing is made of it, and no task has to look at it."""
    counts = Counts()
    async with Clients(connect, counts) as clients:
        await use(clients, "a")
        for content in (b"1", b"2", b"3"):
            made[0].say(content)
        assert (counts.unasked, len(made[0].unasked)) == (3, 0)


async def test_what_is_read_is_not_passed_over(connect, made):
    """While somebody reads, what comes goes there; what is left then, and what comes after, is counted."""
    counts = Counts()
    async with Clients(connect, counts) as clients:
        async with clients.reading("a") as (client, messages):
            made[0].say(b"first")
            assert (client, (await anext(messages)).content, counts.unasked) == (made[0], b"first", 0)
            made[0].say(b"left")
        assert counts.unasked == 1
        made[0].say(b"third")
        assert (counts.unasked, len(made[0].unasked)) == (2, 0)


async def test_the_inboxes_of_many_clients_are_small(connect, made):
    """Each waits for who reads it, and together they take what a gateway has."""
    async with Clients(connect, Counts()) as clients:
        await use(clients, "a")
        async with clients.reading("a"):
            made[0].say(bytes(MAX_INBOX_BYTES - 1))
            assert not made[0].unasked.full
            made[0].say(b"x")
            assert made[0].unasked.full


@pytest.mark.parametrize("signs", [0, 1])
async def test_an_inbox_that_is_left_is_passed_over(connect, made, monkeypatch, one_turn_of_the_loop, signs):
    """Left while it waits, or at a sign of life with a message still waited for: nothing is held up by that."""
    from caxton.gateway import streaming  # noqa: PLC0415 (it needs the extra)
    from caxton.gateway.routes import inbox_routes  # noqa: PLC0415

    monkeypatch.setattr(inbox_routes, "events_of", partial(streaming.events_of, beat_s=0.0 if signs else 30.0))
    counts = Counts()
    async with Clients(connect, counts) as clients:
        house = SimpleNamespace(clients=clients, stopping=asyncio.Event(), access=SimpleNamespace(check=lambda _: None))
        told = inbox_routes._live(SimpleNamespace(house=house, grant=SimpleNamespace(principal="a")))
        for _ in range(2 + signs):
            await anext(told)
        if not signs:
            reading = asyncio.get_running_loop().create_task(anext(told))
            await one_turn_of_the_loop()
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
        await told.aclose()
        made[0].say(b"for nobody")
        assert (counts.unasked, len(made[0].unasked)) == (1, 0)


async def test_a_later_reader_takes_the_place_of_the_one_before(connect, made):
    """Which ends with an error, also when it waits; what comes then is the later one's, and nobody else's."""
    counts = Counts()
    async with Clients(connect, counts) as clients, clients.reading("a") as (_, first):
        async with clients.reading("a") as (_, second):
            with pytest.raises(ConfigurationError):
                await anext(first)
            made[0].say(b"mine")
            assert (await anext(second)).content == b"mine"
        assert counts.unasked == 0
