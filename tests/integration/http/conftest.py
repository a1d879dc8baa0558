"""Runtimes that serve HTTP, and who asks them: each with a token of its own."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import wasmtime

import caxton
import caxton.testing

ECHO = Path(caxton.__file__).parent / "guests" / "echo.wasm"
ROOT = Path(__file__).parents[3]
GUESTS = ROOT / "tests" / "guests"
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
CAXTON = [sys.executable, "-P", "-m", "caxton"]
FUNCTIONS = f'caxton() {{ {shlex.join(CAXTON)} "$@"; }}; python3() {{ {shlex.quote(sys.executable)} "$@"; }}'


@pytest.fixture(scope="session")
def echo_wasm():
    """An agent that answers what it is sent."""
    return ECHO


@pytest.fixture(scope="module")
def served():
    """A runtime of two workers that serves HTTP at a port that was free."""
    with caxton.testing.runtime(workers=2, options=["--http", "127.0.0.1:0"]) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def url(served):
    """Where it serves."""
    return next(event["http"] for event in served.events if event["event"] == "ready")


@pytest.fixture(scope="module")
def token(served):
    """Make a token of a role, for agents whose names fit; once for each."""
    made = {}

    def make(role, *agents):
        if (role, agents) not in made:
            with caxton.connect_sync(served.runtime_dir) as client:
                made[role, agents] = client.create_token("test", role, agents=list(agents)).token
        return made[role, agents]

    return make


@pytest.fixture(scope="module")
def asking(url, token):
    """Return a client of HTTP with a token of this role, and these agents; or with none."""
    made = []

    def client(role=None, *agents):
        headers = {} if role is None else {"Authorization": f"Bearer {token(role, *agents)}"}
        made.append(httpx.Client(base_url=url, timeout=60.0, headers=headers))
        return made[-1]

    yield client
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def asked(asking):
    """Ask without a token."""
    return asking()


@pytest.fixture(scope="module")
def admin(asking, echo_wasm):
    """Ask as who may do everything, where an agent echo is deployed."""
    client = asking("admin")
    files = {
        "agent": (None, '{"name": "echo", "capabilities": ["say"]}'),
        "wasm": ("echo.wasm", echo_wasm.read_bytes()),
    }
    assert client.post("/v1/agents", files=files).status_code == 201
    return client


@pytest.fixture(scope="session")
def wasm():
    """The module that a guest written as text is."""

    def module(name):
        return bytes(wasmtime.wat2wasm((GUESTS / f"{name}.wat").read_text()))

    return module


@pytest.fixture(scope="session")
def run_page():
    """Run what a page of docs tells its reader to run, and compare what is printed with what stands behind it.

    there: of each address that the page has, the one that is meant here. Returns how many lines were compared.
    """
    if shutil.which("curl") is None:
        pytest.skip("the page's reader has curl")

    def run(name, served, there):
        page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
        lines = [line for block in SHELL.findall(page) for line in block.splitlines() if "caxton serve" not in line]
        before, did = [FUNCTIONS], 0
        for line in lines:
            at_home = line
            for address, meant in there.items():
                at_home = at_home.replace(address, meant)
            command, _, expected = at_home.partition("  # ")
            if not expected:
                if "$(" in command:  # once: it makes a token
                    variable, _, value = command.partition("=")
                    command = f"{variable}={shlex.quote(printed(served, [*before, f'echo -n {value}']))}"
                before.append(command)
                continue
            assert printed(served, [*before, command]).strip() == expected, line
            did += 1
        return did

    return run


def printed(served, commands):
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(commands)],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
        cwd=ROOT,
        env=os.environ | {"CAXTON_RUNTIME_DIR": str(served.runtime_dir)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
