import asyncio

import pytest

from caxton.errors import AgentNotFound, StorageError
from caxton.gateway import door as door_module
from caxton.gateway.asgi import Gone
from caxton.gateway.door import REQUEST


async def test_whoever_has_a_token_comes_in(door):
    """With what it grants."""
    answer = await door().ask(body=[b"abc", b"de"])

    assert (answer.status, answer.json) == (200, {"read": 5, "grant": "granted"})


CHALLENGE = 'Bearer realm="caxton"'


@pytest.mark.parametrize(
    ("token", "address", "status", "code", "header"),
    [
        (b"", "127.0.0.1", 401, "TokenMissing", ("www-authenticate", CHALLENGE)),
        (b"Bearer bad", "::1", 401, "TokenRefused", ("www-authenticate", f'{CHALLENGE}, error="invalid_token"')),
        (b"Bearer bad", "10.0.0.9", 429, "FailedTooOften", ("retry-after", "7")),
    ],
)
async def test_without_a_token_that_counts_nobody_comes_in(door, token, address, status, code, header):
    """The answer is a challenge as RFC 6750 has it, or says when to try again."""
    answer = await door().ask(token=token, address=address)

    assert (answer.status, answer.json["code"]) == (status, code)
    assert header in answer.headers.items()
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/health", "/ready"])
async def test_two_paths_are_open(door, path):
    """To whoever looks whether it is well."""
    assert (await door().ask(path, token=b"")).json["grant"] is None


async def empty(send):
    """Answer with nothing."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def test_so_many_requests_at_once_and_no_more(door, one_more, monkeypatch):
    """The next one is told to ask again, and the others go on."""
    monkeypatch.setattr(door_module, "MAX_REQUESTS", 2)
    go, inside = asyncio.Event(), asyncio.Semaphore(0)

    async def waits(scope, receive, send):
        inside.release()
        await go.wait()
        await empty(send)

    asked = door(waits)
    async with asyncio.TaskGroup() as group:
        first = [group.create_task(asked.ask()) for _ in range(2)]
        await inside.acquire()
        await inside.acquire()
        third, is_refused = await one_more(group, asked.ask(), inside)
        go.set()

    assert is_refused
    said = third.result()
    assert (said.status, said.json["code"], said.headers["retry-after"]) == (503, "ResourceExhausted", "1")
    assert [task.result().status for task in first] == [200, 200]
    assert asked.counts.under_way == 0


async def test_so_many_streams_and_no_more(door, one_more, monkeypatch):
    """The next one is refused, and counted; requests go on."""
    monkeypatch.setattr(door_module, "MAX_STREAMS", 2)
    go, inside = asyncio.Event(), asyncio.Semaphore(0)

    async def waits(scope, receive, send):
        scope[REQUEST].last()
        inside.release()
        await go.wait()
        await empty(send)

    asked = door(waits)
    async with asyncio.TaskGroup() as group:
        first = [group.create_task(asked.ask()) for _ in range(2)]
        await inside.acquire()
        await inside.acquire()
        third, is_refused = await one_more(group, asked.ask(), inside)
        go.set()

    assert is_refused
    assert (third.result().status, third.result().json["detail"]) == (503, "no more streams at once: the limit is 2")
    assert asked.counts.refused == {"too many streams": 1}
    assert [task.result().status for task in first] == [200, 200]


async def test_a_stream_ends_with_its_request(door):
    """Read to its end, or left before anything was sent."""

    async def leaves(scope, receive, send):
        scope[REQUEST].last()
        raise Gone

    async def lasts(scope, receive, send):
        scope[REQUEST].last()
        await empty(send)

    left, read = door(leaves), door(lasts)
    with pytest.raises(Gone):
        await left.ask()
    await read.ask()
    assert (left.counts.streams, read.counts.streams) == (0, 0)


@pytest.mark.parametrize(("path", "bound"), [("/v1/x", "MAX_BODY_BYTES"), ("/v1/agents", "MAX_MODULE_BODY_BYTES")])
@pytest.mark.parametrize("told", [True, False])
async def test_a_body_is_so_long_and_no_longer(door, monkeypatch, path, bound, told):
    """Whether its length is told beforehand or not."""
    for name in ("MAX_BODY_BYTES", "MAX_MODULE_BODY_BYTES"):
        monkeypatch.setattr(door_module, name, 4 if name == bound else 1 << 30)
    asked = door()

    for body, status in (([b"ab", b"cd"], 200), ([b"ab", b"cd", b"e"], 413)):
        length = [(b"content-length", str(sum(map(len, body))).encode())] if told else []
        answer = await asked.ask(path, body, length)
        assert answer.status == status
    assert (answer.json["code"], answer.json["fields"]["limit"]) == ("MessageTooLarge", 4)


async def test_all_bodies_together_have_a_bound(door, monkeypatch):
    """What one has read is given back when it is answered."""
    monkeypatch.setattr(door_module, "MAX_BODIES_BYTES", 4)
    asked = door()

    assert [(await asked.ask(body=[b"abcd"])).status for _ in range(3)] == [200, 200, 200]
    assert (await asked.ask(body=[b"abcd", b"e"])).status == 503
    assert asked.counts.body_bytes == 0


async def test_a_request_has_a_deadline(door):
    """Who answers late is not waited for; a body that does not come is the fault of who sends it."""

    async def never(scope, receive, send):
        await asyncio.get_running_loop().create_future()

    late = await door(never, 0.0).ask()
    slow = await door(timeout_s=0.0).ask(body=[b"ab", None, b"c"])

    assert (late.status, late.json["code"]) == (504, "Timeout")
    assert (slow.status, slow.json["code"], slow.headers["connection"]) == (408, "RequestTooSlow", "close")


async def test_who_does_not_read_is_left(door, monkeypatch):
    """A part of an answer that nobody takes ends the request."""
    monkeypatch.setattr(door_module, "SEND_TIMEOUT_S", 0.0)
    asked = door()

    with pytest.raises(Gone):
        await asked.ask(reading=asyncio.Event())
    assert asked.counts.cut_off == {"readers that did not read": 1}
    assert asked.counts.under_way == 0


async def test_an_error_that_nobody_foresaw_is_told_as_no_more_than_that(door, caplog):
    """What it was is in the log, and not in the answer; one after the answer has begun changes nothing of it."""

    async def fails(scope, receive, send):
        raise ValueError("the secret")

    async def fails_late(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        raise AgentNotFound("x")

    answer = await door(fails).ask()
    late = await door(fails_late).ask()

    assert (answer.status, answer.json["code"]) == (500, "InternalError")
    assert b"secret" not in answer.body
    assert "the secret" in caplog.text
    assert late.status == 200


async def test_what_is_refused_is_counted(door):
    """By why; and what is answered by its status."""
    asked = door()
    await asked.ask(host=b"evil.example")
    await asked.ask(token=b"")
    await asked.ask(headers=[(b"content-length", b"9" * 19)])
    await asked.ask(headers=[(b"origin", b"http://evil.example")])

    assert asked.counts.refused == {"hosts and origins": 2, "without a token that counts": 1, "large bodies": 1}
    assert asked.counts.answered == {421: 1, 401: 1, 413: 1, 403: 1}


async def test_who_is_nobody_is_not_told_why_tokens_cannot_be_read(door):
    """Nor where they are: that is in the log."""
    asked = door()

    def cannot(headers, address):
        raise StorageError("/data/tokens", "damaged")

    asked.door._identify = cannot
    answer = await asked.ask(token=b"Bearer good")

    assert answer.status == 503
    assert b"/data" not in answer.body
