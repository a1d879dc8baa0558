"""What happens in a runtime, seen by a client and from a shell, while its workers die and its agents come and go."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import wasmtime

import caxton
from caxton.errors import ValidationError
from caxton.testing import runtime as serve

GUESTS = Path(__file__).parents[1] / "guests"
ECHO = Path(caxton.__file__).parent / "guests" / "echo.wasm"
CAXTON = [sys.executable, "-P", "-m", "caxton"]


@pytest.fixture(scope="module")
def runtime():
    with serve(workers=2) as served:
        yield served


@pytest.fixture
async def client(runtime):
    async with runtime.connect() as client:
        yield client


async def until(found, kind, agent=""):
    """Return the kinds that are told up to the first of this kind, and that one."""
    kinds = []
    async with asyncio.timeout(60):
        async for event in found:
            kinds.append(event.kind)
            if event.kind == kind and (not agent or event.agent == agent):
                return kinds, event
    raise AssertionError(kinds)


async def test_an_agents_life_is_told(client):
    """From its deployment to its end, with its name and id; by kind, and behind a place."""
    found = client.events(agent="life", follow=True)
    agent = await client.deploy("life", ECHO)
    await client.pause("life")
    await client.resume("life")
    await client.drain("life")
    await client.remove("life")
    kinds, last = await until(found, "agent_removed")
    alone = [event async for event in client.events(kinds=["agent_paused"], agent=agent)]

    assert kinds[:4] == ["agent_deployed", "agent_paused", "agent_resumed", "agent_draining"]
    assert (last.agent, last.agent_id, last.severity) == ("life", int(agent), "info")
    assert [event.kind for event in alone] == ["agent_paused"]
    assert [event.kind async for event in client.events(agent=agent, after=alone[0].cursor)] == kinds[2:]
    assert [event async for event in client.events(agent="life", since=last.at + 1)] == []


async def test_a_worker_that_dies_is_told_and_its_agents_events_stay(client):
    """Of whoever died, and of its successor; what had happened there before is still told."""
    agent = await client.deploy("lasting", ECHO)
    _, deployed = await until(client.events(agent=agent, follow=True), "agent_deployed")
    pid = next(worker.pid for worker in (await client.health()).workers if worker.shard == deployed.shard)
    os.kill(pid, signal.SIGKILL)
    kinds, back = await until(client.events(after=deployed.cursor, follow=True), "worker_restarted")

    assert "worker_died" in kinds
    assert back.shard == deployed.shard
    assert [event.number async for event in client.events(agent=agent)] == [deployed.number]


async def test_an_agent_that_fails_again_and_again_is_told(client):
    """When it is left alone, once."""
    await client.deploy("broken", bytes(wasmtime.wat2wasm((GUESTS / "faults.wat").read_text())))
    for _ in range(10):
        await client.send("broken", b"\0", options=caxton.DeliveryOptions(max_retries=1))
    _, broken = await until(client.events(follow=True), "agent_broken", "broken")
    assert broken.severity == "warning"


async def test_tokens_are_told_without_what_is_secret_of_them(client):
    """Their ids, names and roles."""
    made = await client.create_token("ci", "viewer")
    await client.revoke_token(made.about.token_id)
    found = [event async for event in client.events(kinds=["token_created", "token_revoked"])]

    assert [event.kind for event in found] == ["token_created", "token_revoked"]
    assert {event.fields["token_id"] for event in found} == {made.about.token_id}
    assert made.token not in repr(found)


async def test_what_cannot_be_asked_is_said(client):
    """Kinds that there are not, places that are none."""
    for wrong in ({"kinds": ["nothing"]}, {"kinds": [[]]}, {"after": "x"}, {"after": "-1"}, {"since": "yesterday"}):
        with pytest.raises(ValidationError):
            await anext(client.events(**wrong))


async def test_a_cursor_of_another_run_begins_anew(client):
    """And that is said first."""
    first = await anext(client.events(after="1-5"))
    assert (first.kind, first.cursor) == ("runtime_restarted", "")


def test_events_without_a_loop(runtime):
    """The same ones."""
    with caxton.connect_sync(runtime.runtime_dir) as client:
        assert next(iter(client.events())).kind == "ready"


def test_events_from_a_shell(runtime):
    """Those that there are, for people and for programs; and what happens, until it is told to end."""
    words = [*CAXTON, "events", "--runtime-dir", str(runtime.runtime_dir)]
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    told = subprocess.run([*words, "-o", "json"], capture_output=True, text=True, check=True).stdout.splitlines()
    first = json.loads(told[0])
    wrong = subprocess.run([*words, "--kind", "nothing"], capture_output=True, text=True, check=False)

    assert " info    ready serving with 2 workers" in shown.splitlines()[0]
    assert (first["kind"], first["agent"], first["fields"]["workers"]) == ("ready", None, 2)
    assert (wrong.returncode, "nothing" in wrong.stderr) == (2, True)

    with subprocess.Popen([*words, "-f", "--after", json.loads(told[-1])["cursor"]], stdout=subprocess.PIPE) as live:
        with caxton.connect_sync(runtime.runtime_dir) as client:
            client.deploy("seen", ECHO)
        assert any(b"agent_deployed" in line for line in live.stdout)
        live.send_signal(signal.SIGINT)
        assert live.wait() == 0
