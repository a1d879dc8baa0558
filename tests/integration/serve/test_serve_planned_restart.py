import os
import signal

from caxton.config.settings import LEAST_MEMORY_LIMIT_MIB
from caxton.guests import __file__ as guests
from caxton.transport.endpoints import RuntimeDir

ECHO = guests.replace("__init__.py", "echo.wasm")


def test_a_restart_keeps_the_agents(serve, caxton):
    """`caxton restart` gives every shard a new worker; agents answer afterwards, and no restart was used up."""
    served = serve("--restart-limit", 0)
    served.event("ready")
    where = ("--runtime-dir", served.runtime_dir)
    assert caxton("agent", "deploy", "echo", ECHO, *where).code == 0
    before = served.health()["workers"]

    restarted = caxton("restart", *where, "-o", "json")

    assert restarted.code == 0
    assert (restarted.json["restarted"], restarted.json["absent"]) == (True, [])
    for old, new in zip(before, restarted.json["workers"], strict=True):
        assert (new["incarnation_before"], new["last_exit"]) == (old["incarnation"], "exit code 0")
        assert new["incarnation"] > old["incarnation"]
    health = served.health()
    assert (health["status"], health["restarting"]) == ("healthy", [])
    assert [worker["restarts"] for worker in health["workers"]] == [0, 0]
    assert caxton("message", "request", "echo", "hello", *where).out == "hello"


def test_what_waits_is_there_after_a_restart(serve, caxton):
    """Messages that wait for a paused agent survive a restart of its worker; it is paused still, then handles them."""
    served = serve("--restart-limit", 0)
    served.event("ready")
    where = ("--runtime-dir", served.runtime_dir, "-o", "json")
    assert caxton("agent", "deploy", "echo", ECHO, *where).code == 0
    assert caxton("agent", "pause", "echo", *where).code == 0
    for word in ("one", "two", "three"):
        assert caxton("message", "send", "echo", word, *where).code == 0

    assert caxton("restart", *where).code == 0
    waiting = caxton("ledger", *where).json["durable"]["all"]
    assert caxton("agent", "resume", "echo", *where).code == 0
    handled = served.until(
        lambda: caxton("ledger", *where).json["durable"]["all"], lambda figures: figures["pending"] == 0
    )

    assert (waiting["pending"], waiting["processed"], waiting["balanced"]) == (3, 0, True)
    assert (handled["processed"], handled["dead"], handled["balanced"]) == (3, 0, True)


def test_a_restart_for_people(serve, caxton):
    """Without -o json the command says how many workers were restarted, and how long it took."""
    served = serve()
    served.event("ready")

    restarted = caxton("restart", "--runtime-dir", served.runtime_dir)

    assert restarted.code == 0
    assert "restarted 2 workers in " in restarted.out
    assert restarted.err == ""


def test_a_restart_that_takes_too_long_says_what_is_left(serve, caxton):
    """`caxton restart --timeout` ends with 1 and names the shards that are to come; the restart goes on by itself."""
    served = serve("--drain-timeout", 1)
    served.event("ready")
    os.kill(served.health()["workers"][0]["pid"], signal.SIGSTOP)

    restarted = caxton("restart", "--runtime-dir", served.runtime_dir, "--timeout", 0.3)

    assert restarted.code == 1
    assert "the restart of shards 0, 1" in restarted.err
    assert served.event("restart_ended")["absent"] == []


def test_a_worker_without_agents_is_far_below_the_least_limit(serve):
    """The least memory limit that is allowed leaves a worker more than it holds by itself."""
    served = serve("--worker-memory-limit", LEAST_MEMORY_LIMIT_MIB)
    served.event("ready")

    resident = [worker["resident_bytes"] for worker in served.health()["workers"]]

    assert all(0 < size < (LEAST_MEMORY_LIMIT_MIB << 20) / 2 for size in resident)


def test_a_stopped_worker_goes_with_its_killed_supervisor(serve, process_ended, promise):
    """A worker under SIGSTOP is gone within 2 s of `kill -9` of its supervisor, like the others."""
    served = serve()
    served.event("ready")
    children = served.children()
    os.kill(served.health()["workers"][0]["pid"], signal.SIGSTOP)

    with promise(2.0):
        served.process.kill()
        gone = [process_ended(pid, 20.0) for pid in children]

    assert all(gone)


def test_the_next_runtime_serves_at_once_where_one_was_killed(serve):
    """Straight after `kill -9` of a supervisor the next one serves; no socket or book of the dead is left."""
    first = serve()
    first.event("ready")
    dead = [worker["incarnation"] for worker in first.health()["workers"]]
    first.process.kill()
    first.process.wait()

    second = serve(workers=None)
    second.event("ready")

    assert second.health()["status"] == "healthy"
    directory = RuntimeDir(second.runtime_dir)
    names = {path.name for path in second.runtime_dir.iterdir()}
    assert not names & {directory.book(incarnation).name for incarnation in dead}
    assert not names & {directory.crash_note(incarnation).name for incarnation in dead}
    assert not names & {directory.data(incarnation).rpartition("/")[2] for incarnation in dead}
