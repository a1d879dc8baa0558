"""What the gateway refuses for want of room, as health says it."""

from contextlib import ExitStack

import httpx
import pytest

import caxton.testing
from caxton.gateway.limits import MAX_OWN_STREAMS, MAX_STREAMS


@pytest.fixture
def follows(url):
    """Follow events with a token: the status, of a stream that lasts as long as the test where it is 200."""
    with ExitStack() as held:
        client = held.enter_context(httpx.Client(base_url=url, timeout=60.0))

        def follow(token):
            headers = {"Authorization": f"Bearer {token}"}
            asking = client.stream("GET", "/v1/events", params={"follow": True}, headers=headers)
            return held.enter_context(asking).status_code

        yield follow


async def test_health_says_which_streams_are_refused_and_since_when(served, follows):
    """First all that one token may have are taken, whose share is named, and then all that there are."""
    async with served.connect() as client:
        made = [await client.create_token(f"t{number}", "viewer") for number in range(3)]
    tokens, own = [one.token for one in made], f"token:{made[0].about.token_id}"
    assert [follows(tokens[0]) for _ in range(MAX_OWN_STREAMS)] == [200] * MAX_OWN_STREAMS
    health = await said(served, "gateway_full")
    (reason,) = [reason for reason in health.reasons if reason.name == "gateway_full"]
    assert (health.status, health.components["gateway"].status) == ("degraded", "degraded")
    assert reason.text == f"the gateway refuses more: http_token_streams of {own}: 32 of 32 (100 %)"
    assert follows(tokens[0]) == 503

    assert [follows(tokens[1]) for _ in range(MAX_STREAMS - MAX_OWN_STREAMS)] == [200] * MAX_OWN_STREAMS
    assert follows(tokens[2]) == 503

    async def all_are_taken():
        warnings = (await served.health()).warnings
        return next((one for one in warnings if (one.limit, one.have) == ("http_streams", MAX_STREAMS)), None)

    told = await caxton.testing.eventually(all_are_taken)
    assert (told.most, told.whose, told.shard) == (MAX_STREAMS, "", None)
    assert told.since >= reason.since > 0
    await served.event("limit_near", limit="http_streams")


async def said(served, name):
    async def is_said():
        return any(reason.name == name for reason in (await served.health()).reasons)

    await caxton.testing.eventually(is_said)
    return await served.health()
