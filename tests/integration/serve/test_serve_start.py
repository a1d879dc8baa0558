import json
import os
import signal
import stat
import subprocess
import sys

import pytest

import caxton
from caxton.client.call_line import ask
from caxton.testing import eventually
from caxton.wire.supervision import AskHealth

COMMAND = (sys.executable, "-P", "-m", "caxton")


def test_ready_within_two_seconds(serve, promise):
    """`caxton serve --workers 2` is ready within 2 s and says where, with how many workers, and its pid."""
    with promise(2.0):
        served = serve()
        ready = served.event("ready")

    assert ready["runtime_dir"] == str(served.runtime_dir)
    assert (ready["workers"], ready["pid"], ready["failed"]) == (2, served.pid, [])
    about = json.loads((served.runtime_dir / "runtime.json").read_text())
    assert about["pid"] == served.pid


async def test_who_has_just_begun_has_no_error(serve):
    """That its compiler takes a moment longer than its workers is none."""
    served = serve()
    served.event("ready")
    async with caxton.connect(served.runtime_dir) as client:

        async def look():
            health = await client.health()
            return health if health.status == "healthy" else None

        health = await eventually(look)

    assert (health.last_error, health.components["compiler"].error_count) == (None, 0)


def test_text_output_is_a_line_for_people(place):
    """In text, being ready is one line that says where and how to stop; the last line says what was lost."""
    served = subprocess.Popen(
        [*COMMAND, "serve", "--workers", "1", "--runtime-dir", place / "run", "--data-dir", place / "data"],
        stdout=subprocess.PIPE,
        text=True,
    )
    ready = served.stdout.readline()
    served.terminate()
    rest = served.communicate(timeout=60)[0].splitlines()

    assert f"serving with 1 worker in {place / 'run'} (pid {served.pid})" in ready
    assert "stop with Ctrl-C or `caxton stop" in ready
    assert rest[-1] == "stopped; 0 messages of the volatile lane lost in this run"


def test_a_reader_that_goes_away_does_not_end_the_runtime(place, caxton):
    """When nobody reads its output any more, the runtime serves on, restarts its workers, and exits with 0."""
    options = ["--runtime-dir", str(place / "run"), "--data-dir", str(place / "data")]
    served = subprocess.Popen([*COMMAND, "serve", "--workers", "1", *options], stdout=subprocess.PIPE)
    served.stdout.readline()
    served.stdout.close()
    before = ask(place / "run", AskHealth(), 30.0).values["workers"][0]

    os.kill(before["pid"], signal.SIGKILL)
    again = before
    while again["state"] != "ready" or again["pid"] == before["pid"]:
        again = ask(place / "run", AskHealth(), 30.0).values["workers"][0]

    assert again["restarts"] == 1
    assert caxton("stop", *options[:2]).code == 0
    assert served.wait(60) == 0


@pytest.mark.parametrize("taken", ["runtime", "data"])
def test_a_second_serve_on_either_directory_is_refused_with_the_pid(serve, caxton, place, taken):
    """A second serve on the same runtime or data directory exits with 1 and names the process that has it."""
    served = serve()
    served.event("ready")
    runtime_dir = served.runtime_dir if taken == "runtime" else place / "other"
    data_dir = served.data_dir if taken == "data" else place / "other-data"

    second = caxton("serve", "--runtime-dir", runtime_dir, "--data-dir", data_dir)

    assert second.code == 1
    assert f"in use by process {served.pid}" in second.err
    assert served.health()["status"] == "healthy"


def test_another_number_of_workers_is_refused(serve, caxton):
    """Another --workers than the data directory was made with is refused, with both numbers and what to do."""
    served = serve(workers=1)
    served.event("ready")
    caxton("stop", "--runtime-dir", served.runtime_dir)

    refused = caxton(
        "serve", "--workers", 3, "--runtime-dir", served.runtime_dir, "--data-dir", served.data_dir, "-o", "json"
    )

    assert refused.code == 1
    told = json.loads(refused.err)
    assert told["error"] == "ConfigurationError"
    assert "3 workers" in told["message"]
    assert "made with 1" in told["message"]
    assert "leave --workers out" in told["message"]


def test_a_runtime_directory_that_others_may_enter_is_refused(caxton, place):
    """A runtime directory with mode 755 is refused, saying chmod 700; nothing in it is touched."""
    open_dir = place / "open"
    open_dir.mkdir(mode=0o755)
    open_dir.chmod(0o755)

    refused = caxton("serve", "--runtime-dir", open_dir, "--data-dir", place / "data")

    assert refused.code == 1
    assert f"chmod 700 {open_dir}" in refused.err
    assert list(open_dir.iterdir()) == []


def test_a_data_directory_that_others_may_enter_is_refused(caxton, place):
    """A data directory with mode 750 is refused, saying chmod 700."""
    open_dir = place / "open"
    open_dir.mkdir()
    open_dir.chmod(0o750)

    refused = caxton("serve", "--runtime-dir", place / "run", "--data-dir", open_dir)

    assert refused.code == 1
    assert f"chmod 700 {open_dir}" in refused.err


def test_a_runtime_directory_whose_path_is_too_long_is_refused(caxton, place):
    """A runtime directory whose sockets' paths do not fit is refused before anything is made, saying what to do."""
    long_dir = place / ("long" * 25)

    refused = caxton("serve", "--runtime-dir", long_dir, "--data-dir", place / "data")

    assert refused.code == 1
    assert "too long for socket names" in refused.err
    assert "--runtime-dir" in refused.err
    assert not long_dir.exists()


def test_a_directory_of_something_else_is_refused(caxton, place):
    """A data directory that is not empty and has no identity is somebody else's: refused, and left as it is."""
    (place / "data").mkdir(mode=0o700)
    (place / "data" / "thesis.txt").write_text("precious")

    refused = caxton("serve", "--runtime-dir", place / "run", "--data-dir", place / "data")

    assert refused.code == 1
    assert "thesis.txt" in refused.err
    assert not (place / "data" / "identity").exists()


def test_a_directory_that_cannot_be_made_is_refused(caxton, place):
    """A directory below a file gets a typed error and not a traceback."""
    (place / "file").write_text("")

    refused = caxton("serve", "--runtime-dir", place / "run", "--data-dir", place / "file" / "data", "-o", "json")

    assert refused.code == 1
    assert json.loads(refused.err)["error"] == "ConfigurationError"


def test_directories_are_for_their_owner_alone(serve):
    """What serve makes can only be entered by its owner, and the identity can only be read by its owner."""
    served = serve()
    served.event("ready")

    modes = [stat.S_IMODE(path.stat().st_mode) for path in (served.runtime_dir, served.data_dir)]

    assert modes == [0o700, 0o700]
    assert stat.S_IMODE((served.data_dir / "identity").stat().st_mode) == 0o600


def test_what_a_dead_runtime_left_is_removed(serve, place):
    """Sockets and books of a runtime that was killed are gone when the next one serves there."""
    first = serve()
    first.event("ready")
    left = [path for path in first.runtime_dir.iterdir() if path.name.startswith("w-")]
    first.end()
    second = serve(workers=None)
    second.event("ready")

    assert left
    assert not [path for path in left if path.exists()]
    assert second.health()["pid"] == second.pid


def test_the_environment_says_where(serve, caxton):
    """Without --runtime-dir, CAXTON_RUNTIME_DIR is where commands look."""
    served = serve()
    served.event("ready")

    found = caxton("health", "-o", "json", CAXTON_RUNTIME_DIR=str(served.runtime_dir))

    assert found.code == 0
    assert found.json["pid"] == served.pid


@pytest.mark.parametrize("command", ["stop", "health", "stats"])
def test_no_runtime_is_exit_code_3(caxton, place, command):
    """A command that finds no runtime exits with 3 and says how to start one."""
    found = caxton(command, "--runtime-dir", place / "nothing")

    assert found.code == 3
    assert "no runtime is serving" in found.err
    assert "caxton serve" in found.err


def test_a_wrong_command_line_is_exit_code_2(caxton):
    """An unknown option, or a number outside its bounds, exits with 2."""
    assert caxton("serve", "--wrokers", 2).code == 2
    assert caxton("serve", "--workers", 33).code == 2
    assert caxton("health", "-o", "yaml").code == 2


def test_health_tells_all_that_was_promised(serve, caxton):
    """`caxton health -o json` has the promised keys, of the runtime and of each worker."""
    served = serve()
    served.event("ready")

    told = caxton("health", "--runtime-dir", served.runtime_dir, "-o", "json").json

    assert {"status", "reason", "uptime_s", "workers", "pid", "runtime_dir", "data_dir", "version", "sessions"} <= set(
        told
    )
    assert told["status"] == "healthy"
    for shard, worker in enumerate(told["workers"]):
        assert {"shard", "pid", "incarnation", "state", "restarts"} <= set(worker)
        assert (worker["shard"], worker["state"], worker["restarts"]) == (shard, "ready", 0)
        assert worker["resident_bytes"] > 1_000_000
        os.kill(worker["pid"], 0)


def test_stats_of_an_idle_runtime_show_no_loss(serve, caxton):
    """`caxton stats` shows counters of every worker, and nothing lost; in JSON and in text."""
    served = serve()
    served.event("ready")

    told = caxton("stats", "--runtime-dir", served.runtime_dir, "-o", "json").json
    text = caxton("stats", "--runtime-dir", served.runtime_dir, "--all")

    assert told["lost"] == {"on_the_way_in": 0, "queued": 0, "on_the_way_out": 0, "gaps": 0, "total": 0}
    assert [worker["shard"] for worker in told["workers"]] == [0, 1]
    assert told["totals"]["run"] == 0
    assert text.code == 0
    assert "taken_from_sessions" in text.out
