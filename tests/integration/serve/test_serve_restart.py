import os
import signal


def test_a_killed_worker_serves_again_within_two_seconds(serve, promise):
    """After `kill -9` of a worker its shard is ready again within 2 s, under a new incarnation."""
    served = serve()
    served.event("ready")
    before = served.health()["workers"][0]

    with promise(2.0):
        os.kill(before["pid"], signal.SIGKILL)
        served.event("worker_restarted")

    after = served.health()["workers"][0]
    assert after["incarnation"] > before["incarnation"]
    assert after["pid"] != before["pid"]
    assert after["restarts"] == 1


def test_a_stopped_worker_is_killed_and_replaced(serve):
    """A worker under SIGSTOP is killed after 5 s of silence, reaped before its successor starts, and replaced."""
    served = serve()
    served.event("ready")
    pid = served.health()["workers"][1]["pid"]

    os.kill(pid, signal.SIGSTOP)
    hung = served.event("worker_hung")

    assert (hung["pid"], hung["why"]) == (pid, "no heartbeat for 5 s")
    assert served.event("worker_died")["pid"] == pid
    assert pid not in served.children()
    assert served.event("worker_restarted")["shard"] == 1


def test_a_damaged_file_quarantines_its_shard_alone(serve, caxton):
    """A shard whose file is damaged is quarantined and says what to do; the other serves, and a backup helps."""
    served = serve()
    served.event("ready")
    where = ("--runtime-dir", served.runtime_dir)
    os.kill(served.pid, signal.SIGTERM)
    served.process.wait(60)
    file = served.data_dir / "shard-1.db"
    backup = file.read_bytes()
    file.write_bytes(b"not a database" * 1_000)

    again = serve("--restart-limit", 1, workers=None)
    quarantined = again.event("shard_quarantined")
    ready = again.event("ready")
    health = again.health()
    books, stats = caxton("ledger", *where), caxton("stats", *where)
    file.write_bytes(backup)
    restarted = caxton("restart", *where, "-o", "json")

    assert (quarantined["shard"], quarantined["path"]) == (1, str(file))
    assert (ready["failed"], ready["quarantined"]) == ([], [1])
    assert health["status"] == "degraded"
    assert "bring back this very file, or `caxton restore` a backup" in health["reason"]
    assert [worker["state"] for worker in health["workers"]] == ["ready", "quarantined"]
    assert [worker["restarts"] for worker in health["workers"]] == [0, 0]
    assert (books.code, books.err) == (1, "caxton: shard 1 is quarantined; see `caxton health`\n")
    assert (stats.code, "no ledger: shard 1 is quarantined" in stats.out) == (0, True)
    assert (restarted.code, restarted.json["absent"]) == (0, [])
    assert again.health()["status"] == "healthy"


def test_no_child_outlives_a_killed_supervisor(serve, process_ended, promise):
    """Within 2 s of `kill -9` of the supervisor, every worker and the compiler are gone."""
    served = serve()
    served.event("ready")
    children = served.children()

    with promise(2.0):
        served.process.kill()
        gone = [process_ended(pid, 20.0) for pid in children]

    assert len(children) == 3
    assert all(gone)


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
