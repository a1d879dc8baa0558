"""How long operators and a neighbour wait in a storm: 10,000 dead letters at a time, beside agents that are busy."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import caxton.guests
from caxton.client.client import Client
from caxton.errors import CaxtonError
from caxton.testing import ServedRuntime, eventually
from caxton.wire.calls import MAX_BATCH
from faultlab.child import Child
from faultlab.commands import python
from faultlab.hostile.raging import FAILING
from faultlab.hostile.trial import Tried, peak_of

# docs/security.md promises operators an answer within it.
WITHIN_S = 1.0
_TIMEOUT_S = 30.0
# From when on it rages: the dead letters of agents reach their half of the capacity soon after.
_LETTERS = 10_000
_ECHO = Path(caxton.guests.__file__).with_name("echo.wasm")


class Storm:
    """Of one runtime with one worker, whose client this is. answered: of each call, how long each time took."""

    def __init__(self, served: ServedRuntime, client: Client) -> None:
        self._served = served
        self._client = client
        self.answered: dict[str, list[float]] = {}
        self._problems: dict[str, str] = {}
        self._seen: list[str] = []
        self._rounds = 0

    async def rage(self, seconds: float) -> list[Tried]:
        """Let it rage for so many seconds, or until no agent that fails is left; returns a row for each call.

        Each round of all calls removes one of these, and there is one round at least.
        A row has the longest that the call was waited for, and holds if it was answered within a second each time.
        """
        await self._client.deploy("neighbour", _ECHO)
        log = self._served.data_dir / "raging"
        child = Child("the storm", python("hostile.raging", self._served.runtime_dir), log)
        try:
            await asyncio.to_thread(child.event, "raging")
            await eventually(self._has_begun, _TIMEOUT_S)
            ends_s = time.monotonic() + seconds
            while not self._rounds or (time.monotonic() < ends_s and self._rounds < FAILING):
                await self._round()
        finally:
            child.kill()
        peak_mib = peak_of(await self._served.worker_pid(0))
        return [self._row(call, max(took_s), peak_mib) for call, took_s in self.answered.items()]

    def _row(self, call: str, longest_s: float, peak_mib: float) -> Tried:
        outcome = self._problems.get(call) or ("answered" if longest_s <= WITHIN_S else "answered late")
        return Tried(f"in a storm, {call}", "", "", outcome, longest_s, peak_mib, 0, outcome == "answered")

    async def _has_begun(self) -> bool:
        return (await self._client.dead_letter_stats()).total_messages >= _LETTERS

    async def _round(self) -> None:
        client, agent = self._client, f"failing-{self._rounds}"
        self._rounds += 1
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "request": lambda: client.request("neighbour", b"hello", timeout_s=_TIMEOUT_S),
            "send": lambda: client.send("neighbour", b"hello", timeout_s=_TIMEOUT_S),
            "stats": client.stats,
            "health": client.health,
            "inspect": lambda: client.inspect(agent),
            "dead letter stats": client.dead_letter_stats,
            "list": self._look_at_some,
            "purge": lambda: client.purge(self._seen),
            "pause": lambda: client.pause(agent),
            "resume": lambda: client.resume(agent),
            "stop": lambda: client.stop(agent),
            "remove": lambda: client.remove(agent),
            "deploy": lambda: client.deploy(f"late-{self._rounds}", _ECHO),
        }
        for name, call in calls.items():
            await self._timed(name, call)

    async def _look_at_some(self) -> None:
        """Look at the oldest letters, as many as one call tells."""
        self._seen = [letter.id async for letter in self._client.dead_letters(limit=MAX_BATCH)]

    async def _timed(self, name: str, call: Callable[[], Awaitable[object]]) -> None:
        began_s = time.monotonic()
        try:
            await call()
        except CaxtonError as error:
            self._problems[name] = f"{type(error).__name__}: {error}"
        self.answered.setdefault(name, []).append(time.monotonic() - began_s)
