import asyncio
from collections import Counter

import pytest

from caxton.links.session import SessionMarks
from caxton.supervisor.workforce.heartbeats import HeartbeatInlet
from caxton.transport.endpoints import SUPERVISOR, RuntimeDir
from caxton.transport.sockets import Inlet, Outlet, end_context, new_context
from caxton.wire.codec import CONTROL
from caxton.wire.control import Drain, Happened, Heartbeat
from caxton.wire.events import EventView

MARKS = SessionMarks(bytes(32))


def beat(source, mark=None):
    return CONTROL.encode(Heartbeat(source, mark or MARKS.mark(source), 0, True, 0, True, {}))


@pytest.fixture
async def ears(short_dir):
    """An inlet's outlet, the queue of what it handed on, and what it dropped."""
    context = new_context()
    endpoint = RuntimeDir(short_dir).control(SUPERVISOR)
    heard, dropped = asyncio.Queue(), Counter()
    inlet = HeartbeatInlet(Inlet(endpoint), MARKS, heard.put_nowait, dropped)
    outlet = Outlet(context, endpoint)
    yield outlet, heard, dropped
    inlet.close()
    outlet.close()
    end_context(context)


async def test_only_marked_heartbeats_are_handed_on(ears):
    """Garbage, other words and heartbeats with another's mark are counted, each by its reason, and dropped."""
    outlet, heard, dropped = ears
    for frame in (b"garbage", b"", CONTROL.encode(Drain(5, MARKS.mark(5), 2)), beat(5, MARKS.mark(6)), beat(5)):
        outlet.send(frame)

    async with asyncio.timeout(30):
        assert (await heard.get()).source == 5
    assert heard.empty()
    assert dropped == {
        "frames that do not decode": 2,
        "frames that are no heartbeats": 1,
        "heartbeats with a wrong mark": 1,
    }


async def test_what_happened_is_handed_on_too(ears):
    """By its source's own mark alone."""
    outlet, heard, dropped = ears
    event = EventView("agent_paused", "info", "", 5)
    for mark in (MARKS.mark(6), MARKS.mark(5)):
        outlet.send(CONTROL.encode(Happened(5, mark, 0, [event])))

    async with asyncio.timeout(30):
        assert (await heard.get()).events == [event]
    assert dropped == {"heartbeats with a wrong mark": 1}


async def test_a_flood_is_taken_to_the_last(ears):
    """More frames than are taken in one go all arrive, in order."""
    outlet, heard, _ = ears
    for source in range(1, 1_001):
        outlet.send(beat(source))

    async with asyncio.timeout(30):
        assert [(await heard.get()).source for _ in range(1_000)] == list(range(1, 1_001))
