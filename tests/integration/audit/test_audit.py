"""What was done, and for whom, as a client and a shell are told; and what is left of it when workers are killed."""

import asyncio
import json
import os
import signal
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

import caxton
from caxton.errors import AgentTakenOver, CaxtonError, NetworkError, ValidationError
from caxton.testing import runtime as serve

ECHO = Path(caxton.__file__).parent / "guests" / "echo.wasm"


async def test_what_is_done_is_told_with_its_principal(runtime, command):
    """Of each action, when, to whom and for whom; a shell shows the same, and verifies it."""
    async with runtime.connect() as owner, caxton.connect(runtime.runtime_dir, principal="token:7") as other:
        await owner.deploy("watched", ECHO)
        await other.pause("watched")
        await owner.resume("watched")
        await other.drain("watched")
        await owner.remove("watched")
        found = [row async for row in owner.audit(subject="watched")]
        others = [row async for row in owner.audit(principal="token:7", since=found[0].at)]
        assert await owner.verify_audit() == []

    assert [(row.action, row.principal) for row in found] == [
        ("deploy", ""),
        ("pause", "token:7"),
        ("resume", ""),
        ("drain", "token:7"),
        ("remove", ""),
    ]
    assert [row.action for row in others] == ["pause", "drain"]
    shown = command(runtime, "show", "--agent", "watched", "-o", "json").stdout.splitlines()
    assert [json.loads(line)["action"] for line in shown] == [row.action for row in found]
    assert command(runtime, "verify").returncode == 0


async def test_an_agent_that_is_called_runtime_is_not_taken_for_the_runtime(runtime, command):
    """What was done to it, and what was done to that, have different names, of which no agent can have the latter."""
    async with runtime.connect() as owner:
        await owner.deploy("runtime", ECHO)
        await owner.stop("runtime")
        with pytest.raises(ValidationError, match="is reserved"):
            await owner.deploy("caxton:runtime", ECHO)
        await owner.remove("runtime")
    shown = [line.split() for line in command(runtime, "show", "--action", "stop").stdout.splitlines()[1:]]
    started = [line.split() for line in command(runtime, "show", "--action", "start").stdout.splitlines()[1:]]

    assert [words[-2:] for words in shown] == [["runtime", "done"]]
    assert {words[words.index("start") + 1] for words in started} == {"caxton:runtime"}


async def test_what_is_done_to_letters_and_offers_and_by_taking_over_is_told_of_its_agent(runtime):
    """Whoever asks what was done to an agent reads that too; where nothing changed nothing is told."""

    async def nothing(_):
        pass

    async def taken():
        async with owner.attach("shared", nothing):
            async with other.attach("shared", nothing, replace=True):
                pass
            await asyncio.Event().wait()

    async with runtime.connect() as owner, caxton.connect(runtime.runtime_dir, principal="token:7") as other:
        await owner.deploy("lettered", ECHO)
        await owner.pause("lettered")
        for _ in range(2):
            await owner.send("lettered", b"x")
        await owner.remove("lettered")
        await owner.deploy("lettered", ECHO)
        first, second = [letter async for letter in owner.dead_letters(agent="lettered")]
        await other.requeue(first)
        await other.purge(second)
        for _ in range(2):
            await other.advertise("lettered", add=["count"])
        with pytest.raises(AgentTakenOver):
            await taken()
        found = {name: [row async for row in owner.audit(subject=name)] for name in ("lettered", "shared")}
        await owner.remove_many(["lettered", "shared"])

    told = [(row.action, row.principal, row.outcome) for row in found["lettered"][4:]]
    assert told == [
        ("requeue", "token:7", "1 dead letter"),
        ("purge", "token:7", "1 dead letter"),
        ("advertise", "token:7", "done"),
    ]
    assert [(row.action, row.principal) for row in found["shared"]] == [("deploy", ""), ("take_over", "token:7")]


async def names_of(client):
    return [agent.name async for agent in client.agents()]


async def deployed_in(client):
    return {row.subject async for row in client.audit(action="deploy")}


async def asked(call):
    """Ask, and again where the worker that was asked has been killed and that was not known yet."""
    while True:
        with suppress(NetworkError):
            return await call()


async def test_a_kill_leaves_what_was_done_and_what_is_told_of_it_together(runtime):
    """Whenever a worker is killed, each agent that is there has its row, and each row its agent."""
    async with runtime.connect() as client:
        for turn in range(3):
            names = [f"kept-{turn}-{number}" for number in range(40)]

            async def deploy(names=names):
                for name in names:
                    with suppress(CaxtonError):
                        await client.deploy(name, ECHO)

            async with asyncio.TaskGroup() as tasks:
                deploying = tasks.create_task(deploy())
                found = client.events(kinds=["agent_deployed"], follow=True)
                async for event in found:
                    if event.agent.startswith(f"kept-{turn}-"):
                        break
                for worker in (await client.health()).workers:
                    with suppress(ProcessLookupError):
                        os.kill(worker.pid, signal.SIGKILL)
                await deploying
        there = sorted(await asked(lambda: names_of(client)))
        told = sorted(await asked(lambda: deployed_in(client)))
        assert await asked(client.verify_audit) == []

    assert there == told
    assert there


@pytest.mark.parametrize("sql", ["UPDATE audit_heads SET last = 1", "UPDATE audit_heads SET last = 'x'"])
def test_a_shard_serves_on_whatever_somebody_did_to_its_audit(sql):
    """Agents are deployed and removed, dead letters purged; the same worker does it, and what is read says what was."""
    with serve(workers=1) as served:
        with caxton.connect_sync(served.runtime_dir) as client:
            client.deploy("before", ECHO)
            client.pause("before")
            client.send("before", b"x")
            client.remove("before")
        served.stop()
        with closing(sqlite3.connect(served.data_dir / "shard-0.db")) as db:
            db.execute(sql)
            db.execute("UPDATE audit SET at = -1 WHERE number = 1")
            db.commit()
        served.start()
        with caxton.connect_sync(served.runtime_dir) as client:
            client.deploy("after", ECHO)
            purged = client.purge(everything=True)
            actions = [row.action for row in client.audit()]
            faults = client.verify_audit()
            (worker,) = client.health().workers

    assert purged == 1
    done = ["pause", "remove", "audit_mended", "deploy", "purge"]
    assert [action for action in actions if action in done] == done
    assert any("row 1 is gone" in fault for fault in faults)
    assert any("cannot be read" in fault for fault in faults)
    assert worker.restarts == 0


def test_what_was_changed_in_a_file_is_found_from_a_shell(command):
    """With the shard and the number of the row, and 1 as the exit code."""
    with serve(workers=1) as served:
        with caxton.connect_sync(served.runtime_dir) as client:
            client.deploy("watched", ECHO)
            client.pause("watched")
        served.stop()
        with closing(sqlite3.connect(served.data_dir / "shard-0.db")) as db:
            db.execute("UPDATE audit SET principal = 'token:7' WHERE action = 'pause'")
            db.commit()
        served.start()
        text = command(served, "verify")
        values = command(served, "verify", "-o", "json")

    assert (text.returncode, values.returncode) == (1, 1)
    assert "shard 0, chain " in text.stdout
    assert "row 2 was changed" in text.stdout
    assert json.loads(values.stdout)["whole"] is False
