"""Requests by HTTP that cost as little as may be: prepared bytes on connections that stay, one at a time on each.

A library for it would take longer than what is measured.
"""

import asyncio
import re
import time
from types import TracebackType
from typing import Self

from bench.load.latencies import Latencies

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class Refused(Exception):
    """An answer that is not 200."""


class HttpConnection:
    """One connection to a gateway."""

    def __init__(self, host: str, port: int) -> None:
        self._place = host, port
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(*self._place)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._writer.close()

    async def ask(self, request: bytes) -> bytes:
        """Send a request as it is, and return the body of its answer; raises Refused, ConnectionError."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await self._reader.readexactly(int(length[1])) if length else b""
        if head[9:12] != b"200":
            raise Refused((head + body).decode(errors="replace"))
        return body


def post(path: str, host: str, port: int, token: str, body: bytes) -> bytes:
    """Return a request as it is sent."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get(path: str, host: str, port: int, token: str) -> bytes:
    """Return a question as it is sent."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


async def closed_loop(
    host: str, port: int, request: bytes, connections: int, seconds: float
) -> tuple[int, float, Latencies]:
    """Ask on so many connections, each again as soon as it has its answer, and once at least.

    Returns how many were answered in how many seconds, and how long each took.
    """
    latencies, clock = Latencies(), time.perf_counter
    began_s = clock()

    async def ask() -> int:
        count = 0
        async with HttpConnection(host, port) as connection:
            while not count or clock() - began_s < seconds:
                asked_s = clock()
                await connection.ask(request)
                latencies.record(clock() - asked_s)
                count += 1
        return count

    counts = await asyncio.gather(*(ask() for _ in range(connections)))
    return sum(counts), clock() - began_s, latencies
