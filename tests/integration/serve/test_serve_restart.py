import os
import signal
import time


def test_a_killed_worker_serves_again_within_two_seconds(serve):
    """After `kill -9` of a worker its shard is ready again within 2 s, under a new incarnation."""
    served = serve()
    served.event("ready")
    before = served.health()["workers"][0]

    os.kill(before["pid"], signal.SIGKILL)
    killed_s = time.monotonic()
    served.event("worker_restarted")

    assert time.monotonic() - killed_s < 2.0
    after = served.health()["workers"][0]
    assert after["incarnation"] > before["incarnation"]
    assert after["pid"] != before["pid"]
    assert after["restarts"] == 1


def test_a_stopped_worker_is_killed_and_replaced(serve):
    """A worker under SIGSTOP is killed after 5 s of silence, reaped, and replaced."""
    served = serve()
    served.event("ready")
    pid = served.health()["workers"][1]["pid"]

    os.kill(pid, signal.SIGSTOP)
    stopped_s = time.monotonic()
    hung = served.event("worker_hung")

    assert 4.0 < time.monotonic() - stopped_s < 7.0
    assert hung["pid"] == pid
    assert served.event("worker_restarted")["shard"] == 1


def test_a_shard_whose_file_is_not_its_own_fails_alone(serve):
    """A shard whose file cannot be read fails after the allowed restarts; the other one serves."""
    served = serve()
    served.event("ready")
    os.kill(served.pid, signal.SIGTERM)
    served.process.wait(10)
    (served.data_dir / "shard-1.db").write_bytes(b"not a database" * 1_000)

    again = serve("--restart-limit", 1, workers=None)
    failed = again.event("shard_failed")
    ready = again.event("ready")

    assert (failed["shard"], ready["failed"]) == (1, [1])
    health = again.health()
    assert health["status"] == "degraded"
    assert [worker["state"] for worker in health["workers"]] == ["ready", "failed"]


def test_no_child_outlives_a_killed_supervisor(serve, process_ended):
    """Within 2 s of `kill -9` of the supervisor, every worker and the compiler are gone."""
    served = serve()
    served.event("ready")
    children = served.children()

    served.process.kill()
    killed_s = time.monotonic()
    gone = [process_ended(pid, 2.0) for pid in children]

    assert len(children) == 3
    assert all(gone)
    assert time.monotonic() - killed_s < 2.0


def test_the_identity_survives_a_killed_supervisor(serve):
    """After `kill -9` of the supervisor the next one serves the same shards, with incarnations never used before."""
    first = serve()
    first.event("ready")
    before = [worker["incarnation"] for worker in first.health()["workers"]]
    identity = (first.data_dir / "identity").stat().st_ino
    first.end()

    second = serve(workers=None)
    second.event("ready")

    after = [worker["incarnation"] for worker in second.health()["workers"]]
    assert len(after) == 2
    assert min(after) > max(before)
    assert (second.data_dir / "identity").stat().st_ino != identity
