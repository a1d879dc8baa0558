"""Lists that come page by page, from whoever says that they go on."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.agents.manifest import Encoding
from caxton.errors import NetworkError, Timeout
from caxton.forms.agent_form import AgentForm
from caxton.remote.address import Address
from caxton.remote.client import RemoteClient
from caxton.remote.http_line import HttpLine
from caxton.remote.pages import Cursor
from caxton.wire.calls import AgentView

TOKEN = "cx_" + "a" * 43
# Beyond this a test would wait for ever.
PATIENCE_S = 60


def form(name):
    """An agent as it is told."""
    return AgentForm.of(AgentView(7, name, "running", 0, Encoding.CONTENT, (), {}, b"", False, 0, {}))


def page(**what):
    """An answer with a page."""
    body = msgspec.json.encode(what)
    return b"HTTP/1.1 200 x\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body


async def listed(views):
    """All that a list has."""
    return [view async for view in views]


@pytest.fixture
async def client_of():
    """A client for whoever answers at a URL."""
    clients = []

    async def opened(url):
        clients.append(RemoteClient(Address.of(url, TOKEN)))
        return await clients[-1].__aenter__()

    yield opened
    for client in clients:
        await client.__aexit__(None, None, None)


LISTS = [
    ("agents", lambda client: client.agents()),
    ("agents", lambda client: client.find("say")),
    ("capabilities", lambda client: client.capabilities()),
    ("dead_letters", lambda client: client.dead_letters()),
    ("conversations", lambda client: client.conversations()),
]


@pytest.mark.parametrize(("what", "ask"), LISTS)
@pytest.mark.parametrize("says", ["same", "other"])
async def test_empty_pages_that_go_on_are_an_error(serve, client_of, what, ask, says):
    """Nobody asks without end for what does not come."""
    url, asked = await serve(lambda number: page(**{what: [], "next": says if says == "same" else f"b{number}"}))
    client = await client_of(url)
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(NetworkError, match="is empty, and goes on"):
            await listed(ask(client))

    assert len(asked) == 1


@pytest.mark.parametrize("round_of", [1, 2, 5])
async def test_a_list_that_goes_round_is_an_error(serve, client_of, round_of):
    """Whatever is on its pages."""
    entry = {"name": "say", "agents": 1, "healthy": 1}
    url, asked = await serve(lambda number: page(capabilities=[entry], next=f"c{number % round_of}"))
    client = await client_of(url)
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(NetworkError, match="again and does not end"):
            await listed(client.capabilities())

    assert len(asked) <= 4 * round_of + 1


async def test_agents_that_come_again_are_an_error(serve, client_of):
    """A page of as many as were asked for counts by its last name, which is behind the one before."""
    agents = [form(f"a{number:03}") for number in range(500)]
    url, asked = await serve(lambda number: page(agents=agents, next=f"n{number}"))
    client = await client_of(url)
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(NetworkError, match="order of their names"):
            await listed(client.agents())

    assert len(asked) == 2


async def test_no_more_than_was_asked_for_is_taken(serve, client_of):
    """A page with too many does not make a list longer, nor endless."""
    entry = {
        "id": "0-1",
        "reason": "expired",
        "error": {"code": "MessageExpired", "fields": {}},
        "attempts": 1,
        "retry_reasons": [],
        "died_at": "2026-01-01T00:00:00Z",
        "content_bytes": 0,
        "requeued_from": None,
        "message": {"performative": "inform", "receiver": "0000000000000007"},
    }
    url, asked = await serve(lambda number: page(dead_letters=[entry] * 3, next=f"n{number}"))
    client = await client_of(url)
    async with asyncio.timeout(PATIENCE_S):
        found = await listed(client.dead_letters(limit=2))

    assert (len(found), len(asked)) == (2, 1)


async def test_a_page_that_trickles_ends(serve, client_of, monkeypatch):
    """Each page has the time of one request, for all of it."""
    monkeypatch.setitem(HttpLine.ask.__kwdefaults__, "timeout_s", 0.05)
    url, _ = await serve(b"HTTP/1.1 200 x\r\ncontent-length: 1000\r\n\r\n{", closes=False)
    client = await client_of(url)
    with pytest.raises(Timeout):
        await listed(client.capabilities())


@given(before=st.lists(st.integers(), unique=True, max_size=40), circle=st.integers(1, 20))
def test_every_circle_is_found(before, circle):
    """However long it took to come into it, within a few rounds."""
    cursor = Cursor("there", None)
    for one in before:
        assert cursor.turn(1, f"before {one}")
    rounds = (cursor.turn(1, f"circle {number % circle}") for number in range(4 * (len(before) + circle) + 4))
    with pytest.raises(NetworkError):
        all(rounds)


@given(count=st.integers(0, 300))
def test_a_list_that_moves_on_ends_where_it_ends(count):
    """The last page may be empty."""
    cursor = Cursor("there", "-1")
    for number in range(count):
        assert cursor.turn(1, str(number))
        assert cursor.after == str(number)

    assert not cursor.turn(0, None)
