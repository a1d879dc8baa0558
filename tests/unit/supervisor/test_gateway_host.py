import asyncio
import os
import signal
import socket
import sys
from contextlib import closing

import pytest

from caxton.config.gateway import GatewaySettings, Place
from caxton.config.log_levels import LogLevels
from caxton.delivery.levels import NearLimit
from caxton.errors import ConfigurationError
from caxton.supervisor.gateway import host as host_module
from caxton.supervisor.gateway.host import GatewayHost, check_installed
from caxton.supervisor.workforce.restart_policy import RestartPolicy
from caxton.testing import eventually
from caxton.wire.gateway_spec import GatewaySpec
from caxton.wire.gateway_tick import MOST_BYTES

# A gateway that says that it answers, and then waits for its end.
SERVES = """
import os, sys, signal
from caxton.wire.gateway_tick import Tick
from caxton.wire.gateway_spec import GatewaySpec
spec = GatewaySpec.decode(sys.stdin.buffer.read())
for place in spec.listening:
    os.fstat(place.descriptor)
os.write(1, Tick().encode())
signal.pause()
"""
# One that is told of changes, and says each time that it was.
LISTENS = """
import os, sys, signal
from caxton.wire.gateway_tick import Tick
from caxton.wire.gateway_spec import SETTINGS_CHANGED, GatewaySpec
spec = GatewaySpec.decode(sys.stdin.buffer.read())
signal.signal(SETTINGS_CHANGED, lambda *_: os.write(1, Tick().encode()))
os.write(1, Tick().encode())
while True:
    signal.pause()
"""
# One that says how full it is, in pieces, behind what is no tick; its end comes with a signal.
FULL = """
import os, sys, signal
from caxton.delivery.levels import NearLimit
from caxton.wire.gateway_tick import Tick
sys.stdin.buffer.read()
line = Tick([NearLimit("http_streams", 64, 64, "", 7)]).encode()
os.write(1, b"what somebody printed\\n" + line[:9])
os.write(1, line[9:])
signal.pause()
"""
# One that writes a long line, and then a tick and the beginning of another long line.
ENDLESS = """
import sys, signal
from caxton.wire.gateway_tick import MOST_BYTES, Tick
sys.stdin.buffer.read()
sys.stdout.buffer.write(b"x" * 5 * MOST_BYTES + b"\\n" + Tick().encode() + b"x" * 5 * MOST_BYTES + b"!")
sys.stdout.buffer.flush()
signal.pause()
"""
MUTE = "import signal; signal.pause()"


@pytest.fixture
async def host_of():
    """Make hosts whose gateways run this program; what they tell is in `told`."""
    hosts = []

    def make(program, port=0, limit=3, metrics=None):
        def spec_of(inherited):
            return GatewaySpec(
                runtime_dir="r",
                data_dir="d",
                supervisor_pid=os.getpid(),
                http=inherited.get("--http"),
                metrics=inherited.get("--metrics"),
                metrics_open=False,
                names=(),
                release="",
                log_level=30,
                session_key=bytes(32),
            )

        told = []
        settings = GatewaySettings(
            http=Place("127.0.0.1", port), metrics=None if metrics is None else Place("127.0.0.1", metrics)
        )
        host = GatewayHost(settings, (sys.executable, "-P", "-c", program), spec_of, RestartPolicy(limit), told.append)
        host.told = told
        hosts.append(host)
        return host

    yield make
    for host in hosts:
        host.close()


async def names(host, *wanted):
    """Wait until so many things were told; returns their names."""

    async def told():
        return len(host.told) >= len(wanted)

    await eventually(told)
    return [event.name for event in host.told]


async def test_a_gateway_is_started_and_says_when_it_answers(host_of):
    """Port 0 becomes the one that it is, and it listens before anybody answers."""
    host = host_of(SERVES)
    host.open()
    url = host.urls["http"]

    assert url.startswith("http://127.0.0.1:")
    assert not url.endswith(":0")
    assert await names(host, "gateway_ready") == ["gateway_ready"]
    assert host.told[0].fields == {"url": url, "http": url, "pid": host.pid}
    assert host.problem is None


async def test_it_is_told_that_levels_have_changed(host_of):
    """At once where it has been heard, and else when it is: before that a signal would end it."""
    heard = []
    host = host_of(LISTENS)
    host_heard = host._heard
    host._heard = lambda tick: (heard.append(host.pid), host_heard(tick))
    host.open()
    host.log_from(LogLevels(10))
    host.log_from(LogLevels(20))
    await names(host, "gateway_ready")

    async def told():
        return len(heard) >= 2

    await eventually(told)
    host.log_from(LogLevels(30))

    async def told_again():
        return len(heard) >= 3

    await eventually(told_again)
    assert [event.name for event in host.told] == ["gateway_ready"]
    assert host.log_levels == LogLevels(30)


async def test_it_says_which_of_its_limits_are_near(host_of):
    """With its sign of life; what it writes besides is none, and a gateway that has died is near nothing."""
    host = host_of(FULL)
    host.open()
    await names(host, "gateway_ready")
    assert host.near == [NearLimit("http_streams", 64, 64, "", 7)]

    os.kill(host.pid, signal.SIGKILL)
    await died_events(host)
    assert host.near == []


async def test_what_is_no_tick_is_not_kept(host_of):
    """A line that does not end takes no more than a tick may be long, and the ticks behind it are heard."""
    host = host_of(ENDLESS)
    host.open()

    async def all_heard():
        return host._process._begun.endswith(b"!")

    await eventually(all_heard)
    assert len(host._process._begun) <= MOST_BYTES
    assert [event.name for event in host.told] == ["gateway_ready"]


async def test_metrics_have_a_port_of_their_own(host_of):
    """Both sockets are the supervisor's, and the gateway has both."""
    host = host_of(SERVES, metrics=0)
    host.open()

    assert host.urls.keys() == {"http", "metrics"}
    assert host.urls["metrics"].endswith("/metrics")
    await names(host, "gateway_ready")
    assert host.told[0].fields == {"url": host.urls["http"], **host.urls, "pid": host.pid}
    host.close()
    for port in (int(url.split(":")[2].partition("/")[0]) for url in host.urls.values()):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


async def test_it_does_not_serve_a_part_of_what_it_was_told(host_of):
    """Where one port is taken none is served, and the other is not listened at by then."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        host = host_of(SERVES, metrics=other.getsockname()[1])
        host.open()

        assert f"--metrics 127.0.0.1:{other.getsockname()[1]}: the port is taken" in host.problem
        assert (host.urls, host.pid) == ({}, 0)


async def test_one_that_is_killed_is_followed_by_another_at_the_same_port(host_of):
    """Meanwhile connections wait: the socket is the supervisor's."""
    host = host_of(SERVES)
    host.open()
    await names(host, "gateway_ready")
    urls, pid = host.urls, host.pid

    os.kill(pid, signal.SIGKILL)

    assert await names(host, *"123") == ["gateway_ready", "gateway_died", "gateway_ready"]
    assert (host.urls, host.problem) == (urls, None)
    assert host.pid != pid


async def test_one_that_dies_at_every_start_is_given_up_until_somebody_asks(host_of):
    """It is told once, health has the reason, and nobody waits at its port any more."""
    host = host_of("raise SystemExit(7)", limit=1)
    host.open()
    port = int(host.urls["http"].rpartition(":")[2])

    assert await names(host, *"123") == ["gateway_died", "gateway_died", "gateway_failed"]
    assert host.problem == "the gateway died too often (the last: exit code 7), and is not started again"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    host.again()
    assert (await names(host, *"123456"))[3:] == ["gateway_died", "gateway_died", "gateway_failed"]


async def test_a_port_that_is_taken_is_told_once_and_tried_again(host_of, monkeypatch):
    """Until it is free: then a gateway serves there, and the reason is gone."""
    monkeypatch.setattr(host_module, "BIND_AGAIN_S", 0.01)
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        host = host_of(SERVES, port=other.getsockname()[1])
        host.open()
        host.again()
        assert [event.name for event in host.told] == ["gateway_refused"]
        assert "the port is taken; end who listens there" in host.problem
        assert (host.urls, host.pid) == ({}, 0)

    assert await names(host, *"12") == ["gateway_refused", "gateway_ready"]
    assert host.problem is None


@pytest.mark.parametrize(("program", "ready"), [(MUTE, False), (SERVES, True)])
async def test_one_that_says_nothing_is_killed(host_of, monkeypatch, program, ready):
    """Whether it never answered or stopped to: but not when the supervisor itself was not running."""
    host = host_of(program)
    host.open()
    if ready:
        await names(host, "gateway_ready")
    pid = host.pid
    monkeypatch.setattr(host_module, "START_TIMEOUT_S" if not ready else "SILENCE_TIMEOUT_S", -1.0)

    host.check(forgive=True)
    assert host.problem is None
    host.check()

    assert "the gateway said nothing" in host.problem
    died = next(event for event in await died_events(host) if event.name == "gateway_died")
    assert died.fields == {"pid": pid, "how": "killed by SIGKILL"}


async def died_events(host):
    async def died():
        return any(event.name == "gateway_died" for event in host.told)

    await eventually(died)
    return host.told


async def test_it_is_stopped_and_is_not_followed(host_of):
    """Told to end, it ends, and that is no death."""
    host = host_of(SERVES)
    host.open()
    await names(host, "gateway_ready")

    host.stop()
    await asyncio.wait_for(host.ended.wait(), 30)

    assert [event.name for event in host.told] == ["gateway_ready"]
    assert host.pid == 0
    host.again()
    assert host.pid == 0


def test_what_serves_http_may_not_be_there(monkeypatch):
    """A default install has none of it: `serve --http` says what to install."""
    settings = GatewaySettings(metrics=Place("127.0.0.1", 9_090))
    check_installed(settings)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "litestar" else name)
    with pytest.raises(ConfigurationError, match=r"--metrics: .*clone of Caxton: .pip install '\.\[http\]'"):
        check_installed(settings)
