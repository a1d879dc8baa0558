"""NATS: request and reply between two client processes through a server; `nats-py` under uvloop at both ends."""

import asyncio
import importlib.metadata
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError, NoServersError

from bench.peers.form import FEW, ONE_BY_ONE, Form, arguments, report
from bench.peers.loops import alone_in, new_runner, of_tasks

_HERE = "127.0.0.1"
_SUBJECT = "echo"
_TIMEOUT_S = 30.0
_LOOK_PERIOD_S = 0.05


async def serve(url: str) -> None:
    """Answer every request with what was in it, until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    connection = await _connected(url)

    async def answer(message: Msg) -> None:
        await message.respond(message.data)

    await connection.subscribe(_SUBJECT, cb=answer)
    await ended.wait()
    await connection.close()


async def _connected(url: str) -> Client:
    """Connect as soon as the server listens, within 30 s."""
    async with asyncio.timeout(_TIMEOUT_S):
        while True:
            try:
                return await nats.connect(url, allow_reconnect=False, error_cb=_ignore)
            except (NoServersError, OSError):
                await asyncio.sleep(_LOOK_PERIOD_S)


async def _ignore(_error: Exception) -> None:
    """Say nothing of a server that is not there yet: `connect` raises the same."""


async def _answers(connection: Client) -> None:
    """Wait until somebody answers."""
    async with asyncio.timeout(_TIMEOUT_S):
        while True:
            try:
                await connection.request(_SUBJECT, b"", timeout=_TIMEOUT_S)
            except NoRespondersError:
                await asyncio.sleep(_LOOK_PERIOD_S)
            else:
                return


@contextmanager
def _running(command: list[str]) -> Iterator[None]:
    with subprocess.Popen(command) as child:
        try:
            yield
        finally:
            child.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HERE, 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Start the server and the process that answers, and measure them; with `serve URL`, be the one that answers."""
    if sys.argv[1] == "serve":
        with new_runner() as runner:
            runner.run(serve(sys.argv[2]))
        return
    content, seconds = arguments()
    port = _free_port()
    url = f"nats://{_HERE}:{port}"
    server = [shutil.which("nats-server") or "nats-server", "-a", _HERE, "-p", str(port), "-l", "/dev/null"]
    answering = [sys.executable, "-m", "bench.peers.nats_request", "serve", url]
    with _running(server), _running(answering), new_runner() as runner:
        connection = runner.run(_connected(url))
        runner.run(_answers(connection))

        async def ask(message: bytes) -> bytes:
            answer: bytes = (await connection.request(_SUBJECT, message, timeout=_TIMEOUT_S)).data
            return answer

        form = Form(
            ONE_BY_ONE,
            of_tasks(runner, ask, content),
            FEW,
            alone_in(runner, ask, content),
            note="two clients and the server between them",
        )
        report(_versions(server[0]), 3, [form], seconds)
        runner.run(connection.close())


def _versions(server: str) -> str:
    told = subprocess.run([server, "--version"], capture_output=True, text=True, check=True, timeout=10).stdout
    return f"{told.strip().rpartition('v')[2]} (nats-py {importlib.metadata.version('nats-py')})"


if __name__ == "__main__":
    main()
