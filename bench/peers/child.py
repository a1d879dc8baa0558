"""One peer in a child process with a deadline: a peer that hangs or crashes is a row of the table, not its end."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.peers.catalogue import Peer
from bench.peers.surroundings import surroundings

Row = dict[str, Any]

OK, FAILED, NOT_INSTALLED, NO_SUCH_FORM = "ok", "failed", "not installed", "no such form"
_ROOT = Path(__file__).parents[2]
_STOP_TIMEOUT_S = 10.0
# Whatever ends the bench, what it started is told to end as well.
_ENDS_WITH_US = (sys.executable, "-m", "caxton.client.own_runtime")
_IN_OWN_NETWORK = (sys.executable, "-m", "bench.peers.loopback")


def run(peer: Peer, payload: int, seconds: float, deadline_s: float) -> list[Row]:
    """Measure one peer and return its rows, one for each form; or one row that says why there is none.

    The child has ended when this returns or raises, and all that it started.
    """
    if not peer.is_installed:
        return [row_of(peer, NOT_INSTALLED, install=peer.install)]
    network = _IN_OWN_NETWORK if peer.own_network else ()
    command = [*_ENDS_WITH_US, str(os.getpid()), *network, *peer.command, str(payload), str(seconds)]
    with surroundings() as environment:
        folder = Path(environment["TMPDIR"])
        problem = _run(command, environment, folder, deadline_s)
        if problem:
            return [row_of(peer, FAILED, reason=problem)]
        try:
            told = json.loads(_last_line(folder / "stdout"))
            common = {"version": told["version"], "processes": told["processes"]}
            return [row_of(peer, OK, **(common | row)) for row in told["rows"]]
        except (ValueError, KeyError, TypeError) as error:
            return [row_of(peer, FAILED, reason=f"its result cannot be read: {error!r:.200}")]


def _run(command: list[str], environment: dict[str, str], folder: Path, deadline_s: float) -> str:
    """Run a command, its output in files of that folder, and return what went wrong; nothing if it ended well."""
    # Files, for a daemon that was left behind would keep a pipe open.
    with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
        child = subprocess.Popen(
            command,
            cwd=_ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C is for the bench, which then tells its child
        )
        try:
            code = child.wait(deadline_s)
        except subprocess.TimeoutExpired:
            return f"no result within {deadline_s:g} s"
        finally:
            _end(child)
    if code == 0:
        return ""
    return f"exit code {code}: {_last_line(folder / 'stderr')}"


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "")[:4_000]


def row_of(peer: Peer, status: str, **more: Any) -> Row:
    """Return a row with all columns; those that are not known are None."""
    known = {"peer": peer.name, "status": status, **more}
    columns = ("version", "form", "per_s", "computing_us", "under_way", "latency_us", "processes", "note")
    return dict.fromkeys(("peer", *columns, "status")) | known
