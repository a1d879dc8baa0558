import os
from pathlib import Path

import pytest

from caxton.acl.envelope import Envelope
from caxton.acl.options import Lane
from caxton.client.routes.answers import Answers
from caxton.client.routes.batches import Batch
from caxton.client.session.session import Session
from caxton.errors import ResourceExhausted, ShardUnavailable, StorageError, Timeout
from caxton.ids import SESSION_BIT
from caxton.placement.slot_table import SlotTable
from caxton.store import books
from caxton.store.directory_lock import is_locked
from caxton.transport.endpoints import RuntimeDir
from caxton.transport.sockets import Outlet
from caxton.wire.calls import AskLedger
from caxton.wire.codec import CONTROL
from caxton.wire.control import Call, Topology
from caxton.wire.link_state import LinkState
from caxton.wire.shard_ledger import ShardLedger
from caxton.wire.supervision import SessionOpened

NUMBER = SESSION_BIT | 1


@pytest.fixture
def opened():
    mark = bytes(16)
    return SessionOpened(NUMBER, mark, b"key", Topology(0, mark, 1, SlotTable.even(1), [0], ["starting"]))


@pytest.fixture
def serving():
    """The same, with a worker that the client is to connect to."""
    mark = bytes(16)
    return SessionOpened(NUMBER, mark, b"key", Topology(0, mark, 1, SlotTable.even(1), [7], ["ready"]))


@pytest.fixture
def place(tmp_path_factory):
    path = tmp_path_factory.mktemp("c")
    assert len(os.fsencode(path)) < 80
    return RuntimeDir(path)


@pytest.mark.parametrize("inlet", ["data", "control"])
async def test_a_session_that_cannot_listen_leaves_nothing_behind(place, opened, inlet):
    """When one of its inlets cannot be bound, neither its lock nor a socket is left, and the error names the place."""
    Path(place.path, f"s-{NUMBER:016x}.{inlet}").mkdir()

    with pytest.raises(StorageError, match=f"{NUMBER:016x}.{inlet}: it cannot be bound"):
        Session(place, opened, Answers(), None)

    assert not is_locked(place.book(NUMBER))


async def test_a_session_without_sockets_for_its_workers_leaves_nothing_behind(place, serving, monkeypatch):
    """When a worker cannot be connected to, for want of descriptors, no lock is left, and the error says so."""
    made = []

    def outlet(context, endpoint):
        made.append(endpoint)
        if len(made) > 1:
            raise ResourceExhausted("open files of this process (ulimit -n)", 64)
        return Outlet(context, endpoint)

    monkeypatch.setattr("caxton.client.session.session.Outlet", outlet)
    with pytest.raises(ResourceExhausted, match="open files"):
        Session(place, serving, Answers(), None)

    assert len(made) == 2
    assert not is_locked(place.book(NUMBER))


async def test_a_call_says_for_how_long_its_caller_waits(place, serving, monkeypatch):
    """In whole milliseconds and at least one, so that a worker may pass over what nobody waits for any more."""
    frames = []
    monkeypatch.setattr(Outlet, "send", lambda _, frame: frames.append(bytes(frame)))
    session = Session(place, serving, Answers(), None)
    with pytest.raises(Timeout):
        await session.call(0, AskLedger(), ShardLedger, 60.0, session.loop.time())
    with pytest.raises(Timeout):
        await session.call(0, AskLedger(), ShardLedger, 60.0, session.loop.time() + 0.005)

    first, second = (call for call in map(CONTROL.decode, frames) if isinstance(call, Call))
    assert (first.timeout_ms, 1 <= second.timeout_ms <= 5) == (1, True)
    session.retire()


async def test_what_a_worker_says_after_the_end_settles_nothing(place, serving, monkeypatch):
    """A state that comes once the runtime is known to have ended is passed over: what it speaks of has ended."""
    session = Session(place, serving, Answers(), lambda: None)
    route = session._by_incarnation[7].volatile
    batch = Batch(1, "send", 60.0, session.loop)
    session.submit([(Envelope(bytes(16), 7, NUMBER, 5, b"x"), batch, 0, True)], Lane.VOLATILE)
    session.pump_due()
    session._lose_runtime("the runtime", "it ended", "start it and connect again")
    assert batch.left == 0
    state = LinkState(7, bytes(16), NUMBER, 0, 1, "", 1, 64, 1 << 20, 0, [], [], 0, 0)
    monkeypatch.setattr(session._inlets, "controls", lambda _enough: iter([state]))
    session._take_control()

    assert route.link.outgoing.acknowledged == 0
    session.retire()
    batch.cancel()


async def test_a_session_that_hears_of_a_drain_sends_nothing_more_and_says_so(place, serving):
    """What is sent in a drain is refused without leaving, and the session's book says which topology was heard."""
    session = Session(place, serving, Answers(), None)
    batch = Batch(1, "send", 60.0, session.loop)
    assert books.read(place.book(NUMBER)).counters["topology"] == 1

    session._heard_topology(Topology(0, bytes(16), 2, SlotTable.even(1), [7], ["draining"]))
    session.submit([(Envelope(bytes(16), 7, NUMBER, 5, b"x"), batch, 0, True)], Lane.VOLATILE)
    session.pump_due()

    assert [type(result) for result in batch.results] == [ShardUnavailable]
    book = books.read(place.book(NUMBER))
    assert book.counters["topology"] == 2
    assert book.emitted_to(7) == 0
    session.retire()
