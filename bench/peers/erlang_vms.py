"""Erlang/OTP: a process in each of two VMs on this machine, over Erlang's own distribution; see `echo.erl`.

The VMs share a cookie of this run alone, and find each other through an epmd of their own, all on the loopback address.
"""

import os
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bench.peers.form import MANY, ONE_BY_ONE, Form, arguments, report

_HERE = "127.0.0.1"
_SOURCE = Path(__file__).with_name("echo.erl")
_TIMEOUT_S = 20.0
_LOOK_PERIOD_S = 0.02


class Client:
    """The VM that asks, which takes one order at a time."""

    def __init__(self, orders: IO[str], answers: IO[str]) -> None:
        self._orders = orders
        self._answers = answers

    def release(self) -> str:
        """Return the release of OTP that runs: the client's first line, when the VMs know each other."""
        return self._line()

    def rate(self, under_way: int, seconds: float) -> float:
        """Keep so many messages under way, and return round trips a second."""
        answered, took_us = self._order(f"rate {under_way} {round(seconds * 1e3)}")
        return answered / took_us * 1e6

    def alone(self, seconds: float) -> dict[str, int]:
        """Ask one at a time, and return p50 and p99 in microseconds."""
        p50_ns, p99_ns = self._order(f"alone {round(seconds * 1e3)}")
        return {"p50": round(p50_ns / 1e3), "p99": round(p99_ns / 1e3)}

    def _order(self, order: str) -> tuple[int, int]:
        self._orders.write(f"{order}\n")
        self._orders.flush()
        first, second = self._line().split()
        return int(first), int(second)

    def _line(self) -> str:
        line = self._answers.readline()
        if not line:
            raise ConnectionError("the Erlang VM that asks has ended")
        return line.strip()


def main() -> None:
    """Compile the Erlang side, start two VMs and their epmd, and measure them."""
    content, seconds = arguments()
    with tempfile.TemporaryDirectory() as name, _epmd() as port:
        folder = Path(name)
        subprocess.run(["erlc", "-o", name, str(_SOURCE)], check=True, timeout=60)  # noqa: S607 (as on the user's path)
        cookie = folder / ".erlang.cookie"
        cookie.write_text(secrets.token_hex(16), encoding="ascii")
        cookie.chmod(0o400)
        answering = _vm(folder, port, f"answering-{port}@{_HERE}", [])
        order = ["-run", "echo", "ask", f"answering-{port}@{_HERE}", str(len(content))]
        asking = _vm(folder, port, f"asking-{port}@{_HERE}", order)
        with answering, asking:
            try:
                if asking.stdin is None or asking.stdout is None:
                    raise ConnectionError("the Erlang VM that asks has no pipes")
                client = Client(asking.stdin, asking.stdout)
                release = client.release()
                note = "plain `!` between two VMs, each request with a reference of its own"
                form = Form(ONE_BY_ONE, client.rate, MANY, client.alone, note=note)
                report(f"OTP {release}", 2, [form], seconds)
            finally:
                asking.terminate()
                answering.terminate()


def _vm(folder: Path, port: int, name: str, order: list[str]) -> "subprocess.Popen[str]":
    loopback = ["-kernel", "inet_dist_use_interface", "{127,0,0,1}"]
    command = [
        "erl",
        "-noinput" if not order else "-noshell",
        "-name",
        name,
        "-start_epmd",
        "false",
        "-pa",
        str(folder),
    ]
    environment = os.environ | {"HOME": str(folder), "ERL_EPMD_PORT": str(port), "ERL_EPMD_ADDRESS": _HERE}
    pipe = subprocess.PIPE if order else subprocess.DEVNULL
    return subprocess.Popen([*command, *loopback, *order], env=environment, stdin=pipe, stdout=pipe, text=True)


@contextmanager
def _epmd() -> Iterator[int]:
    """Run the VMs' register of names while the block runs; gives the port that it listens on."""
    with socket.socket() as probe:
        probe.bind((_HERE, 0))
        port = int(probe.getsockname()[1])
    command = ["epmd", "-address", _HERE, "-port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as epmd:
        try:
            _listens(port)
            yield port
        finally:
            epmd.terminate()


def _listens(port: int) -> None:
    """Return when somebody listens on that port; raises TimeoutError after 20 s."""
    deadline_s = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline_s:
        with socket.socket() as probe:
            if probe.connect_ex((_HERE, port)) == 0:
                return
        time.sleep(_LOOK_PERIOD_S)
    raise TimeoutError(f"epmd does not listen on port {port}")


if __name__ == "__main__":
    main()
