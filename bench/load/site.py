"""A runtime with a crowd of agents, some of which take part in a load: what stretches are measured on."""

import time
from collections.abc import Callable, Sequence

import psutil

from bench.guests.crowd import register
from bench.guests.echo import requests_to, wake
from bench.load.latencies import Latencies
from bench.load.series import Setting
from bench.load.stretch import Course, Stretch
from caxton.acl.message import Message
from caxton.client.client import Client

# So few are woken at a time that none of them waits long, also where every one of 100,000 gets a sandbox.
_WOKEN_AT_ONCE = 5_000
_KB = 1_000


class Site:
    """One client's runtime. register_per_s, registered_kb_each: of its agents, in the workers' resident memory."""

    def __init__(self, client: Client, settings: Sequence[Setting]) -> None:
        self._client = client
        self._settings = settings
        self._requests: dict[Setting, list[Message]] = {}
        self._course: Course
        self.register_per_s = 0
        self.registered_kb_each = 0.0

    async def fill(self, show: Callable[[int], None]) -> None:
        """Register the crowd, and let whoever takes part in any of the settings answer once.

        show: told how many are registered. Raises the error of the first that is refused or does not answer.
        """
        workers = [psutil.Process(worker.pid) for worker in (await self._client.health()).workers]
        count = self._settings[0].crowd.registered
        resident_bytes, began_s = _resident(workers), time.perf_counter()
        agents = await register(self._client, 0, count, show)
        self.register_per_s = round(count / (time.perf_counter() - began_s))
        self.registered_kb_each = round((_resident(workers) - resident_bytes) / count / _KB, 2)
        for setting in self._settings:
            self._requests[setting] = requests_to(agents[: setting.agents], setting.payload)
        largest = self._requests[max(self._settings, key=lambda setting: setting.agents)]
        for start in range(0, len(largest), _WOKEN_AT_ONCE):
            await wake(self._client, largest[start : start + _WOKEN_AT_ONCE])
        self._course = await Course.begin(self._client)

    async def run(self, setting: Setting, seconds: float, show: Callable[[float, int], None]) -> tuple[Stretch, int]:
        """Measure one of the settings for so many seconds; returns also how many messages had no answer."""
        unanswered = self._course.refused + self._course.unknown
        stretch = await self._course.run(self._requests[setting], setting.window, seconds, Latencies(), show)
        return stretch, self._course.refused + self._course.unknown - unanswered

    async def counts(self) -> dict[str, int]:
        """Return what became of all that was sent, and what the runtime counts as lost or as too much."""
        stats = await self._client.stats()
        by_runtime = {"lost_by_stats": stats.lost["total"], "session_full": stats.totals.get("session_full", 0)}
        return {**self._course.counts(), **by_runtime}


def _resident(workers: Sequence[psutil.Process]) -> int:
    return sum(worker.memory_info().rss for worker in workers)
