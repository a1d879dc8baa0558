"""A writer: a process of its own that sends durable messages and notes what became of each, whatever happens to others.

It keeps its session while the runtime lives, and opens another when it has ended. No message is sent twice.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import uvloop

import caxton
from caxton.acl.message import Message
from caxton.client.client import Client
from caxton.errors import CaxtonError, NetworkError, Timeout
from faultlab.journals import Journal, Outcome, Sent
from faultlab.serial import Serial, relayed
from faultlab.telling import Told, tell

_RECONNECT_S = 0.05


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a writer does, as it is given to its process.

    targets: (receiver, shard of it, recorder that it passes on to or ""). batch: messages in one call; window: calls
    under way. count: messages in all, None: until it is told to finish. timeout_s: of one call.
    """

    runtime_dir: str
    journal: str
    writer: int
    targets: list[tuple[str, int, str]]
    batch: int = 64
    window: int = 4
    count: int | None = None
    timeout_s: float = 20.0
    pause_s: float = 0.0


def main(plan: str) -> None:
    """Write until all is written, or standard input ends."""
    uvloop.run(_Writer(msgspec.json.decode(plan, type=Plan)).run())


class _Writer:
    """The calls under way share the session, the journal and the numbers."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._journal = Journal(Path(plan.journal))
        self._next = 0
        self._finish = asyncio.Event()
        self._turns = 0
        self._line = _Line(Path(plan.runtime_dir), self._finish)

    async def run(self) -> None:
        """Send, and tell of every call that ended."""
        async with Told() as told:
            self._finish = self._line.finish = told.finish
            await self._line.client()
            tell("opened")
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self._plan.window):
                    tasks.create_task(self._go_on())
        self._line.close()
        self._journal.close()
        tell("written", numbers=self._next)

    async def _go_on(self) -> None:
        plan = self._plan
        while not self._finish.is_set() and (plan.count is None or self._next < plan.count):
            target = plan.targets[self._turns % len(plan.targets)]
            self._turns += 1
            size = plan.batch if plan.count is None else min(plan.batch, plan.count - self._next)
            serials = [Serial(plan.writer, self._next + n) for n in range(size)]
            self._next += size
            await self._send(target, serials)
            if plan.pause_s:
                await asyncio.sleep(plan.pause_s)

    async def _send(self, target: tuple[str, int, str], serials: Sequence[Serial]) -> None:
        receiver, shard, through = target
        client = await self._line.client()
        if client is None:
            return
        agent = client.id_of(receiver)
        contents = [serial.encode() for serial in serials]
        if through:
            contents = [relayed(through, content) for content in contents]
        sent_ns = time.monotonic_ns()
        try:
            results: Sequence[object] = await client.send_batch(
                [Message(agent, content) for content in contents], timeout_s=self._plan.timeout_s
            )
        except CaxtonError as error:
            results = [error] * len(serials)
        ended_ns = time.monotonic_ns()
        outcomes = [outcome_of(result) for result in results]
        self._journal.append_sent(
            [Sent(serial, outcome, shard, sent_ns, ended_ns) for serial, outcome in zip(serials, outcomes, strict=True)]
        )
        self._tell(shard, sent_ns, ended_ns, outcomes, results)
        if not outcomes.count(Outcome.ACKNOWLEDGED):
            await asyncio.sleep(_RECONNECT_S)  # whatever is wrong, asking faster does not help
        if any(isinstance(result, NetworkError | Timeout) for result in results):
            self._line.drop(client)

    def _tell(
        self, shard: int, sent_ns: int, ended_ns: int, outcomes: Sequence[Outcome], results: Sequence[object]
    ) -> None:
        errors = Counter(f"{result!r:.120}" for result in results if isinstance(result, CaxtonError))
        tell(
            "batch",
            shard=shard,
            sent_ns=sent_ns,
            ended_ns=ended_ns,
            acknowledged=outcomes.count(Outcome.ACKNOWLEDGED),
            refused=outcomes.count(Outcome.REFUSED),
            unknown=outcomes.count(Outcome.UNKNOWN),
            errors=dict(errors),
        )


class _Line:
    """The present session, and the next one."""

    def __init__(self, runtime_dir: Path, finish: asyncio.Event) -> None:
        self.finish = finish
        self._runtime_dir = runtime_dir
        self._client: Client | None = None
        self._opening = asyncio.Lock()

    async def client(self) -> Client | None:
        """Return an open client, waiting for a runtime; None when it is time to finish."""
        async with self._opening:
            while self._client is None and not self.finish.is_set():
                try:
                    self._client = await caxton.connect(self._runtime_dir, reconnect=False).__aenter__()
                except CaxtonError:
                    await asyncio.sleep(_RECONNECT_S)
            return self._client

    def drop(self, client: Client) -> None:
        """Close a session with which something went wrong; the others of its calls end too."""
        if client is self._client:
            self._client = None
            client.close()

    def close(self) -> None:
        """Close the session."""
        if self._client is not None:
            self._client.close()


def outcome_of(result: object) -> Outcome:
    """Return what a result of `send_batch` says of its message."""
    if isinstance(result, Timeout | NetworkError):
        return Outcome.UNKNOWN
    return Outcome.REFUSED if isinstance(result, CaxtonError) else Outcome.ACKNOWLEDGED
