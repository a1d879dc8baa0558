"""One laboratory: a runtime, its cast, writers and recorders in processes of their own, and what they noted."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, NamedTuple, ParamSpec, Self, TypeVar

import msgspec

from caxton.client.client import Client
from caxton.errors import CaxtonError, Timeout
from caxton.store.ledger import Ledger
from faultlab import recorder, writer
from faultlab.cast import deploy_relay, name_on
from faultlab.checker import Verdict, acknowledged_of, judge, uncovered
from faultlab.child import Child
from faultlab.commands import python
from faultlab.journals import Recorded, RecordedReading, Sent, SentReading
from faultlab.serial import Serial
from faultlab.served import Served

SETTLE_TIMEOUT_S = 60.0
_LOOK_PERIOD_S = 0.05
# When nothing more has arrived for so long, it is time to look into the dead letters.
_STILL_S = 1.0
T = TypeVar("T")
P = ParamSpec("P")


class Place(NamedTuple):
    """The agents of one shard."""

    shard: int
    recorder: str
    relay: str


class Lab:
    """Inside a `with`: the runtime serves, relays are deployed, recorders record. Writers are started by the case."""

    def __init__(
        self, workers: int = 2, *, deadly: str = "", options: tuple[object, ...] = (), recording: bool = True
    ) -> None:
        self.work = Path(tempfile.mkdtemp(prefix="fl-", dir="/tmp"))
        self.served = Served(self.work, workers, deadly=deadly, options=("--restart-limit", 1_000, *options))
        self.shards = workers
        self.places: list[Place] = []
        self.children: list[Child] = []
        self.sent: list[Sent] = []
        self.recorded: list[Recorded] = []
        self._recording = recording
        self._apart: dict[int, SentReading] = {}
        self._readings: list[SentReading | RecordedReading] = []
        self._acknowledged: set[Serial] = set()
        self._arrived: set[Serial] = set()

    def __enter__(self) -> Self:
        try:
            self.served.start()
            self.places = asyncio.run(self._furnish())
            if self._recording:
                self.start_recorder([place.recorder for place in self.places])
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(self.served.log.read_text(errors="replace")[-4_000:])
        self.close()

    def close(self) -> None:
        """End every process and remove the directory."""
        for child in self.children:
            child.kill()
        self.served.close()

    # ---- the cast

    def start_recorder(self, names: list[str], **plan: Any) -> Child:
        """Start a recorder with these agents, and wait until they are attached."""
        journal = self.work / f"recorder-{len(self.children)}"
        settings = recorder.Plan(runtime_dir=str(self.served.runtime_dir), journal=str(journal), names=names, **plan)
        child = self._start("recorder", settings)
        self._readings.append(RecordedReading(journal))
        child.event("attached")
        return child

    def start_writer(
        self, targets: list[tuple[str, int, str]] | None = None, *, apart: bool = False, **plan: Any
    ) -> Child:
        """Start a writer to these targets (without any: to every recorder, straight and through a relay elsewhere).

        apart: the case judges itself what was sent.
        """
        number = len(self.children)
        journal = self.work / f"writer-{number}"
        settings = writer.Plan(
            runtime_dir=str(self.served.runtime_dir),
            journal=str(journal),
            writer=number,
            targets=targets or [*self.straight(), *self.relayed()],
            **plan,
        )
        child = self._start("writer", settings)
        if apart:
            self._apart[number] = SentReading(journal)
        else:
            self._readings.append(SentReading(journal))
        child.event("opened")
        return child

    def straight(self) -> list[tuple[str, int, str]]:
        """Return the recorders as targets of a writer."""
        return [(place.recorder, place.shard, "") for place in self.places]

    def relayed(self) -> list[tuple[str, int, str]]:
        """Return the relays as targets: each passes on to a recorder of the next shard."""
        after = [*self.places[1:], self.places[0]]
        return [(place.relay, place.shard, next_.recorder) for place, next_ in zip(self.places, after, strict=True)]

    def ask(
        self, question: Callable[Concatenate[Client, P], Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Open a session, await what is asked of it (a method of Client, or a function of ours), and close it."""

        async def asked() -> T:
            async with Client(self.served.runtime_dir) as client:
                return await question(client, *args, **kwargs)

        return asyncio.run(asked())

    # ---- what came of it

    def finish(self, *writers: Child) -> None:
        """Let writers finish what is under way. Raises Timeout."""
        for child in writers:
            child.finish()

    def collect(self) -> None:
        """Read what the journals got since the last time."""
        for reading in self._readings:
            if isinstance(reading, SentReading):
                new = reading.new()
                self.sent += new
                self._acknowledged |= acknowledged_of(new)
            else:
                recorded = reading.new()
                self.recorded += recorded
                self._arrived |= {each.serial for each in recorded}

    def apart(self, writer: Child) -> list[Sent]:
        """Return what a writer apart sent since the last time."""
        return self._apart[self.children.index(writer)].new()

    def missing(self) -> set[Serial]:
        """Return what was acknowledged and not recorded so far."""
        self.collect()
        return self._acknowledged - self._arrived

    def settle(self, timeout_s: float = SETTLE_TIMEOUT_S) -> Verdict:
        """Wait until nothing is missing that is not in the dead letters, or time is over; then judge.

        The verdict comes after the ledger says that nothing is pending, so that what might come twice has come.
        """
        moved_s = time.monotonic()
        give_up_s, before, dead = moved_s + timeout_s, -1, set[Serial]()
        while (missing := self.missing() - dead) and (now_s := time.monotonic()) < give_up_s:
            if len(missing) != before:
                before, moved_s = len(missing), now_s
            elif now_s > moved_s + _STILL_S:
                dead, moved_s = self._dead(), now_s
            time.sleep(_LOOK_PERIOD_S)
        if not missing:
            self.until(self._nothing_pending, "nothing is pending", max(5.0, give_up_s - time.monotonic()))
        self.collect()
        return judge(self.sent, self.recorded, dead | self._dead())

    def uncovered(self) -> list[Serial]:
        """Return what was acknowledged before an fdatasync could have covered it."""
        self.collect()
        return uncovered(self.sent, self.served.shadow.syncs())

    def ledger(self) -> Ledger:
        """Return the books of the runtime, which must agree with ours."""
        return self.ask(Client.ledger)

    def until(self, claim: Callable[[], object], what: str, timeout_s: float) -> None:
        """Look again and again until the claim holds; raises Timeout."""
        give_up_s = time.monotonic() + timeout_s
        while not self._true(claim):
            if time.monotonic() > give_up_s:
                raise Timeout(f"waiting until {what}", timeout_s)
            time.sleep(_LOOK_PERIOD_S)

    def acknowledged_after(self, writer: Child, moment_ns: int, shard: int | None = None) -> float:
        """Wait for the first call that began after a moment and was acknowledged; returns the seconds in between."""
        event = writer.event(
            "batch",
            lambda batch: (
                batch["sent_ns"] > moment_ns and batch["acknowledged"] > 0 and shard in {None, batch["shard"]}
            ),
            timeout_s=SETTLE_TIMEOUT_S,
        )
        return float(event["ended_ns"] - moment_ns) / 1e9

    def _nothing_pending(self) -> bool:
        ledger = self.ledger()
        return not ledger.whole.pending and not ledger.whole.in_flight

    def _dead(self) -> set[Serial]:
        async def letters(client: Client) -> set[Serial]:
            found = [Serial.ending(letter.message.content) async for letter in client.dead_letters(with_content=True)]
            return {serial for serial in found if serial is not None}

        return self.ask(letters)

    @staticmethod
    def _true(claim: Callable[[], object]) -> bool:
        try:
            return bool(claim())
        except CaxtonError:
            return False

    def _start(self, module: str, plan: msgspec.Struct) -> Child:
        name = f"{module} {len(self.children)}"
        child = Child(name, python(module, msgspec.json.encode(plan).decode()), self.served.log)
        self.children.append(child)
        return child

    async def _furnish(self) -> list[Place]:
        async with Client(self.served.runtime_dir) as client:
            places = [
                Place(shard, *(name_on(client, self.shards, shard, prefix) for prefix in ("recorder", "relay")))
                for shard in range(self.shards)
            ]
            for place in places:
                await deploy_relay(client, place.relay)
        return places
