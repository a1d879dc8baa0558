"""Has every worker that serves say at once how its shard stands, instead of with its next heartbeat."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from caxton.wire.control import Heartbeat

# For how long, in seconds, workers are waited for at most: one may be in a turn.
ANSWER_S = 2.0


class RollCall:
    """Lives in the supervisor's loop. ready: the shards whose workers serve. ask: tells all workers a call's number."""

    def __init__(self, shards: int, ready: Callable[[], Iterable[int]], ask: Callable[[int], None]) -> None:
        self._shards = range(shards)
        self._ready = ready
        self._ask = ask
        self._number = 0
        # Of each call: the shards that have not answered, and whether all have.
        self._calls: dict[int, tuple[set[int], asyncio.Event]] = {}

    def heard(self, beat: Heartbeat) -> None:
        """Take a heartbeat of a worker that is there."""
        for number, (missing, answered) in self._calls.items():
            if beat.asked >= number:
                missing.discard(beat.shard)
                if not missing:
                    answered.set()

    async def call(self, timeout_s: float = ANSWER_S) -> list[int]:
        """Return when each has answered, or after `timeout_s`: the shards that have not, or have no worker now."""
        self._number += 1
        number, ready, answered = self._number, {*self._ready()}, asyncio.Event()
        missing = {*ready}
        self._calls[number] = missing, answered
        try:
            if missing:
                self._ask(number)
                with suppress(TimeoutError):
                    async with asyncio.timeout(timeout_s):
                        await answered.wait()
        finally:
            del self._calls[number]
        return [shard for shard in self._shards if shard in missing or shard not in ready]
