"""Which method handles a message, where it runs, and what the turn sends."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import caxton
from caxton.acl.envelope import AUTOMATIC, MAX_CONTENT, Envelope, Rare
from caxton.acl.failure import report
from caxton.acl.performative import Performative
from caxton.client.attached.turns import MOST_BYTES, MOST_MESSAGES, Delivered
from caxton.client.hosting.definition import methods_of
from caxton.client.hosting.handling import Handling
from caxton.errors import ProtocolViolation, ResourceExhausted, SerializationError, ValidationError
from caxton.ids import AgentId

ASKED = b"r" * 16


@pytest.fixture
def handle():
    """A function that has a thing handle one message, and returns what that said."""
    threads = ThreadPoolExecutor(1, "agent")

    def made(thing, performative=Performative.REQUEST, content=b"x", encoding=None, **fields):
        envelope = Envelope(b"m" * 16, int(performative), 9, 5, content, **fields)
        handling = Handling("worker", methods_of(thing), AgentId, threads, encoding=encoding)
        return handling(Delivered(caxton.Message.of(envelope)))

    yield made
    threads.shutdown()


class Bidder:
    async def on_cfp(self, message, turn):
        turn.send(7, b"note", performative="inform-if")
        return message.reply(b"10", performative=Performative.PROPOSE)

    def on_inform(self, message):
        return threading.current_thread().name.encode()


async def test_the_method_of_the_act_is_called(handle):
    """A cfp goes to on_cfp; what the turn sent goes before what it returned, which is the answer to who asked."""
    note, bid = await handle(Bidder(), Performative.CFP, reply_with=ASKED, conversation_id=b"c" * 16)
    assert (note.receiver, note.content, note.performative) == (7, b"note", Performative.INFORM_IF)
    assert (bid.receiver, bid.content, bid.performative) == (9, b"10", Performative.PROPOSE)
    assert (bytes(bid.in_reply_to), bytes(bid.conversation_id)) == (ASKED, b"c" * 16)


async def test_a_plain_function_runs_in_a_thread(handle):
    """What may block does not hold up the loop."""
    assert (await handle(Bidder(), Performative.INFORM)).startswith(b"agent")


async def test_what_is_not_understood_is_said(handle):
    """An act without a method is answered by not-understood, which says what would be understood."""
    (answer,) = await handle(Bidder(), Performative.SUBSCRIBE, reply_with=ASKED)
    assert (answer.performative, bytes(answer.in_reply_to)) == (Performative.NOT_UNDERSTOOD, ASKED)
    assert answer.content == b"worker does not understand subscribe; it understands cfp, inform"


@pytest.mark.parametrize(
    ("performative", "flags"),
    [(Performative.NOT_UNDERSTOOD, 0), (Performative.FAILURE, 0), (Performative.REQUEST, AUTOMATIC)],
)
async def test_what_ends_a_conversation_is_answered_by_nothing(handle, caplog, performative, flags):
    """Nothing says of a failure that it was not understood, or two agents would go on for ever; it is in the log."""
    assert await handle(Bidder(), performative, flags=flags) is None
    assert f"no method for a {performative.act}" in caplog.text


async def test_the_log_has_the_error_that_nobody_has_a_method_for(handle, caplog):
    """Who breaks a protocol, and has no method for being told so, finds in the log in which way."""
    wrong = ProtocolViolation("fipa-request", "participant", "asked", "propose", "inform", "it is not the turn for it")
    assert await handle(Bidder(), Performative.NOT_UNDERSTOOD, flags=AUTOMATIC, content=report(wrong)) is None
    assert str(wrong) in caplog.text


async def test_a_content_after_what_was_sent_is_the_answer(handle):
    """Bytes that are returned after sends answer who asked; who did not ask gets none."""

    async def both(message, turn):
        turn.send(7, b"on")
        return b"done"

    assert [m.content for m in await handle(both, reply_with=ASKED)] == [b"on", b"done"]
    assert [m.content for m in await handle(both)] == [b"on"]


@pytest.mark.parametrize("asks", [ASKED, None], ids=["asked", "not asked"])
async def test_a_value_after_what_was_sent_is_the_answer(handle, asks):
    """In the agent's encoding; one that cannot be encoded has failed, whoever asks."""

    async def quote(message, turn):
        turn.send(7, b"note")
        return {"price": 7}

    async def wrong(message, turn):
        turn.send(7, b"note")
        return {"price": object()}

    note, *answers = await handle(quote, encoding="json", reply_with=asks)
    assert note.content == b"note"
    assert [(one.json(), one.encoding) for one in answers] == ([({"price": 7}, "json")] if asks else [])
    with pytest.raises(SerializationError):
        await handle(wrong, encoding="json", reply_with=asks)
    with pytest.raises(ValidationError, match="the handler returned"):
        await handle(quote, reply_with=asks)


async def test_a_coroutine_behind_a_plain_function_is_awaited(handle):
    """A wrapper that returns what is to be awaited is an agent like the function that it wraps."""

    async def inner(content):
        return content

    assert await handle(lambda message: inner(message.content)) == b"x"


async def test_a_turn_sends_so_many_messages(handle):
    """The most that a turn may send can be sent, and one more is refused."""
    refused = []

    async def flood(message, turn):
        for _ in range(MOST_MESSAGES):
            turn.send(7)
        try:
            turn.send(7)
        except ResourceExhausted as error:
            refused.append(error)

    assert len(await handle(flood)) == MOST_MESSAGES
    assert [error.limit for error in refused] == [MOST_MESSAGES]


async def test_a_turn_sends_so_many_bytes(handle):
    """Contents of 12 MiB in all can be sent, and a byte more is refused."""

    async def much(message, turn):
        turn.send(7, bytes(MAX_CONTENT))
        turn.send(7, bytes(MOST_BYTES - MAX_CONTENT))
        with pytest.raises(ResourceExhausted, match="bytes"):
            turn.send(7, b"x")

    assert sum(len(message.content) for message in await handle(much)) == MOST_BYTES


async def test_what_is_no_message_is_refused(handle):
    """What a handler sends or returns beside sends is checked where it is written."""

    async def sends(message, turn):
        turn.send_message(b"x")

    async def returns(message, turn):
        turn.send(7)
        return 5

    for handler, says in ((sends, "bytes; give a Message"), (returns, "int; give None, bytes, or messages")):
        with pytest.raises(ValidationError, match=says):
            await handle(handler)


def test_an_answer_belongs_to_what_it_answers():
    """A reply goes where the message says, with its conversation, protocol, language and priority; fail says why."""
    rare = Rare(language="l", encoding="e", ontology="o", protocol="p", reply_to=8)
    asked = caxton.Message.of(Envelope(b"m" * 16, 18, 9, 5, b"x", ASKED, None, b"c" * 16, 1, 8, rare=rare))
    reply = asked.reply(b"y")
    assert (reply.receiver, reply.content, reply.language, reply.encoding) == (8, b"y", "l", "e")
    assert (reply.ontology, reply.protocol, bytes(reply.in_reply_to)) == ("o", "p", ASKED)
    assert (bytes(reply.conversation_id), reply.delivery_options.priority) == (b"c" * 16, caxton.Level.HIGH)
    failure = asked.fail("no stock")
    assert (failure.performative, failure.content) == (Performative.FAILURE, b"no stock")


def test_nobody_answers_what_nobody_sent():
    """A message that was never sent, or that the runtime made, has no answer."""
    for message in (caxton.Message(5), caxton.Message.of(Envelope(b"m" * 16, 6, 9, 5, b"", flags=AUTOMATIC))):
        with pytest.raises(ValidationError, match="nobody to answer"):
            message.reply(b"x")
