import asyncio
import fcntl
import os
import signal
import time
from socket import AF_UNIX
from socket import socket as new_socket

import pytest

from caxton.agents.limits import DEFAULT_LIMITS
from caxton.client.supervisor_line import SupervisorLine
from caxton.errors import ConfigurationError, OtherProtocol, ResourceExhausted, RuntimeNotFound, SecurityError
from caxton.store.books import Book
from caxton.supervisor.desk import sessions
from caxton.supervisor.desk.desk import MAX_CALL_BYTES
from caxton.supervisor.workforce.crash_note import CrashNote
from caxton.transport.endpoints import SUPERVISOR
from caxton.transport.sockets import CallLine, Inlet, Outlet, end_context, new_context
from caxton.transport.zmtp import header, opening
from caxton.wire.codec import CONTROL, SUPERVISOR_CALL
from caxton.wire.protocol import SPOKEN
from caxton.wire.supervision import (
    AskStats,
    EndSession,
    OpenSession,
    SessionOpened,
    StopRuntime,
    SupervisorCall,
    UploadModule,
)


async def test_ready_is_told_once_everybody_serves(run):
    """Ready is told when every worker has said so, with what a reader needs to find and stop the runtime."""
    running = run()

    event = await running.event("ready")

    assert event.fields["workers"] == 2
    assert event.fields["pid"] == os.getpid()
    assert event.fields["failed"] == []
    health = await running.health()
    assert (health["status"], health["reason"]) == ("healthy", None)
    assert [worker["state"] for worker in health["workers"]] == ["ready", "ready"]


async def test_a_killed_worker_is_replaced_under_a_new_incarnation(run):
    """After `kill -9` a successor serves, whose number no process had before, and every worker is told."""
    running = run()
    await running.event("ready")
    before = (await running.health())["workers"]

    os.kill(before[1]["pid"], signal.SIGKILL)
    died = await running.event("worker_died")
    await running.event("worker_restarted")

    after = (await running.health())["workers"]
    assert died.fields["how"] == "killed by SIGKILL"
    assert after[0] == before[0] | {"resident_bytes": after[0]["resident_bytes"]}
    assert after[1]["incarnation"] > max(worker["incarnation"] for worker in before)
    assert after[1]["restarts"] == 1
    assert after[1]["last_exit"] == "killed by SIGKILL"
    assert not running.directory.book(before[1]["incarnation"]).exists()


async def test_a_worker_that_dies_at_every_start_fails_its_shard_alone(run):
    """After the allowed restarts the shard is failed, health is degraded and says why, and the rest serves."""
    running = run({"1": "exit"}, restart_limit=2)

    failed = await running.event("shard_failed")
    ready = await running.event("ready")

    assert failed.fields == {"shard": 1, "how": "exit code 3"}
    assert ready.fields["failed"] == [1]
    health = await running.health()
    assert (health["status"], health["reason"]) == ("degraded", "shard 1 is failed")
    assert [worker["restarts"] for worker in health["workers"]] == [0, 2]
    opened = await running.ask(OpenSession(os.getpid(), "test"))
    assert opened.topology.incarnations == [health["workers"][0]["incarnation"], 0]
    assert opened.topology.states == ["ready", "failed"]


async def test_a_runtime_of_which_nobody_starts_ends_with_an_error(run):
    """When every shard fails at the start, serving ends with a typed error that tells the last exit."""
    running = run({"0": "exit", "1": "exit"}, restart_limit=0)

    with pytest.raises(ConfigurationError, match="exit code 3"):
        await running.task


async def test_a_client_of_another_protocol_is_told_both_ranges(run):
    """It gets no session, and one that speaks a version of ours beside its own gets one of that version."""
    running = run()
    await running.event("ready")
    with pytest.raises(OtherProtocol) as caught:
        await running.ask(OpenSession(os.getpid(), "test", SPOKEN.newest + 1, SPOKEN.newest + 2))
    opened = await running.ask(OpenSession(os.getpid(), "test", SPOKEN.oldest, SPOKEN.newest + 2))

    assert (caught.value.client_oldest, caught.value.client_newest) == (SPOKEN.newest + 1, SPOKEN.newest + 2)
    assert (caught.value.runtime_oldest, caught.value.runtime_newest) == SPOKEN
    assert opened.version == SPOKEN.newest


async def test_a_worker_that_never_gets_ready_is_killed(run, monkeypatch):
    """A worker that is alive but not ready in time is killed, and that counts as a death."""
    monkeypatch.setattr("caxton.supervisor.workforce.shard.START_TIMEOUT_S", 0.5)
    running = run({"0": "mute"}, workers=1, restart_limit=0)

    hung = await running.event("worker_hung")

    assert hung.fields["why"] == "not ready within 0.5 s"
    assert (await running.event("shard_failed")).fields == {"shard": 0, "how": "killed by SIGKILL"}
    with pytest.raises(ConfigurationError, match="SIGKILL"):
        await running.task


async def test_a_silent_worker_is_killed(run, monkeypatch):
    """A worker without a heartbeat for too long is killed and replaced."""
    monkeypatch.setattr("caxton.supervisor.workforce.shard.SILENCE_TIMEOUT_S", 0.5)
    running = run({"0": "hang"}, workers=1, restart_limit=1)

    hung = await running.event("worker_hung")

    assert hung.fields["why"] == "no heartbeat for 0.5 s"
    assert (await running.event("worker_died")).fields["how"] == "killed by SIGKILL"


async def test_a_worker_in_a_long_legal_turn_is_left_alone(run, monkeypatch):
    """A silent worker whose note shows a young turn lives; once the turn is too old for any agent, it is killed."""
    monkeypatch.setattr("caxton.supervisor.workforce.shard.SILENCE_TIMEOUT_S", 0.2)
    monkeypatch.setattr("caxton.supervisor.workforce.turn_watch.LONGEST_TURN_NS", 2_000_000_000)
    running = run({"0": "hang_in_turn"}, workers=1, restart_limit=0)
    await running.event("ready")
    note = CrashNote.read(running.directory.crash_note(1))

    monkeypatch.setattr("caxton.supervisor.workforce.turn_watch.LONGEST_WAIT_NS", 2_000_000_000)
    hung = await running.event("worker_hung")

    assert "in a turn of agent 000000000000004d" in hung.fields["why"]
    assert time.monotonic_ns() - note.turn_start_ns > 2_000_000_000


async def test_who_dies_in_a_turn_leaves_the_note_to_the_successor(run):
    """A worker that crashes in an agent's turn has its crash note handed to its successor."""
    running = run({"1": "crash_in_turn"})

    await running.event("worker_restarted")

    stats = await running.until(running.stats, lambda stats: "charged_agent" in stats["workers"][1])
    assert stats["workers"][1]["charged_agent"] == 77
    assert stats["workers"][0]["charged_agent"] == 0


async def test_a_worker_killed_from_outside_charges_nobody(run):
    """A SIGKILL in the middle of a turn is nobody's fault: the successor gets no crash note."""
    running = run({"1": "hang_in_turn"})
    await running.event("ready")
    os.kill((await running.health())["workers"][1]["pid"], signal.SIGKILL)

    await running.event("worker_restarted")

    stats = await running.until(running.stats, lambda stats: "charged_agent" in stats["workers"][1])
    assert stats["workers"][1]["charged_agent"] == 0


async def test_the_first_signal_drains_and_everybody_ends_by_themselves(run):
    """On SIGTERM the workers drain, end with exit 0, and the exit code is 0; no socket or book is left."""
    running = run()
    await running.event("ready")

    os.kill(os.getpid(), signal.SIGTERM)

    assert (await running.event("stopped")).fields == {"lost": 0, "killed": []}
    assert await running.task == 0
    assert sorted(path.name for path in running.directory.path.iterdir()) == ["lock"]


async def test_a_worker_that_does_not_drain_is_killed_at_the_deadline(run):
    """A worker that ignores the drain is killed at the deadline, is named, and the exit code is still 0."""
    running = run({"1": "stubborn"}, drain_timeout_s=0.5)
    await running.event("ready")

    os.kill(os.getpid(), signal.SIGTERM)

    assert (await running.event("stopped")).fields["killed"] == [0, 1]
    assert await running.task == 0


async def test_a_second_signal_kills_at_once(run):
    """While a drain is under way, a second signal kills everybody; the exit code is 1."""
    running = run({"1": "stubborn"}, drain_timeout_s=100.0)
    await running.event("ready")
    pids = [worker["pid"] for worker in (await running.health())["workers"]]

    os.kill(os.getpid(), signal.SIGINT)
    await running.event("drain_started")
    os.kill(os.getpid(), signal.SIGINT)

    assert await running.task == 1
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_busy_worker_is_waited_for(run):
    """While a worker says that it is not idle, nobody is told to stop before the deadline."""
    running = run({"0": "busy"}, drain_timeout_s=1.0)
    await running.event("ready")

    await running.ask(StopRuntime())

    assert (await running.event("stopped")).fields["killed"] == [0, 1]


async def test_stop_is_answered_before_the_end(run):
    """StopRuntime is accepted at once, and the runtime then ends with 0; asking again finds nobody."""
    running = run()
    await running.event("ready")

    await running.ask(StopRuntime())

    assert await running.task == 0
    with pytest.raises(RuntimeNotFound):
        await running.ask(StopRuntime())


async def test_a_session_ends_with_its_lock(run):
    """A session lives while its file is locked; then the workers are told, and its files are gone."""
    running = run()
    await running.event("ready")
    opened = await running.ask(OpenSession(os.getpid(), "test"))
    path = running.directory.book(opened.session)
    book = Book.create(path, opened.session, ("gaps",))
    lock = os.open(path, os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    living = await running.until(running.stats, lambda stats: stats["uptime_s"] > 1.5)

    os.close(lock)

    ended = await running.until(running.stats, lambda stats: stats["totals"]["sessions_ended"] == 2)
    assert living["sessions"] == 1
    assert living["totals"]["sessions_ended"] == 0
    assert ended["sessions"] == 0
    assert ended["totals"]["forged"] == 0
    assert not path.exists()
    book.close()


async def test_a_good_bye_is_known_at_once(run):
    """A session whose client says good-bye is over at once: its place, its files, and the workers are told."""
    running = run()
    await running.event("ready")
    line = SupervisorLine(running.directory.path)
    opened = await line.ask(OpenSession(os.getpid(), "test"), 5.0)
    path = running.directory.book(opened.session)
    Book.create(path, opened.session, ("gaps",)).close()
    lock = os.open(path, os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)  # or it might be over before, on a slow machine

    line.tell(EndSession(opened.session, bytes(16)))
    with_a_wrong_mark = (await line.ask(AskStats(), 5.0)).values
    line.tell(EndSession(opened.session, opened.mark))
    said = (await line.ask(AskStats(), 5.0)).values

    ended = await running.until(running.stats, lambda stats: stats["totals"]["sessions_ended"] == 2)
    assert [with_a_wrong_mark["sessions"], said["sessions"]] == [1, 0]
    assert ended["dropped_by_supervisor"] == {"good-byes with a wrong mark": 1}
    assert not path.exists()
    os.close(lock)
    line.close()


async def test_sessions_get_marks_that_workers_can_check(run):
    """What a session is given: a number with the top bit, a mark for it, the naming key, the shards; all its own."""
    running = run()
    await running.event("ready")

    first, second = [await running.ask(OpenSession(1, "test")) for _ in range(2)]

    assert isinstance(first, SessionOpened)
    assert first.session != second.session
    assert first.session >> 63 == 1
    assert first.mark != second.mark
    assert first.topology.mark == first.mark
    assert first.naming_key == second.naming_key
    assert all(first.topology.incarnations)


async def test_a_principal_is_claimed_where_that_is_allowed(run):
    """Elsewhere it is refused. The mark is made for it, the claim is there before the answer, and gone with its end."""
    running = run(gateway_principals=True)
    await running.event("ready")
    opened = await running.ask(OpenSession(1, "test", principal="alice"))
    own = await running.ask(OpenSession(1, "test", principal=f"uid:{os.geteuid()}"))
    claim = running.directory.principal(opened.session)

    assert claim.read_text() == "alice"
    assert not running.directory.principal(own.session).exists()
    assert opened.topology.mark == opened.mark
    await running.ask(StopRuntime())
    await running.task
    assert not claim.exists()

    strict = run(workers=None)
    await strict.event("ready")
    with pytest.raises(SecurityError, match="--gateway-principals"):
        await strict.ask(OpenSession(1, "test", principal="alice"))
    assert (await strict.health())["sessions"] == 0


async def test_the_topology_grows_over_restarts_of_the_runtime(run):
    """A later runtime of the same data directory numbers its topologies higher, and keeps the naming key."""
    before = run()
    await before.event("ready")
    first = await before.ask(OpenSession(1, "test"))
    await before.ask(StopRuntime())
    await before.task
    after = run(workers=None)
    await after.event("ready")

    second = await after.ask(OpenSession(1, "test"))

    assert second.topology.version > first.topology.version
    assert min(second.topology.incarnations) > max(first.topology.incarnations)
    assert second.naming_key == first.naming_key
    assert len(second.topology.incarnations) == 2


async def test_a_session_hears_of_every_change_under_its_own_mark(run):
    """A session is told who serves, again and again, and at once when a worker dies and when its successor is ready."""
    running = run()
    await running.event("ready")
    opened = await running.ask(OpenSession(os.getpid(), "test"))
    dead = opened.topology.incarnations[1]
    context = new_context()
    inlet = Inlet(running.directory.control(opened.session))
    arrived = asyncio.Event()
    inlet.watch(asyncio.get_running_loop(), arrived.set)

    async def next_topology():
        async with asyncio.timeout(30):
            while (frame := inlet.receive()) is None:
                arrived.clear()
                await arrived.wait()
        return CONTROL.decode(frame)

    repeated = [await next_topology(), await next_topology()]
    os.kill((await running.health())["workers"][1]["pid"], signal.SIGKILL)
    told = repeated[:]
    while told[-1].incarnations[1] in {0, dead}:
        told.append(await next_topology())

    assert repeated[0] == repeated[1]
    assert {(topology.source, topology.mark) for topology in told} == {(SUPERVISOR, opened.mark)}
    assert [topology.version for topology in told] == sorted(topology.version for topology in told)
    assert 0 in [topology.incarnations[1] for topology in told]
    assert told[-1].incarnations[1] > dead
    assert told[-1].version > repeated[0].version
    inlet.close()
    end_context(context)


async def test_garbage_on_the_supervisors_sockets_is_counted(run):
    """Garbage at the desk and at the control inlet is counted by its reason, and everything goes on."""
    running = run()
    await running.event("ready")
    context = new_context()
    outlet = Outlet(context, running.directory.control(SUPERVISOR))
    line = CallLine(context, running.directory.calls)

    outlet.send(b"garbage")
    line.send(b"garbage")

    both = {"frames that do not decode": 1, "calls that do not decode": 1}
    stats = await running.until(running.stats, lambda stats: stats["dropped_by_supervisor"] == both)
    assert [worker["state"] for worker in stats["workers"]] == ["ready", "ready"]
    for socket in (outlet, line):
        socket.close()
    end_context(context)


async def test_a_call_that_is_too_long_ends_its_line_before_it_has_come(run):
    """A call of the longest length there is may come; of one byte more only the head is read."""
    running = run()
    await running.event("ready")
    piece = UploadModule(bytes(32), 8, 0, b"\0asm", "x", DEFAULT_LIMITS)
    head = bytes(SUPERVISOR_CALL.encode(SupervisorCall(1, piece)))
    loop = asyncio.get_running_loop()
    lines = []
    for size in (MAX_CALL_BYTES, MAX_CALL_BYTES + 1):
        line = new_socket(AF_UNIX)
        lines.append(line)
        line.setblocking(False)
        await loop.sock_connect(line, os.fspath(running.directory.calls).removeprefix("ipc://"))
        await loop.sock_sendall(line, opening(b"DEALER") + header(size) + head)

    async def ended(line):
        try:
            async with asyncio.timeout(20):
                while await loop.sock_recv(line, 1_000):
                    pass
        except TimeoutError:
            return False
        return True

    assert await ended(lines[1])
    dropped = (await running.stats())["dropped_by_supervisor"]
    assert dropped == {"calls that do not decode": 1}
    for line in lines:
        line.close()


async def test_the_limit_of_sessions_is_really_open(run, monkeypatch):
    """All sessions that are allowed are served with a socket each, and one more is refused."""
    monkeypatch.setattr(sessions, "ARRIVAL_TIMEOUT_S", 100.0)
    running = run()
    await running.event("ready")
    context = new_context()
    line = SupervisorLine(running.directory.path)
    inlets = []
    for _ in range((await running.health())["most_sessions"]):
        opened = await line.ask(OpenSession(os.getpid(), "test"), 5.0)
        inlets.append((Inlet(running.directory.control(opened.session)), opened.mark))

    with pytest.raises(ResourceExhausted, match="sessions"):
        await line.ask(OpenSession(os.getpid(), "test"), 5.0)

    for inlet, mark in inlets:
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        inlet.watch(loop, arrived.set)
        async with asyncio.timeout(30):
            while (frame := inlet.receive()) is None:
                arrived.clear()
                await arrived.wait()
        assert CONTROL.decode(frame).mark == mark
        inlet.close()
    line.close()
    end_context(context)
