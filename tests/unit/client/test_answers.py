import asyncio

import pytest

from caxton.client.answers import Answers
from caxton.client.batches import Batch, settled
from caxton.errors import NetworkError

GONE = NetworkError("worker of shard 0", "it ended before it answered")
LONG_S = 60.0


@pytest.fixture
def answers():
    return Answers()


def waiting(answers, *shards):
    """A batch with a request to each of these shards; the token of each is its place."""
    batch = Batch(len(shards), "request", LONG_S, asyncio.get_running_loop())
    for place, shard in enumerate(shards):
        answers.waiting[bytes([place])] = batch, place, shard
    return batch


async def test_requests_to_a_shard_whose_worker_ended_are_unknown(answers):
    """Every request that left for the shard of a worker that ended gets NetworkError."""
    batch = waiting(answers, 0, 0)
    answers.fail_shard(0, GONE)

    assert await settled(batch) == [GONE, GONE]
    assert answers.waiting == {}


async def test_requests_to_other_shards_wait_on(answers):
    """The end of one shard's worker ends no request to another."""
    batch = waiting(answers, 0, 1)
    answers.fail_shard(0, GONE)

    assert batch.results == [GONE, None]
    assert list(answers.waiting) == [bytes([1])]
    batch.cancel()


async def test_a_request_that_never_left_waits_for_the_next_worker(answers):
    """A request that was still waiting for room is not lost with the worker: nobody has to be told of it."""
    batch = waiting(answers, 0, 0)
    answers.fail_shard(0, GONE, {bytes([1])})

    assert batch.results == [GONE, None]
    assert list(answers.waiting) == [bytes([1])]
    batch.cancel()
