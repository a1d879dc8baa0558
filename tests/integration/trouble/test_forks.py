"""Programs that fork, as multiprocessing does, and programs that run others: a session is its own process's alone."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import suppress

import pytest

from caxton.testing import eventually, runtime

# The child lives until its standard input, which it has from the test, ends.
FORKS = """
import asyncio, multiprocessing, os, sys
import caxton

def child():
    sys.stdout.close()
    os.read(0, 1)

async def main():
    async def handle(_):
        return b"old"
    async with caxton.connect(sys.argv[1]) as client, client.attach("scribe", handle) as agent:
        multiprocessing.get_context("fork").Process(target=child).start()
        print("forked", flush=True)
        if sys.argv[2] == "killed":
            await agent.wait()
    os.read(0, 1)

asyncio.run(main())
"""

# The parent goes on while the child uses what it inherited, closes it and connects anew.
USES = """
import asyncio, json, multiprocessing, sys
import caxton

async def anew():
    async with caxton.connect(sys.argv[1]) as client:
        return (await client.request("scribe", b"")).content.decode()

def tried(of):
    try:
        of.send(None)
    except caxton.errors.CaxtonError as error:
        return f"{type(error).__name__}: {error}"

def child(client, answers):
    told = [tried(client.request("scribe", b"")), tried(client.health())]
    client.close()
    answers.put([*told, asyncio.run(anew())])

async def main():
    async def handle(_):
        return b"yes"
    context = multiprocessing.get_context("fork")
    async with caxton.connect(sys.argv[1]) as client, client.attach("scribe", handle):
        answers = context.SimpleQueue()
        process = context.Process(target=child, args=(client, answers))
        process.start()
        told = await asyncio.to_thread(answers.get)
        await asyncio.to_thread(process.join)
        reply = await client.request("scribe", b"")
        print(json.dumps([*told, process.exitcode, reply.content.decode()]))

asyncio.run(main())
"""


@pytest.fixture
def fresh():
    """A runtime for this test alone."""
    with runtime() as fresh:
        yield fresh


@pytest.fixture
def start():
    """Start a program with arguments; it is killed when the test ends."""
    started = []

    def start(program, *arguments):
        command = [sys.executable, "-P", "-W", "error", "-c", program, *map(str, arguments)]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("how", ["killed", "closed"])
async def test_a_session_ends_with_its_program_and_not_with_its_children(fresh, start, how):
    """A session ends when its program is killed or closes it, whoever it forked; its agents are free at once."""
    program = start(FORKS, fresh.runtime_dir, how)
    assert await asyncio.to_thread(program.stdout.readline) == "forked\n"
    if how == "killed":
        program.kill()
        program.wait()

    async def nobody_is_there():
        return (await fresh.health()).sessions == 0

    await eventually(nobody_is_there)

    async def handle(_):
        return b"new"

    async with fresh.connect() as client, client.attach("scribe", handle):
        assert (await client.request("scribe", b"")).content == b"new"


async def test_a_client_is_of_no_use_in_a_forked_child_and_says_so(served, start):
    """In a forked child an inherited client refuses by name, a new one works, and the parent's own goes on."""
    program = start(USES, served.runtime_dir)
    told, _ = await asyncio.to_thread(program.communicate, timeout=60)

    requested, asked, anew, code, after = json.loads(told)
    assert requested == asked
    assert requested.startswith("ConfigurationError: client: it was opened before this process was forked")
    assert (anew, code, after) == ("yes", 0, "yes")


async def test_a_program_that_is_run_inherits_no_descriptor_of_a_session(served):
    """What a client's process runs with all its descriptors gets none of the client's."""
    before = inheritable()
    async with served.connect():
        assert inheritable() == before


def inheritable():
    """Return the descriptors of this process that a program which it runs would get."""
    found = set()
    for descriptor in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 (numbers, not paths)
        with suppress(OSError):  # that of the listing itself is closed by now
            if os.get_inheritable(descriptor):
                found.add(descriptor)
    return found
