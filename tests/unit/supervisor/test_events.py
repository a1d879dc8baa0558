"""Telling what happens, to somebody at whom it fails."""

import asyncio
import os
import signal
from collections import Counter

from caxton.supervisor.events import UNTOLD, Event, Telling, compiler_died, stopped


def test_telling_never_fails():
    """What cannot be told is counted, and kept as all else is, and whoever tells goes on."""
    told, kept, dropped = [], [], Counter()

    def tell(event):
        if event.name == "worse":
            raise OSError(28, "No space left on device")
        told.append(event)

    telling = Telling(tell, dropped, kept.append)
    telling(Event("worse", "error", "worse"))
    telling(compiler_died("killed"))

    assert [event.name for event in told] == ["compiler_died"]
    assert [event.name for event in kept] == ["worse", "compiler_died"]
    assert dropped == {UNTOLD: 1}


async def test_a_worker_is_replaced_though_nobody_can_be_told(run):
    """When no event can be told, a runtime serves, replaces a killed worker, and counts the events in its stats."""
    running = run(workers=1)
    ready = asyncio.Event()

    def tell(event):
        if event.name == "ready":
            ready.set()
        raise OSError(28, "No space left on device")

    running.supervisor.tell = tell
    await ready.wait()
    before = (await running.health())["workers"][0]
    os.kill(before["pid"], signal.SIGKILL)
    await running.until(
        running.health,
        lambda now: now["status"] == "healthy" and now["workers"][0]["incarnation"] > before["incarnation"],
    )

    stats = await running.until(running.stats, lambda stats: stats["dropped_by_supervisor"][UNTOLD] >= 3)
    assert stats["workers"][0]["state"] == "ready"


def test_what_killed_a_worker_is_told():
    """A worker that did not end by itself was killed at the deadline, or by whoever insisted."""
    assert "killed at the deadline: shards 1" in stopped(0, [1], insisted=False).text
    assert "killed at the second signal: shards 1" in stopped(0, [1], insisted=True).text
    assert "killed" not in stopped(0, [], insisted=True).text
