import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib.util import find_spec

import pytest

from caxton.gateway.limits import CLOSE_TIMEOUT_S, HEAD_TIMEOUT_S, MAX_HEAD_BYTES, MAX_PIPELINED
from caxton.testing import eventually

if find_spec("uvicorn") is None:
    pytest.skip("uvicorn is not installed: pip install '.[http]'", allow_module_level=True)

HELLO = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def floods(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(2):
        await send({"type": "http.response.body", "body": bytes(32 << 20), "more_body": True})


@asynccontextmanager
async def connected(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def said(port, raw):
    """Say something, and return everything that is answered until the end."""
    async with connected(port) as (reader, writer):
        writer.write(raw)
        return await reader.read()


def problem_of(raw):
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert b"connection: close" in head
    return json.loads(body)


async def test_requests_are_answered_on_one_connection(listening):
    """One after the other, and what was sent at once too."""
    async with listening(hello) as (port, counts, _), connected(port) as (reader, writer):
        for _ in range(2):
            writer.write(HELLO * 2)
            for _ in range(2):
                await reader.readuntil(b"hello")
    assert counts.refused == {}


async def test_so_many_connections_and_no_more(listening):
    """The next one is told so and closed; when one is gone there is room again."""
    async with listening(hello, most=2) as (port, counts, server), AsyncExitStack() as open_now:
        for _ in range(2):
            reader, writer = await open_now.enter_async_context(connected(port))
            writer.write(HELLO)
            await reader.readuntil(b"hello")

        assert problem_of(await said(port, HELLO))["status"] == 503
        assert counts.refused == {"too many connections": 1}
        assert counts.connections >= 2
        await open_now.aclose()
        await gone(server)
        assert counts.connections == 0
        async with connected(port) as (reader, writer):
            writer.write(HELLO)
            await reader.readuntil(b"hello")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: %s",
        b"GET /%s",
    ],
)
async def test_a_head_is_so_long_and_no_longer(listening, head):
    """In one line or another, whether it ever ends or not."""
    async with listening(hello) as (port, counts, _):
        assert problem_of(await said(port, head % (b"a" * (2 * MAX_HEAD_BYTES))))["status"] == 431
        async with connected(port) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n" % (b"a" * (MAX_HEAD_BYTES - 100)))
            await reader.readuntil(b"hello")
    assert counts.refused == {"long heads": 1}


async def test_many_headers_are_a_long_head(listening):
    """Small ones together are as long as one that is large."""
    lines = b"".join(b"X-%d: %s\r\n" % (n, b"a" * 50) for n in range(1_000))
    async with listening(hello) as (port, _, _):
        raw = b"GET / HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n"
        assert problem_of(await said(port, raw))["status"] == 431


@pytest.mark.parametrize(
    "raw",
    [b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n"],
)
async def test_what_is_no_http_is_told_so(listening, raw):
    """As a problem, and the connection is closed."""
    async with listening(hello) as (port, counts, _):
        assert problem_of(await said(port, raw))["status"] == 400
    assert counts.refused == {"no HTTP": 1}


@pytest.mark.parametrize("beginning", [b"", b"GET / HT", HELLO + b"GET"])
async def test_a_head_that_does_not_come_is_not_waited_for(listening, beginning):
    """Nor the first byte of the first; the time for it is passed in here."""
    async with listening(hello) as (port, counts, server), connected(port) as (reader, writer):
        writer.write(beginning)
        if beginning.startswith(HELLO):
            await reader.readuntil(b"hello")

        async def in_head():
            found = server.server_state.connections
            return found and all(c._in_head and (c._head_bytes or beginning in {b"", HELLO + b"GET"}) for c in found)

        await eventually(in_head)
        (connection,) = server.server_state.connections
        now_s = asyncio.get_running_loop().time()
        connection.look(now_s)
        assert not connection.transport.is_closing()
        connection.look(now_s + HEAD_TIMEOUT_S + 1)
        assert problem_of(await reader.read())["status"] == 408
        assert counts.cut_off == {"slow heads": 1}


async def gone(server):
    """Wait until there are no connections."""

    async def none():
        return not server.server_state.connections

    await eventually(none)


async def test_a_close_that_nobody_notices_is_cut_off(listening):
    """What a closed connection has yet to send is not kept for who reads nothing."""
    async with listening(floods) as (port, counts, server), connected(port) as (_, writer):
        writer.write(HELLO)

        async def stuck():
            return any(connection.flow.write_paused for connection in server.server_state.connections)

        await eventually(stuck)
        (connection,) = server.server_state.connections
        connection.transport.close()
        now_s = asyncio.get_running_loop().time()
        connection.look(now_s)
        connection.look(now_s + CLOSE_TIMEOUT_S + 1)
        await gone(server)
        assert counts.cut_off == {"closes that were not noticed": 1}


async def test_nothing_is_upgraded(listening):
    """Whoever asks for another protocol is answered in this one."""
    raw = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    async with listening(hello) as (port, _, _), connected(port) as (reader, writer):
        writer.write(raw)
        assert b" 200 OK" in await reader.readuntil(b"hello")


async def the_connection(server, fits):
    """Return the only connection, once it is as it should be."""

    async def found():
        return [one for one in server.server_state.connections if fits(one)]

    (connection,) = await eventually(found)
    return connection


def waiting():
    """Make an application that answers as often as its semaphore is released."""
    go = asyncio.Semaphore(0)

    async def waits(scope, receive, send):
        await go.acquire()
        await hello(scope, receive, send)

    return go, waits


@pytest.mark.parametrize("more", [1, 100])
async def test_so_many_requests_wait_on_a_connection_and_no_more(listening, more):
    """Those that may wait are answered, and then the connection is closed: what came behind them is not kept."""
    go, waits = waiting()
    async with listening(waits) as (port, counts, server):
        async with connected(port) as (reader, writer):
            writer.write(HELLO * (1 + MAX_PIPELINED))
            await the_connection(server, lambda one: len(one.pipeline) == MAX_PIPELINED)
            for _ in range(1 + MAX_PIPELINED):
                go.release()
                await reader.readuntil(b"hello")
            assert counts.refused == {}
        await gone(server)
        async with connected(port) as (reader, writer):
            writer.write(HELLO * (MAX_PIPELINED + more) + LAST)
            await the_connection(server, lambda one: len(one.pipeline) >= MAX_PIPELINED)
            for _ in range(1 + MAX_PIPELINED + more):
                go.release()
            assert (await reader.read()).count(b"hello") == 1 + MAX_PIPELINED
    assert counts.refused == {"pipelined requests": 1}


async def test_nothing_is_read_while_requests_wait(listening):
    """An answer to one of them changes nothing of it; the last but one does."""
    go, waits = waiting()
    async with listening(waits) as (port, _, server), connected(port) as (reader, writer):
        writer.write(HELLO * 3)
        connection = await the_connection(server, lambda one: len(one.pipeline) == 2)
        go.release()
        await reader.readuntil(b"hello")
        await the_connection(server, lambda one: len(one.pipeline) == 1)
        assert not connection.transport.is_reading()
        go.release()
        await reader.readuntil(b"hello")
        await the_connection(server, lambda one: one.transport.is_reading())
        go.release()
        await reader.readuntil(b"hello")


async def test_a_head_that_is_none_does_not_answer_what_came_before(listening):
    """The request before it has its own answer, behind which the connection is closed."""
    go, waits = waiting()
    async with listening(waits) as (port, counts, server), connected(port) as (reader, writer):
        writer.write(HELLO + b"hello\r\n\r\n")
        await the_connection(server, lambda _: counts.refused == {"no HTTP": 1})
        go.release()
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"hello")


CHUNKS = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"


@pytest.mark.parametrize("line", [b"X: a\r\n", b"a"])
async def test_trailers_are_as_long_as_a_head_and_no_longer(listening, line):
    """In many lines or in one that does not end, also where each part of it is short."""

    async def reads(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        assert b"x" not in dict(scope["headers"])
        await hello(scope, receive, send)

    async with listening(reads) as (port, counts, _):
        async with connected(port) as (reader, writer):
            short = line * ((MAX_HEAD_BYTES - 100) // len(line))
            writer.write(CHUNKS + b"0\r\nX: b\r\nY: " + short.rstrip() + b"\r\n\r\n" + HELLO)
            for _ in range(2):
                await reader.readuntil(b"hello")
        async with connected(port) as (reader, writer):
            writer.write(CHUNKS + b"0\r\nY: " + line * (20 * MAX_HEAD_BYTES // len(line)))

            async def refused():
                return counts.refused

            await eventually(refused)
            assert counts.refused == {"long heads": 1}


BODY = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"


@pytest.mark.parametrize("beginning", [BODY, CHUNKS])
async def test_a_body_that_goes_on_after_its_answer_is_cut_off(listening, beginning):
    """However much of it comes; the time for it is passed in here."""
    async with listening(hello) as (port, counts, server), connected(port) as (reader, writer):
        writer.write(beginning)
        await reader.readuntil(b"hello")
        connection = await the_connection(server, lambda one: one._rest_since_s is not None)
        now_s = asyncio.get_running_loop().time()
        connection.look(now_s)
        assert not connection.transport.is_closing()
        connection.look(now_s + CLOSE_TIMEOUT_S + 1)
        assert await reader.read() == b""
        await gone(server)
        assert counts.cut_off == {"bodies after their answer": 1}


async def test_the_rest_of_a_body_that_comes_in_time_is_passed_over(listening):
    """The next request on its connection is answered, and when there is none its clock goes."""
    async with listening(hello) as (port, counts, server), connected(port) as (reader, writer):
        writer.write(BODY)
        await reader.readuntil(b"hello")
        writer.write(b"cdefghi")
        connection = await the_connection(server, lambda one: one._is_idle())
        assert connection.timeout_keep_alive_task is not None
        connection.look(asyncio.get_running_loop().time() + CLOSE_TIMEOUT_S + 1)
        writer.write(HELLO)
        await reader.readuntil(b"hello")
    assert counts.cut_off == {}


async def test_empty_lines_between_requests_are_a_head_that_does_not_come(listening):
    """They stop the clock of a connection on which nothing is asked, and so have one of their own."""
    async with listening(hello) as (port, counts, server), connected(port) as (reader, writer):
        writer.write(HELLO)
        await reader.readuntil(b"hello")
        writer.write(b"\r\n")
        connection = await the_connection(server, lambda one: one._in_head)
        connection.look(asyncio.get_running_loop().time() + HEAD_TIMEOUT_S + 1)
        assert problem_of(await reader.read())["status"] == 408
        assert counts.cut_off == {"slow heads": 1}


@pytest.mark.parametrize("size", [20_000, 8 << 20])
async def test_a_refusal_arrives_though_nobody_reads_the_body(listening, size):
    """A connection that is closed with something unread is reset, and the answer is lost with it."""

    async def refuses(scope, receive, send):
        headers = [(b"content-length", b"2"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": b"no"})

    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size
    async with listening(refuses) as (port, counts, server):
        for _ in range(5):
            async with connected(port) as (reader, writer):
                writer.write(head)
                assert (await reader.readuntil(b"no")).startswith(b"HTTP/1.1 401")
                for _ in range(0, size, 10_000):
                    writer.write(bytes(10_000))
                    await writer.drain()
                assert await reader.read() == b""
        await gone(server)
    assert counts.cut_off == {}
