import asyncio
from itertools import pairwise
from types import SimpleNamespace

import pytest

pytest.importorskip("litestar", reason="it needs the extra http")

from caxton.errors import CaxtonError, InvalidMessageFormat, MessageTooLarge, ResourceExhausted, ValidationError
from caxton.gateway import body as body_module
from caxton.gateway import message_body
from caxton.gateway.body import read, turn
from caxton.gateway.counts import Counts
from caxton.gateway.door import REQUEST, Passage
from caxton.gateway.limits import (
    MAX_BODY_BYTES,
    MAX_FIELD_BYTES,
    MAX_FORM_BYTES,
    MAX_MESSAGES,
    MAX_OWN_MESSAGES,
    SMALL_BODY_BYTES,
)
from caxton.gateway.message_body import read_many, read_one, values_of
from caxton.gateway.routes.deployment_routes import AgentToDeploy
from caxton.gateway.shares import Share


class Asked:
    """What routes see of requests, without a network."""

    def __init__(self):
        self.counts = Counts()
        self.app = SimpleNamespace(state=SimpleNamespace(working=asyncio.Lock()))

    def request(self, raw):
        async def whole():
            return raw

        scope = {REQUEST: Passage(self.counts, None, None, MAX_BODY_BYTES)}
        headers = {"content-type": "application/json"}
        return SimpleNamespace(body=whole, headers=headers, scope=scope, app=self.app)

    async def batch(self, raw):
        return [message for part in (await read_many(self.request(raw))).parts for message in part]


@pytest.fixture
def asked():
    """Ask, each time with another body."""
    return Asked()


def filled(head, part, tail, size=MAX_BODY_BYTES):
    """Return JSON that is filled with parts until it has this size."""
    room = size - len(head) - len(tail)
    return head + part * (room // len(part)) + b" " * (room % len(part)) + tail


async def test_a_message_is_its_values(asked):
    """Fields with hyphens or without, null, and content as text or base64."""
    raw = b'{"receiver_name": "a", "reply-to": "01", "language": null, "content": {"base64": "AA=="}}'
    values = await read_one(asked.request(raw))

    assert values == {"receiver_name": "a", "reply-to": "01", "language": None, "content": {"base64": "AA=="}}


HOSTILE = {
    "a content of lists": filled(b'{"receiver_name":"a","content":[', b"[],", b"{}]}"),
    "a content of depths": filled(b'{"receiver_name":"a","content":[', b"[" * 900 + b"]" * 900 + b",", b"{}]}"),
    "options of lists": filled(b'{"receiver_name":"a","delivery_options":[', b"[],", b"{}]}"),
    "a capability of many": filled(b'{"receiver":{"capability":[', b'"a",', b'"b"]}}'),
    "nothing but lists": filled(b"[", b"[],", b"{}]"),
    "a name without end": filled(b'{"', b"k", b'":0}'),
    "lists in a field that is none": filled(b'{"colour":[', b"[],", b"{}]}"),
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
async def test_of_what_is_no_message_nothing_is_made(asked, monkeypatch, raw):
    """However much of it there is: no value of it ever is, and the error about it is short."""
    made = []
    decode = body_module.msgspec.json.decode

    def decoded(raw, **of_type):
        made.append(decode(raw, **of_type))
        return made[-1]

    monkeypatch.setattr(body_module.msgspec.json, "decode", decoded)

    with pytest.raises(InvalidMessageFormat) as told:
        await read_one(asked.request(raw))

    assert len(str(told.value)) < 500
    assert all(isinstance(value, message_body._Message | str) for value in made)


async def test_a_field_is_so_long_and_no_longer(asked):
    """All but the content, whose limit the message has."""
    longest = b'"' + b"x" * (MAX_FIELD_BYTES - 2) + b'"'
    raw = b'{"receiver_name": %s}'

    assert len((await read_one(asked.request(raw % longest)))["receiver_name"]) == MAX_FIELD_BYTES - 2
    with pytest.raises(InvalidMessageFormat, match=f"receiver_name: .*the limit is {MAX_FIELD_BYTES}"):
        await read_one(asked.request(raw % longest.replace(b"x", b"xx", 1)))


@pytest.mark.parametrize("one", [b"{}", b'{"receiver_name":"a"}'])
async def test_of_a_batch_that_is_too_long_no_more_is_made_than_may_be(asked, monkeypatch, one):
    """Not even the empty messages that fill the largest body."""
    monkeypatch.setattr(message_body, "MAX_MESSAGES", 3)
    raw = b'{"messages": [%s]}'

    assert len(await asked.batch(raw % b",".join([one] * 3))) == 3
    with pytest.raises(ValidationError, match="more than 3"):
        await asked.batch(filled(b'{"messages":[', one + b",", one + b"]}"))
    assert message_body._Seen.messages == 4


async def test_an_unknown_field_is_told(asked):
    """With what may be meant."""
    with pytest.raises(InvalidMessageFormat, match="is 'receiver' meant") as told:
        await read_one(asked.request(b'{"receivr": 1}'))
    assert told.value.field == "message"


async def test_a_message_of_a_batch_is_what_stands_there(asked):
    """Whatever it says: that one cannot be read is found when it is, and the others can."""
    first, second, third = await asked.batch(b'{"messages": [{"content": "a"}, {"receivr": 1}, {"content": [1]}]}')

    assert values_of(first) == {"content": "a"}
    for wrong, field in ((second, "message"), (third, "content")):
        with pytest.raises(InvalidMessageFormat) as told:
            values_of(wrong)
        assert told.value.field == field


@pytest.mark.parametrize("raw", [b"[]", b"{}", b'{"messages": {}}', b'{"messages": [1]}', b'{"messages": [], "x": 1}'])
async def test_what_is_no_batch_is_refused_as_a_whole(asked, raw):
    """It has nothing but messages, which are objects."""
    with pytest.raises(InvalidMessageFormat):
        await asked.batch(raw)


async def test_the_loop_goes_on_between_bodies(asked, others_go_on):
    """Large ones that are all there at once are decoded one at a time, with a turn of the loop after each."""
    raw = filled(b'{"receiver_name":"a","content":[', b"[],", b"{}]}", SMALL_BODY_BYTES + 1)
    done, seen = [], []

    async def one():
        with pytest.raises(CaxtonError):
            await read_one(asked.request(raw))
        done.append(asyncio.current_task())

    async with asyncio.TaskGroup() as asking:
        for _ in range(8):
            asking.create_task(one())
        while len(done) < 8:
            await others_go_on()
            seen.append(len(done))

    assert {*seen} >= {*range(1, 9)}


async def test_a_large_batch_is_read_in_parts(asked):
    """Each has about as many bytes as a small body, with what its messages weigh besides; a small batch has one."""
    one = filled(b'{"content":"', b"x", b'"}', SMALL_BODY_BYTES)
    batch = await read_many(asked.request(b'{"messages": [%s]}' % b",".join([one] * 8)))
    assert (batch.is_large, [len(part) for part in batch.parts]) == (True, [1] * 8)
    batch = await read_many(asked.request(b'{"messages": [%s]}' % b",".join([b"{}"] * 640)))
    assert (batch.is_large, sum(len(part) for part in batch.parts)) == (True, 640)
    assert max(len(part) for part in batch.parts) <= 1 + (SMALL_BODY_BYTES >> 10)
    batch = await read_many(asked.request(b'{"messages": [{}, {}]}'))
    assert (batch.is_large, len(batch.parts)) == (False, 1)


async def test_each_token_has_its_turn(asked, others_go_on):
    """However many large bodies one token has, another's waits for one of them at a time."""
    share, done = Share(asked.counts, "many"), []

    async def work(name, request):
        for _ in range(3):
            async with turn(request, is_large=True):
                await others_go_on()
                done.append(name)

    many = [asked.request(b"") for _ in range(8)]
    for request in many:
        request.scope[REQUEST].belongs_to(share)
    async with asyncio.TaskGroup() as working:
        for request in many:
            working.create_task(work("many", request))
        working.create_task(work("other", asked.request(b"")))

    assert len(done) == 27
    places = [place for place, name in enumerate(done) if name == "other"]
    assert places[0] <= 2
    assert all(after - before <= 2 for before, after in pairwise(places))


async def test_one_token_has_so_many_messages_in_batches_and_no_more(asked):
    """As many as in two of the largest; what comes beyond is refused and counted, and goes when others have ended."""
    share = Share(asked.counts, "a")

    async def batch(count):
        request = asked.request(b'{"messages": [%s]}' % b",".join([b"{}"] * count))
        request.scope[REQUEST].belongs_to(share)
        try:
            await read_many(request)
        except ResourceExhausted:
            request.scope[REQUEST].end()
            raise
        return request.scope[REQUEST]

    first, second = await batch(MAX_MESSAGES), await batch(MAX_OWN_MESSAGES - MAX_MESSAGES)
    assert share.messages == MAX_OWN_MESSAGES
    with pytest.raises(ResourceExhausted):
        await batch(1)
    second.end()
    third = await batch(MAX_OWN_MESSAGES - MAX_MESSAGES - 1)
    with pytest.raises(ResourceExhausted):
        await batch(2)
    fourth = await batch(1)
    for passage in (first, third, fourth):
        passage.end()

    assert share.messages == 0
    assert asked.counts.refused == {"messages at once of one token": 2}


async def test_what_is_no_message_is_so_long_and_no_longer(asked):
    """The module of an agent aside, which only the door bounds."""
    small, large = filled(b'{"name":"', b"x", b'"}', MAX_FORM_BYTES), b"A" * 2 * MAX_FORM_BYTES
    whole = b'{"wasm":"%s","name":"%s"}'

    assert len(await read(asked.request(small), dict[str, str])) == 1
    assert len((await read(asked.request(whole % (large, b"x")), AgentToDeploy, large="wasm")).wasm) == len(large)
    for raw, named in ((small[:-2] + b'x"}', ""), (whole % (large, large), "wasm")):
        with pytest.raises(MessageTooLarge):
            await read(asked.request(raw), AgentToDeploy, large=named)
    assert asked.counts.refused == {"large bodies": 2}
