"""Requests whose answer the next worker is asked for, since the last one owed it."""

import pytest

from caxton.acl.options import Lane
from caxton.client.routes.durable_route import (
    MOST_AGE_OF_A_KEY_S,
    TICKS_TO_BE_TOLD,
)
from caxton.client.routes.receipts import Receipt
from caxton.errors import NetworkError
from caxton.wire.link_state import Refusal

KNOWN = Refusal(1, 1, "AlreadyAccepted", {"agent": "x"})


def ticks(client, count, now_s=0.0):
    """So many ticks; returns whether anything was to be asked again at any of them."""
    again = False
    for _ in range(count):
        client.durable.tick()
        again = client.durable.ask_again_for_answers(now_s) or again
        client.durable.send()
    return again


@pytest.mark.parametrize("told_by", ["the old one", "the new one"])
async def test_a_request_that_waits_for_anothers_answer_goes_again(client, told_by):
    """The next worker is asked for the answer that the last one owed, once, whichever of them said that it is known."""
    client.start()
    client.request()
    if told_by == "the old one":
        client.told(1, refusals=[KNOWN])
    assert not ticks(client, TICKS_TO_BE_TOLD)
    client.sent()
    client.start(taken=1)
    if told_by == "the new one":
        client.told(1, refusals=[KNOWN])
    assert client.sent() == []
    assert ticks(client, TICKS_TO_BE_TOLD)
    assert client.sent() == [(2, False, [b"q"])]
    client.told(2)
    assert not ticks(client, TICKS_TO_BE_TOLD)


async def test_what_is_on_its_way_is_awaited_first(client):
    """A request whose answer the last worker had committed does not go again."""
    client.start()
    place = client.request()
    client.told(1, refusals=[KNOWN])
    client.start(taken=1)
    client.told(1, emitted=1)
    client.sent()
    assert not ticks(client, TICKS_TO_BE_TOLD)

    client.arrive(1, 1)
    client.batch.end(place, Receipt(bytes(16), Lane.DURABLE))
    assert not ticks(client, TICKS_TO_BE_TOLD)
    assert client.sent() == []


async def test_a_request_is_not_asked_again_when_its_key_may_be_forgotten(client):
    """An old one, and one whose shard has another file now, end as NetworkError: the agent might handle them twice."""
    client.start()
    place = client.request()
    began_s = client.batch.began_s
    client.told(1, refusals=[KNOWN])
    client.start(taken=1)
    ticks(client, TICKS_TO_BE_TOLD, began_s + MOST_AGE_OF_A_KEY_S + 1)
    other = client.request()
    client.told(2, refusals=[Refusal(2, 1, "AlreadyAccepted", {"agent": "x"})])
    client.start(client.file + 1)

    assert client.results([place, other]) == [NetworkError, NetworkError]


async def test_those_that_were_asked_again_and_ended_are_dropped(client, monkeypatch):
    """No more of them is kept than wait for their answers, and some thousands."""
    monkeypatch.setattr("caxton.client.routes.backlog._MOST_GIVEN_UP", 4)
    client.start()
    backlog = client.durable.backlog
    backlog._look_at_asked = 4
    for sequence in range(1, 20):
        place = client.request()
        client.told(sequence, refusals=[Refusal(sequence, 1, "AlreadyAccepted", {"agent": "x"})])
        client.batch.end(place, Receipt(bytes(16), Lane.DURABLE))
        assert len(backlog._asked_again) < 4
