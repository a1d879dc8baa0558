"""Planned restarts, quarantine and memory limits, with workers that do what a test tells them."""

import os
import signal

import pytest

from caxton.errors import ConfigurationError
from caxton.wire.supervision import Accepted, OpenSession, RestartWorkers, StopRuntime


async def test_a_restart_replaces_every_worker(run):
    """After a restart every shard is served by a new incarnation, one after the other, and no restart is used up."""
    running = run(restart_limit=0)
    await running.event("ready")
    before = (await running.health())["workers"]

    assert await running.ask(RestartWorkers()) == Accepted()
    retired = [(await running.event("worker_retired")).fields for _ in range(2)]
    ended = await running.event("restart_ended")

    health = await running.health()
    assert ended.fields == {"absent": []}
    assert [(told["shard"], told["incarnation"], told["how"]) for told in retired] == [
        (worker["shard"], worker["incarnation"], "exit code 0") for worker in before
    ]
    assert (health["status"], health["restarting"]) == ("healthy", [])
    assert min(w["incarnation"] for w in health["workers"]) > max(w["incarnation"] for w in before)
    assert [(w["restarts"], w["planned_restarts"]) for w in health["workers"]] == [(0, 1), (0, 1)]


async def test_the_others_serve_while_one_restarts(run):
    """While a worker that never rests is waited for, the other one serves, and health says who is to come."""
    running = run({"0": "busy"}, drain_timeout_s=100.0)
    await running.event("ready")

    await running.ask(RestartWorkers())
    health = await running.until(running.health, lambda health: health["workers"][0]["state"] == "draining")

    assert health["workers"][1]["state"] == "ready"
    assert health["restarting"] == [0, 1]
    opened = await running.ask(OpenSession(os.getpid(), "test"))
    assert opened.topology.states == ["draining", "ready"]
    assert all(opened.topology.incarnations)
    with pytest.raises(ConfigurationError, match="shards 0, 1 are to come"):
        await running.ask(RestartWorkers())


async def test_a_worker_that_never_rests_is_stopped_at_the_deadline(run):
    """A worker that is busy until the drain's deadline ends by itself all the same; nobody is killed."""
    running = run({"0": "busy"}, workers=1, drain_timeout_s=0.5, restart_limit=0)
    await running.event("ready")

    await running.ask(RestartWorkers())

    assert (await running.event("worker_retired")).fields["how"] == "exit code 0"
    assert (await running.event("restart_ended")).fields == {"absent": []}


async def test_a_worker_that_does_not_listen_is_killed_and_replaced(run, monkeypatch):
    """A worker that ignores the word to end is killed; its successor serves, and no restart is used up."""
    monkeypatch.setattr("caxton.supervisor.workforce.planned_end.STOP_TIMEOUT_S", 0.3)
    running = run({"0": "stubborn"}, workers=1, drain_timeout_s=0.3, restart_limit=0)
    await running.event("ready")

    await running.ask(RestartWorkers())

    assert (await running.event("worker_retired")).fields["how"] == "killed by SIGKILL"
    assert (await running.event("restart_ended")).fields == {"absent": []}


async def test_a_stop_during_a_restart_ends_everything(run):
    """A runtime that is told to stop while it restarts its workers starts no more of them, and ends with 0."""
    running = run({"0": "busy"}, drain_timeout_s=1.0)
    await running.event("ready")
    await running.ask(RestartWorkers())
    await running.until(running.health, lambda health: health["workers"][0]["state"] == "draining")

    await running.ask(StopRuntime())

    await running.event("stopped")
    assert await running.task == 0


async def test_a_damaged_file_quarantines_its_shard_alone(run):
    """Exit code 65 quarantines the shard at once; health says what to restore, and a restart tries it again."""
    running = run({"1": "damaged"})
    quarantined = await running.event("shard_quarantined")
    ready = await running.event("ready")
    health = await running.health()
    opened = await running.ask(OpenSession(os.getpid(), "test"))

    (running.data_dir / "restored").touch()
    await running.ask(RestartWorkers())
    await running.event("restart_ended")

    assert quarantined.fields == {"shard": 1, "path": f"{running.data_dir}/shard-1.db"}
    assert (ready.level, ready.fields["failed"], ready.fields["quarantined"]) == ("error", [], [1])
    assert health["status"] == "degraded"
    assert "`caxton restore` a backup into a new directory" in health["reason"]
    assert health["workers"][1]["restarts"] == 0
    assert opened.topology.states == ["ready", "quarantined"]
    assert (await running.health())["status"] == "healthy"


async def test_a_runtime_whose_every_file_is_damaged_ends_with_an_error(run):
    """When every shard is quarantined at the start, serving ends with an error that says what to restore."""
    running = run({"0": "damaged"}, workers=1)

    with pytest.raises(ConfigurationError, match="run `caxton restore` with a backup"):
        await running.task


async def test_deaths_in_turns_use_up_no_restart(run):
    """A worker that crashes in an agent's turn is replaced where no restart is allowed; one that is killed is not."""
    running = run({"0": "crash_in_turn"}, restart_limit=0)
    await running.event("worker_restarted")
    health = await running.until(running.health, lambda health: health["status"] == "healthy")

    os.kill(health["workers"][1]["pid"], signal.SIGKILL)

    assert (await running.event("shard_failed")).fields["shard"] == 1


async def test_a_worker_over_its_memory_limit_is_replaced_in_good_order(run):
    """A worker that holds more than it may is told, drains, ends by itself, and is followed by a smaller one."""
    running = run({"1": "fat"}, worker_memory_limit_mib=128, restart_limit=0)

    over = await running.event("worker_over_memory")
    retired = await running.event("worker_retired")
    await running.event("worker_restarted")

    health = await running.health()
    assert over.fields["shard"] == 1
    assert over.fields["resident_bytes"] > over.fields["limit_bytes"] == 128 << 20
    assert (retired.fields["pid"], retired.fields["how"]) == (over.fields["pid"], "exit code 0")
    assert health["workers"][1]["resident_bytes"] < 128 << 20
    assert [worker["planned_restarts"] for worker in health["workers"]] == [0, 1]
