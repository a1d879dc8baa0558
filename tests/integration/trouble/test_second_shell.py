"""A second shell reaches the runtime: every command is a process of its own, as somebody types them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import caxton.guests

ECHO = Path(caxton.guests.__file__).parent / "echo.wasm"
CAXTON = [sys.executable, "-P", "-m", "caxton"]
NO_RUNTIME = 3


def shell(served, *words):
    return subprocess.run(
        [*CAXTON, *words],
        env=os.environ | {"CAXTON_RUNTIME_DIR": str(served.runtime_dir)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def told(served, *words):
    done = shell(served, *words, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_second_shell_reaches_the_runtime(served, promise):
    """Deploy, list, request, stats, kill -9 of the worker by its pid, request again, stop: each command does it."""
    deployed = told(served, "agent", "deploy", "echo", str(ECHO))
    assert [agent["agent_id"] for agent in told(served, "agent", "list")] == [deployed["agent_id"]]
    assert shell(served, "message", "request", "echo", "hello").stdout == "hello"
    assert told(served, "stats")["totals"]["run"] == 1

    killed = told(served, "health")["workers"][0]
    os.kill(killed["pid"], signal.SIGKILL)
    with promise(5.0):
        while shell(served, "message", "request", "echo", "again").stdout != "again":
            pass

    worker = told(served, "health")["workers"][0]
    assert worker["pid"] != killed["pid"]
    assert worker["incarnation"] > killed["incarnation"]
    assert (worker["state"], worker["restarts"], worker["last_exit"]) == ("ready", 1, "killed by SIGKILL")
    assert [agent["name"] for agent in told(served, "agent", "list")] == ["echo"]
    assert told(served, "stop")["pid"] == served.pid
    assert served._child.wait(60) == 0
    assert shell(served, "agent", "list").returncode == NO_RUNTIME
