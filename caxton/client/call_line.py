"""One question to the supervisor, one answer: for commands and whoever needs no session."""

import asyncio
from pathlib import Path

from caxton.client.supervisor_line import SupervisorLine
from caxton.wire.supervision import SupervisorRequest, SupervisorResult


def ask(runtime_dir: Path, request: SupervisorRequest, timeout_s: float) -> SupervisorResult:
    """Ask the supervisor of a runtime and return its answer, from code that has no event loop.

    Raises what the supervisor answers as an error; RuntimeNotFound when none serves there, Timeout (seconds) when it
    does not answer, NetworkError when it ends first.
    """
    return asyncio.run(ask_soon(runtime_dir, request, timeout_s))


async def ask_soon(runtime_dir: Path, request: SupervisorRequest, timeout_s: float) -> SupervisorResult:
    """Do what `ask` does, inside an event loop."""
    line = SupervisorLine(runtime_dir)
    try:
        return await line.ask(request, timeout_s)
    finally:
        line.close()
