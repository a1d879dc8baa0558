import os
import signal


def test_sigterm_drains_and_exits_with_0(serve, process_ended):
    """On SIGTERM the runtime drains and exits with 0, well before the deadline; no child and no socket is left."""
    served = serve()
    served.event("ready")
    children = served.children()

    os.kill(served.pid, signal.SIGTERM)
    stopped = served.event("stopped")

    assert served.process.wait(60) == 0
    assert (stopped["killed"], stopped["lost"]) == ([], 0)
    assert all(process_ended(pid, 0.0) for pid in children)
    assert [path.name for path in served.runtime_dir.iterdir()] == ["lock"]


def test_ctrl_c_drains_and_exits_with_0(serve):
    """Ctrl-C is a SIGINT, and does what SIGTERM does."""
    served = serve()
    served.event("ready")

    os.kill(served.pid, signal.SIGINT)

    assert served.event("stopped")["killed"] == []
    assert served.process.wait(60) == 0


def test_a_drain_after_a_worker_died_is_as_short(serve):
    """What was on the way to a dead worker does not hold up the drain."""
    served = serve()
    served.event("ready")
    os.kill(served.health()["workers"][0]["pid"], signal.SIGKILL)
    served.event("worker_restarted")

    os.kill(served.pid, signal.SIGTERM)

    assert served.event("stopped")["killed"] == []
    assert served.process.wait(60) == 0


def test_a_worker_that_does_not_answer_is_killed_at_the_deadline(serve):
    """A worker that is stopped cannot drain; it is killed at --drain-timeout, and the exit code is 0."""
    served = serve("--drain-timeout", 0.5)
    served.event("ready")
    os.kill(served.health()["workers"][1]["pid"], signal.SIGSTOP)

    os.kill(served.pid, signal.SIGTERM)

    assert 1 in served.event("stopped")["killed"]
    assert served.process.wait(60) == 0


def test_a_second_signal_kills_everybody_at_once(serve, process_ended):
    """While the drain waits for a stopped worker, a second SIGTERM kills all; the exit code is 1."""
    served = serve("--drain-timeout", 100)
    served.event("ready")
    children = served.children()
    os.kill(served.health()["workers"][1]["pid"], signal.SIGSTOP)

    os.kill(served.pid, signal.SIGTERM)
    served.event("drain_started")
    os.kill(served.pid, signal.SIGTERM)

    assert served.process.wait(60) == 1
    assert all(process_ended(pid, 0.0) for pid in children)


def test_stop_waits_for_the_end(serve, caxton):
    """`caxton stop` returns when the runtime has ended, and says which; a second one finds none."""
    served = serve()
    served.event("ready")

    stopped = caxton("stop", "--runtime-dir", served.runtime_dir, "-o", "json")

    assert stopped.code == 0
    assert stopped.json == {"stopped": True, "pid": served.pid, "runtime_dir": str(served.runtime_dir)}
    assert served.process.wait(60) == 0
    assert caxton("stop", "--runtime-dir", served.runtime_dir).code == 3


def test_stop_that_waits_too_short_says_so(serve, caxton):
    """`caxton stop --timeout` beyond which the drain lasts exits with 1; the drain goes on."""
    served = serve("--drain-timeout", 2)
    served.event("ready")
    os.kill(served.health()["workers"][1]["pid"], signal.SIGSTOP)

    stopped = caxton("stop", "--runtime-dir", served.runtime_dir, "--timeout", 0.5)

    assert stopped.code == 1
    assert "no answer within 0.5 s" in stopped.err
    assert served.process.wait(60) == 0


def test_stop_during_the_start_ends_it(serve):
    """A signal before the runtime is ready ends it with 0."""
    served = serve()

    served.until(served.runtime_dir.joinpath("runtime.json").exists, bool)
    os.kill(served.pid, signal.SIGTERM)

    assert served.process.wait(60) == 0
