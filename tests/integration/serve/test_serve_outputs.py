"""Commands, and a runtime, whose standard streams are closed, full, or read by nobody."""

import contextlib
import json
import os
import shlex
import signal
import subprocess

import pytest

from caxton.client.call_line import ask
from caxton.client.own_runtime import own_runtime
from caxton.errors import NetworkError, RuntimeNotFound
from caxton.wire.supervision import AskHealth, AskStats


@pytest.fixture(scope="module")
def runtime():
    """A runtime for commands that change nothing."""
    with own_runtime(1) as directory:
        yield directory


@pytest.fixture(scope="module")
def shell(command_line):
    """Run a line of the shell in which `caxton` is the command under test; what it ended with."""

    def run(line, **environment):
        return subprocess.run(
            ["bash", "-c", f'caxton() {{ {shlex.join(command_line)} "$@"; }}; {line}'],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=os.environ | environment,
        )

    return run


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("caxton health >&-", 0, ""),
        ("caxton health >&- 2>&-", 0, ""),
        ("caxton agent list <&- >&- 2>&-", 0, ""),
        ("caxton --help >&-", 0, ""),
        ("caxton health > /dev/full", 1, "caxton: standard output: No space left on device"),
        ("caxton agent list -o json > /dev/full", 1, "caxton: standard output: No space left on device"),
        ("caxton --help > /dev/full", 1, "caxton: standard output: No space left on device"),
        ("caxton health > /dev/full 2> /dev/full", 1, ""),
        ("caxton agent inspect nobody 2> /dev/full", 1, ""),
        ("caxton agent inspect nobody 2>&-", 1, ""),
        ("caxton stats | true; exit ${PIPESTATUS[0]}", 1, ""),
        ("caxton --help | true; exit ${PIPESTATUS[0]}", 1, ""),
    ],
)
def test_a_command_whose_output_is_closed_or_full(runtime, shell, line, code, said):
    """A closed output is nobody's, a full one is an error, a reader that has gone is one without words."""
    done = shell(line, CAXTON_RUNTIME_DIR=str(runtime))

    assert done.returncode == code, done.stderr
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == bool(said)


def test_standard_input_that_is_closed_is_no_content(runtime, shell):
    """What a closed standard input would say is an error, and nothing is sent."""
    done = shell("caxton message send echo - -o json <&-", CAXTON_RUNTIME_DIR=str(runtime))

    assert done.returncode == 1
    assert json.loads(done.stderr)["fields"]["what"] == "standard input"


@pytest.mark.parametrize(
    "redirected", ["<&- >&- 2>&-", "> /dev/full 2> /dev/full", "| true"], ids=["closed", "full", "read by nobody"]
)
def test_a_runtime_serves_whatever_becomes_of_its_output(place, command_line, redirected):
    """A runtime that cannot tell anything serves, replaces a killed worker, counts the events, and stops."""
    directory = place / "run"
    line = (
        f"{shlex.join(command_line)} serve --workers 1 --runtime-dir {directory} --data-dir {place}/data {redirected}"
    )
    served = subprocess.Popen(["bash", "-c", line], start_new_session=True)
    try:
        before = until(directory, AskHealth(), lambda health: health["workers"][0]["state"] == "ready")
        os.kill(before["workers"][0]["pid"], signal.SIGKILL)
        after = until(directory, AskHealth(), lambda health: health["workers"][0]["restarts"] == 1)
        until(directory, AskHealth(), lambda health: health["workers"][0]["state"] == "ready")
        stats = ask(directory, AskStats(), 30.0).values
        os.kill(after["pid"], signal.SIGTERM)
        assert served.wait(60) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(served.pid, signal.SIGKILL)
        served.wait()

    untold = stats["dropped_by_supervisor"].get("events that could not be told", 0)
    assert untold >= 2 or redirected.startswith("<&-")


def until(directory, question, holds):
    """Ask again and again until the answer holds; returns it."""
    while True:
        try:
            answer = ask(directory, question, 30.0).values
        except (NetworkError, RuntimeNotFound):
            continue
        if holds(answer):
            return answer
