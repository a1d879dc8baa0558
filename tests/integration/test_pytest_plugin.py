"""The fixtures of pytest, in runs of pytest of their own: those of the pages, and tests that end in every other way."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error")
# Each test tells where its runtime is, so that what is left of it can be looked for.
TOLD = """
import asyncio, os, signal
import pytest

@pytest.fixture(autouse=True)
def told(caxton_runtime):
    print("told", caxton_runtime.pid, caxton_runtime.runtime_dir, flush=True)
"""
FAILS = """
def test_leaves_an_agent(caxton_client):
    with caxton_client.attach("left", lambda _: None):
        pass
    caxton_client.send("left", b"waits")
    assert False, "as it should"

def test_finds_nothing(caxton_client):
    assert list(caxton_client.agents()) == []
    assert list(caxton_client.dead_letters()) == []
"""
ENDS_IT = """
def test_kills_it(caxton_client, caxton_runtime):
    caxton_runtime.kill()

def test_stops_it(caxton_client, caxton_runtime):
    assert caxton_runtime.stop() == 0

def test_kills_it_behind_its_back(caxton_runtime):
    os.kill(caxton_runtime.pid, signal.SIGKILL)

def test_has_another(caxton_client):
    assert caxton_client.health().status == "healthy"
"""
WAITS = """
def test_waits(caxton_client):
    print("waits", flush=True)
    caxton_client.inbox().next()
"""


@pytest.fixture
def tests_of(tmp_path):
    """Write a file of tests, and the configuration of the project that they are of."""

    def write(text, workers=1):
        options = f"caxton_workers = {workers}\nasyncio_default_fixture_loop_scope = function\n"
        (tmp_path / "pytest.ini").write_text(f"[pytest]\n{options}")
        path = tmp_path / "test_it.py"
        path.write_text(text)
        return [*PYTEST, "-c", str(tmp_path / "pytest.ini"), "--rootdir", str(tmp_path), str(path)]

    return write


@pytest.fixture
def run():
    """Run pytest to its end in the project's folder; its exit code and what it printed."""

    def of(command):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)
        return done.returncode, done.stdout + done.stderr

    return of


def left_of(said):
    """Whether anything is left of the runtimes that were told of: a process or a directory."""
    told = re.findall(r"told (\d+) (\S+)", said)
    assert told
    return [(pid, where) for pid, where in told if psutil.pid_exists(int(pid)) or Path(where).parent.exists()]


@pytest.mark.parametrize("page", ["README.md", "docs/testing.md"])
def test_the_tests_of_the_pages_pass(page, tests_of, run):
    """Every test that a page shows passes as it stands there."""
    texts = PYTHON.findall((ROOT / page).read_text(encoding="utf-8"))
    shown = [text for text in texts if "def test_" in text]
    code, said = run(tests_of("\n\n".join(shown)))

    assert code == 0, said
    assert f"{sum(text.count('def test_') for text in shown)} passed" in said


def test_a_number_of_workers_that_is_none_ends_the_run(tests_of, run):
    """It is told once, in a line, and no test fails of it one by one."""
    code, said = run(tests_of(TOLD, workers="abc"))

    assert code == pytest.ExitCode.USAGE_ERROR
    assert said.strip().splitlines() == ["ERROR: caxton_workers = 'abc' is not a number of workers, 1 to 32"]


def test_a_test_that_fails_leaves_nothing_to_the_next(tests_of, run):
    """Its agents and dead letters are gone for the next test, and the runtime with the run."""
    code, said = run([*tests_of(TOLD + FAILS, workers=2), "-s"])

    assert code == 1, said
    assert "1 failed, 1 passed" in said
    assert left_of(said) == []


def test_a_runtime_that_a_test_ended_is_started_anew(tests_of, run):
    """Whatever a test does to it, the next one has a runtime that serves."""
    code, said = run([*tests_of(TOLD + ENDS_IT), "-s"])

    assert code == 0, said
    assert "4 passed" in said
    assert left_of(said) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
async def test_a_run_that_is_ended_leaves_no_runtime(how, tests_of):
    """After Ctrl-C nothing is left; of a run that is killed, no process."""
    program = await asyncio.create_subprocess_exec(
        *tests_of(TOLD + WAITS), "-s", cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said = b""
    async with asyncio.timeout(100):
        while b"waits" not in said:
            said += await program.stdout.readline()
        supervisor = psutil.Process(int(re.search(rb"told (\d+)", said)[1]))
        os.kill(program.pid, how)
        said += (await program.communicate())[0]
    await asyncio.to_thread(psutil.wait_procs, [supervisor], 60)

    assert not supervisor.is_running()
    if how is signal.SIGINT:
        assert b"KeyboardInterrupt" in said
        assert left_of(said.decode()) == []


def test_pytest_finds_the_plugin():
    """The package names the module as a plugin of pytest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert project["entry-points"]["pytest11"] == {"caxton": "caxton.pytest_plugin"}
