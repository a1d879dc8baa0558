"""What agents log, read by a client and from a shell, while they log and while their worker is restarted."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import wasmtime

from caxton.errors import AgentNotFound, ValidationError
from caxton.testing import runtime as serve
from workers.watching.waits import MOST_WAITING_OF_ONE

GUESTS = Path(__file__).parents[1] / "guests"
CAXTON = [sys.executable, "-P", "-m", "caxton"]
BEYOND_THE_QUOTA = (66).to_bytes(4, "little")


def module(name):
    return bytes(wasmtime.wat2wasm((GUESTS / f"{name}.wat").read_text()))


@pytest.fixture(scope="module")
def runtime():
    with serve(workers=1) as served:
        yield served


@pytest.fixture
async def client(runtime):
    async with runtime.connect() as client:
        await client.deploy("scribe", module("log"))
        yield client
        await client.remove("scribe")


@pytest.fixture
def command(runtime):
    """Start `caxton agent logs`; its lines are read one by one."""
    begun = []

    def start(*arguments, stdout=subprocess.PIPE):
        words = [*CAXTON, "agent", "logs", "--runtime-dir", str(runtime.runtime_dir), *arguments]
        begun.append(subprocess.Popen(words, stdout=stdout, stderr=subprocess.PIPE, text=True))
        return begun[-1]

    yield start
    for one in begun:
        with one:
            one.kill()


async def test_what_an_agent_logs_can_be_read(client):
    """With its level and the message that it handled; as many as one asks for, from where one asks."""
    first = await client.send("scribe", b"one")
    await client.request("scribe", b"two \x1b[2J\n\xff")
    lines = [line async for line in client.logs("scribe")]
    assert [(line.text, line.level) for line in lines] == [("one", "info"), ("two \\x1b[2J \ufffd", "info")]
    assert lines[0].message_id == first.message_id
    assert [line.text async for line in client.logs("scribe", tail=1)] == [lines[1].text]
    assert [line.text async for line in client.logs("scribe", since=lines[1].at + 1)] == []
    assert [line.text async for line in client.logs("scribe", level="warning")] == []
    assert (await client.stats()).totals["log_bytes"] > 0


async def test_what_is_missing_is_said(client):
    """Beyond the quota of a turn nothing is kept, and a note stands there instead."""
    await client.deploy("chatterbox", module("log_many"))
    await client.send("chatterbox", BEYOND_THE_QUOTA)
    *lines, note = [line async for line in client.logs("chatterbox")]
    assert (len(lines), note.level, note.missed, note.text) == (64, "note", 2, "2 lines are not kept")
    assert note.message_id is None
    await client.remove("chatterbox")


async def test_whoever_follows_goes_on_at_the_next_worker(client, runtime):
    """A note says that the worker was restarted; when the agent is removed, that is the end."""
    await client.deploy("mayfly", module("log"))
    following = client.logs("mayfly", follow=True)
    await client.request("mayfly", b"before")
    assert (await anext(following)).text == "before"
    await runtime.kill_worker(0)
    note = await anext(following)
    assert (note.level, note.text) == ("note", "the worker was restarted: what it kept of this log is gone")
    await client.request("mayfly", b"after")
    assert (await anext(following)).text == "after"
    await client.remove("mayfly")
    with pytest.raises(AgentNotFound, match="mayfly"):
        await anext(following)


async def test_whoever_finds_no_room_says_so_and_goes_on(client):
    """A shard lets so many questions of one client wait; the next one is asked again until one of them is answered."""
    some = [client.logs("scribe", follow=True) for _ in range(MOST_WAITING_OF_ONE + 1)]
    async with asyncio.TaskGroup() as group:
        asked = {group.create_task(anext(one)): one for one in some}
        (first,), waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert (first.result().level, "there is no room" in first.result().text) == ("note", True)
        await client.request("scribe", b"one")
    assert {task.result().text for task in waiting} == {"one"}
    assert (await anext(asked[first])).text == "one"
    for one in some:
        await one.aclose()


async def test_what_cannot_be_meant_is_refused(client):
    """Before anything is asked."""
    for wrong in ({"tail": -1}, {"since": "yesterday"}, {"level": "note"}):
        with pytest.raises(ValidationError):
            await anext(client.logs("scribe", **wrong))
    with pytest.raises(AgentNotFound):
        await anext(client.logs("nobody"))


async def test_a_shell_follows_until_ctrl_c(client, command):
    """Each line is one JSON object, and the exit code says that all went well."""
    await client.request("scribe", b"one")
    following = command("scribe", "--follow", "-o", "json")
    told = json.loads(following.stdout.readline())
    assert (told["text"], told["level"], told["missed"]) == ("one", "info", 0)
    await client.request("scribe", b"two")
    assert json.loads(following.stdout.readline())["text"] == "two"
    following.send_signal(signal.SIGINT)
    assert following.communicate() == ("", "")
    assert following.returncode == 0


async def test_a_shell_ends_when_nobody_reads(client, command):
    """Though there is nothing to be written; and without a word."""
    await client.request("scribe", b"one")
    ours, theirs = os.pipe()
    following = command("scribe", "-f", stdout=theirs)
    os.close(theirs)
    assert b"one" in os.read(ours, 1_000)
    os.close(ours)
    _, said = following.communicate()
    assert (following.returncode, said) == (1, "")


async def test_a_shell_is_told_where_a_program_logs(client, command):
    """An agent of a program has no log here: that is said, and nobody waits for it."""
    async with client.attach("clerk", lambda delivered: b""):
        assert command("clerk", "--follow").communicate() == (
            "",
            "caxton: clerk is the agent of a program: what it logs stands where its program logs\n",
        )


async def test_a_shell_shows_lines_for_people(client, command):
    """What is no line of the agent's is on standard error; a moment that is none is said to be wrong."""
    await client.deploy("chatterbox", module("log_many"))
    receipt = await client.send("chatterbox", BEYOND_THE_QUOTA)
    shown, said = command("chatterbox", "--tail", "1", "--since", "1h").communicate()
    assert shown.split()[1:] == ["warning", str(receipt.message_id), "hi"]
    assert said == "caxton: 2 lines are not kept\n"
    wrong = command("chatterbox", "--since", "tomorrow?")
    assert "is no moment" in wrong.communicate()[1]
    assert wrong.returncode == 2
    await client.remove("chatterbox")
