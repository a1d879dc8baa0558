"""Many messages by requests of which one is not answered."""

import json

import caxton
from caxton.errors import NetworkError, RuntimeNotFound
from caxton.ids import MessageId


def answered(count):
    receipt = {"message_id": str(MessageId(bytes(16))), "reliability": "at_most_once", "is_new": True}
    told = json.dumps({"results": [{"receipt": {**receipt, "agent": None, "tried": []}}] * count}).encode()
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told)


async def test_after_a_request_that_is_not_answered_nothing_is_sent(serve):
    """What was acknowledged before keeps its receipts, and those behind say that they were not sent."""
    url, asked = await serve(lambda number: answered(1_000) if number == 0 else b"")
    async with caxton.connect(url, token="cx_" + "A" * 43, insecure_http=True) as client:
        results = await client.send_batch([caxton.Message(caxton.AgentId(5), b"")] * 2_500)

    assert [type(one) for one in results] == [caxton.Receipt] * 1_000 + [NetworkError] * 1_000 + [RuntimeNotFound] * 500
    assert "was not sent" in str(results[-1])
    assert len(asked) == 2


async def test_an_answer_about_fewer_messages_is_none(serve):
    """Nobody would know which of them it is about."""
    url, _ = await serve(answered(1))
    async with caxton.connect(url, token="cx_" + "A" * 43, insecure_http=True) as client:
        results = await client.send_batch([caxton.Message(caxton.AgentId(5), b"")] * 2)
    assert [type(one) for one in results] == [NetworkError] * 2
