"""Tells the supervisor, each second, what its audit is to say of who came. No request waits for that."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path

from caxton.client.call_line import ask_soon
from caxton.errors import CaxtonError
from caxton.gateway.access.notes import AccessNotes
from caxton.wire.audit import AccessNote, NoteAccess

log = logging.getLogger("caxton.gateway")

PERIOD_S, TIMEOUT_S = 1.0, 2.0


@asynccontextmanager
async def noting(runtime_dir: Path, notes: AccessNotes) -> AsyncIterator[None]:
    """Tell what is noted, inside of the block, and the rest at its end."""
    async with asyncio.TaskGroup() as tasks:
        telling = tasks.create_task(_tell_for_ever(runtime_dir, notes))
        try:
            yield
        finally:
            telling.cancel()
            if last := notes.take(inf):
                await _tell(runtime_dir, last)


async def _tell_for_ever(runtime_dir: Path, notes: AccessNotes) -> None:
    untold: list[AccessNote] = []
    while True:
        await asyncio.sleep(PERIOD_S)
        untold = untold or notes.take(time.monotonic())
        if untold and await _tell(runtime_dir, untold):
            untold = []


async def _tell(runtime_dir: Path, notes: list[AccessNote]) -> bool:
    """Tell some; False when they could not be told."""
    try:
        await ask_soon(runtime_dir, NoteAccess(notes), TIMEOUT_S)
    except CaxtonError as error:
        log.warning("the audit was not told of %d denials and sign-ins: %s", len(notes), error)
        return False
    return True
