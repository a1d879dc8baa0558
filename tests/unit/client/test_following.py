"""A shard that is asked again and again: what passes, and what is the end."""

import asyncio

import pytest

from caxton.client.calls import following as room
from caxton.client.calls.following import Following
from caxton.errors import AgentNotFound, NetworkError, ResourceExhausted, ShardUnavailable, Timeout
from caxton.wire.calls import Done
from caxton.wire.watching import EndWatch

GONE = NetworkError("worker of shard 0", "it ended before it answered")
PASSING = [GONE, Timeout("Watch", 20.0), ShardUnavailable(0, "draining")]


class Line:
    """A line to a shard that answers what it is told to, one after the other."""

    def __init__(self):
        self.loop, self.over, self.answers = asyncio.get_running_loop(), None, []

    async def call(self, _shard, _request, _answer, _timeout_s):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
async def line(monkeypatch):
    monkeypatch.setattr(room, "PAUSE_S", 0.0)
    return Line()


@pytest.fixture
def ask(line):
    following = Following(line, 0, Done)

    async def asked(*answers):
        line.answers = [*answers]
        return await following.ask(EndWatch(1), 0)

    return asked


async def test_an_error_before_the_first_answer_is_told_at_once(ask):
    """Nobody waits a minute for what was never there."""
    for error in PASSING:
        with pytest.raises(type(error)):
            await ask(error, Done())


async def test_it_goes_on_while_a_worker_is_restarted(ask):
    """However its shard says that it does not serve."""
    await ask(Done())
    assert await ask(*PASSING, *PASSING, Done()) == Done()


async def test_that_there_is_no_room_is_told_once_and_tried_again(ask):
    """Until there is an answer; then again the next time. Before the first answer it is the end."""
    full = ResourceExhausted("calls that wait for news", 512)
    with pytest.raises(ResourceExhausted):
        await ask(full)
    await ask(Done())
    for _ in range(2):
        assert await ask(full, Done()) is full
        assert await ask(full, GONE, full, Done()) == Done()


async def test_its_patience_with_a_shard_without_room_ends(ask, monkeypatch):
    """With that error."""
    await ask(Done())
    monkeypatch.setattr(room, "PATIENCE_S", 0.0)
    with pytest.raises(ResourceExhausted):
        await ask(ResourceExhausted("calls that wait for news", 512), Done())


async def test_what_does_not_pass_is_the_end(ask, line):
    """An answer that is an error, a shard that nobody will serve, and a runtime that is gone."""
    await ask(Done())
    for error in (AgentNotFound("tally"), ShardUnavailable(0, "failed"), ShardUnavailable(0, "quarantined")):
        with pytest.raises(type(error)):
            await ask(error, Done())
    line.over = GONE
    with pytest.raises(NetworkError):
        await ask(GONE, Done())


async def test_its_patience_ends(ask, monkeypatch):
    """With the last error."""
    await ask(Done())
    monkeypatch.setattr(room, "PATIENCE_S", 0.0)
    with pytest.raises(Timeout):
        await ask(Timeout("Watch", 20.0), Done())
