"""Runtimes whose processes may open few files."""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from caxton.client.client import connect
from caxton.errors import ResourceExhausted
from caxton.guests import __file__ as guests

ECHO = Path(guests).with_name("echo.wasm")
LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[1])))
os.execv(sys.argv[2], sys.argv[2:])
"""


def open_files(limit):
    return (sys.executable, "-P", "-c", LIMITED, str(limit))


def test_clients_come_until_no_more_fit(serve):
    """With few open files fewer clients fit: all of these are served, one more is told why, and no process dies."""
    served = serve(within=open_files(300))
    served.event("ready")
    before = served.health()

    async def fill():
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(connect(served.runtime_dir)) for _ in range(before["most_sessions"])
            ]
            for name in ("one", "two", "three"):
                await clients[0].deploy(name, ECHO)
            for client in clients:
                for name in ("one", "two", "three"):
                    assert (await client.request(name, b"there?", timeout_s=10)).content == b"there?"
            with pytest.raises(ResourceExhausted, match="300 files: raise it with `ulimit -n`"):
                await connect(served.runtime_dir).__aenter__()
            return await asyncio.to_thread(served.health)

    full = asyncio.run(fill())

    assert 0 < before["most_sessions"] < 50
    assert full["sessions"] == full["most_sessions"] == before["most_sessions"]
    assert [worker["pid"] for worker in served.health()["workers"]] == [worker["pid"] for worker in before["workers"]]
    served.until(served.health, lambda health: health["sessions"] == 0)


def test_a_limit_without_room_for_a_client_is_told_at_the_start(serve):
    """Where no client would fit `serve` does not start, and says what the limit would have to be."""
    served = serve(within=open_files(120))

    assert served.process.wait(60) == 1
    assert "ulimit -n" in served.process.stderr.read()
