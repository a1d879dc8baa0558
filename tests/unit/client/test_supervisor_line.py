import asyncio
import os

import pytest

from caxton.client.supervisor_line import SupervisorLine
from caxton.errors import NetworkError
from caxton.store.directory_lock import DirectoryLock
from caxton.wire.supervision import AskHealth


@pytest.fixture
def served(tmp_path_factory):
    """A directory whose supervisor is there and silent."""
    path = tmp_path_factory.mktemp("c")
    assert len(os.fsencode(path)) < 80
    lock = DirectoryLock(path)
    yield path
    lock.close()


class Turns:
    """Supervisors that serve one after the other, of one process."""

    def __init__(self, path):
        self.path = path
        self.lock = DirectoryLock(path)

    def take_over(self):
        self.lock.close()
        self.lock = DirectoryLock(self.path)


@pytest.fixture
def served_by_turns(tmp_path_factory):
    turns = Turns(tmp_path_factory.mktemp("c"))
    yield turns
    turns.lock.close()


async def test_closing_ends_what_waits(served, one_turn_of_the_loop):
    """Whoever waits for an answer when the line is closed gets NetworkError at once; closing twice is fine."""
    line = SupervisorLine(served)
    waiting = [asyncio.get_running_loop().create_task(line.ask(AskHealth(), 60.0)) for _ in range(2)]
    await one_turn_of_the_loop()
    line.close()
    line.close()

    async with asyncio.timeout(30):
        results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [NetworkError, NetworkError]


async def test_a_closed_line_says_so(served):
    """Asking over a line that was closed is a NetworkError."""
    line = SupervisorLine(served)
    line.close()
    with pytest.raises(NetworkError, match="closed"):
        await line.ask(AskHealth(), 60.0)


async def test_a_successor_of_the_same_pid_is_another_supervisor(served_by_turns, one_turn_of_the_loop):
    """Whoever waits is told when the supervisor that it asked has ended, also when another one serves already."""
    line = SupervisorLine(served_by_turns.path)
    waiting = asyncio.get_running_loop().create_task(line.ask(AskHealth(), 60.0))
    await one_turn_of_the_loop()
    served_by_turns.take_over()

    async with asyncio.timeout(30):
        with pytest.raises(NetworkError, match="ended before it answered"):
            await waiting
    line.close()
