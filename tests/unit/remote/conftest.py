"""Who answers in the place of a gateway."""

import asyncio
from itertools import count

import pytest


@pytest.fixture
async def serve():
    """Answer one request at a time with these bytes; returns the URL and what was asked.

    A function in their place is asked for the bytes of each answer, with the number of the request.
    """
    servers, writers = [], []

    async def start(*parts, closes=True):
        asked, numbers = [], count()

        async def answer(reader, writer):
            writers.append(writer)
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            number = next(numbers)
            for part in parts:
                writer.write(part(number) if callable(part) else part)
            await writer.drain()
            if closes:
                writer.close()

        servers.append(await asyncio.start_server(answer, "127.0.0.1", 0))
        return f"http://127.0.0.1:{servers[-1].sockets[0].getsockname()[1]}", asked

    yield start
    for one in servers + writers:
        one.close()
        await one.wait_closed()
