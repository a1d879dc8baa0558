"""Runtimes that serve HTTP, and who asks them: each with a token of its own."""

from pathlib import Path

import httpx
import pytest
import wasmtime

import caxton
import caxton.testing

ECHO = Path(caxton.__file__).parent / "guests" / "echo.wasm"
GUESTS = Path(__file__).parents[2] / "guests"


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
