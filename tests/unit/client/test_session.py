import os
from pathlib import Path

import pytest

from caxton.client.routes.answers import Answers
from caxton.client.session.session import Session
from caxton.errors import StorageError
from caxton.ids import SESSION_BIT
from caxton.placement.slot_table import SlotTable
from caxton.store.directory_lock import is_locked
from caxton.transport.endpoints import RuntimeDir
from caxton.wire.control import Topology
from caxton.wire.supervision import SessionOpened

NUMBER = SESSION_BIT | 1


@pytest.fixture
def opened():
    mark = bytes(16)
    return SessionOpened(NUMBER, mark, b"key", Topology(0, mark, 1, SlotTable.even(1), [0], ["starting"]))


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
