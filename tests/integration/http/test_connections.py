"""How many connections each port of the gateway has at once."""

import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

import caxton.testing
from caxton.gateway.limits import MAX_CONNECTIONS, MAX_METRICS_CONNECTIONS

ASK = b"GET /health HTTP/1.1\r\nHost: %s:%d\r\n\r\n"
PATIENCE_S = 60.0
NO_ROOM = 503


@pytest.fixture(scope="module")
def places():
    """The address of each port."""
    with caxton.testing.runtime(options=["--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]) as runtime:
        ready = next(event for event in runtime.events if event["event"] == "ready")
        urls = {"http": urlsplit(ready["http"]), "metrics": urlsplit(ready["metrics"])}
        yield {name: (url.hostname, url.port) for name, url in urls.items()}


def status(connection, address):
    """Ask, and return what the answer's first line says."""
    connection.sendall(ASK % (address[0].encode(), address[1]))
    return int(connection.recv(1_024).split()[1])


@pytest.mark.parametrize(("port", "most"), [("http", MAX_CONNECTIONS), ("metrics", MAX_METRICS_CONNECTIONS)])
def test_each_port_has_so_many_connections(places, port, most):
    """Exactly so many, whether anything is asked on them or not; the next one is told that there is no room."""
    address = places[port]
    with ExitStack() as open_now:
        first = [open_now.enter_context(socket.create_connection(address, PATIENCE_S)) for _ in range(most)]
        assert status(first[-1], address) != NO_ROOM
        assert status(open_now.enter_context(socket.create_connection(address, PATIENCE_S)), address) == NO_ROOM
