"""A recorder: a process of its own with attached agents that note on the disk what they are given, before its end."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import uvloop

import caxton
from caxton.client.attached.turns import Delivered
from caxton.errors import CaxtonError
from faultlab.journals import Journal, Recorded
from faultlab.serial import Serial
from faultlab.telling import Told, tell

_RECONNECT_S = 0.05


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a recorder does. names: its agents. slow_s: how long each handler takes besides.

    stays: a handler that has recorded does not end, so that nothing of what it recorded is committed.
    """

    runtime_dir: str
    journal: str
    names: list[str]
    mailbox_capacity: int = 1_000
    slow_s: float = 0.0
    stays: bool = False


def main(plan: str) -> None:
    """Record until standard input ends."""
    uvloop.run(_Recorder(msgspec.json.decode(plan, type=Plan)).run())


class _Recorder:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._journal = Journal(Path(plan.journal))
        self._foreign = 0

    async def run(self) -> None:
        """Attach, again and again while there is no runtime, and record."""
        async with Told() as told:
            while not told.finish.is_set():
                try:
                    await self._stay(told.finish)
                except (CaxtonError, ExceptionGroup) as error:
                    tell("detached", why=repr(error))
                    await asyncio.sleep(_RECONNECT_S)
        self._journal.close()
        tell("recorded all", foreign=self._foreign)

    async def _stay(self, finish: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(caxton.connect(self._plan.runtime_dir, reconnect=False))
            for name in self._plan.names:
                attached = client.attach(name, self._record, batch=True, mailbox_capacity=self._plan.mailbox_capacity)
                await stack.enter_async_context(attached)
            tell("attached", names=self._plan.names)
            await finish.wait()

    async def _record(self, deliveries: list[Delivered]) -> None:
        at_ns = time.monotonic_ns()
        found = []
        for each in deliveries:
            serial = Serial.ending(each.message.content)
            if serial is None:
                self._foreign += 1
            else:
                found.append(Recorded(serial, bytes(each.message.message_id), each.delivery_count, at_ns))
        if self._plan.slow_s:
            await asyncio.sleep(self._plan.slow_s)
        self._journal.append_recorded(found)
        tell("recorded", count=len(found))
        if self._plan.stays:
            await asyncio.Event().wait()
