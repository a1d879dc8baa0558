import array
import dataclasses
import datetime as dt

import msgspec
import pytest

from caxton.acl.message import Message
from caxton.errors import MessageTooLarge, SerializationError, ValidationError
from caxton.ids import AgentId, ConversationId, MessageId

ENCODINGS = ["json", "msgpack"]


class Order(msgspec.Struct):
    item: str
    price: int = 0


@dataclasses.dataclass
class Bid:
    bidder: AgentId
    conversation: ConversationId
    at: dt.date


def circle():
    value = []
    value.append(value)
    return value


BID = Bid(AgentId(5), ConversationId(bytes(15) + b"\1"), dt.date(2026, 11, 29))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, True]}, [], "text", 7, None, {"": "ä"}])
def test_a_value_comes_back_as_it_was(value, encoding):
    """What JSON has is content in either encoding, and the message says in which."""
    message = Message(5, value, encoding=encoding)

    assert message.decode(object) == value
    assert (message.encoding, message.language) == (encoding, encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_structs_dataclasses_ids_and_dates_come_back_typed(encoding):
    """A type of the program's is written by its fields, and read as that type again; ids are text."""
    assert Message(5, Order("tea", 3), encoding=encoding).decode(Order) == Order("tea", 3)
    bid = Message(5, BID, encoding=encoding)

    assert bid.decode(Bid) == BID
    assert bid.decode(dict[str, str])["bidder"] == "0000000000000005"
    assert type(bid.decode(Bid).bidder) is AgentId


def test_bytes_are_bytes_whatever_is_said_of_them():
    """What holds bytes is no value: it is sent as it is, and says what it is told to say."""
    for content in (b'{"a":1}', bytearray(b'{"a":1}'), memoryview(b'{"a":1}')):
        message = Message(5, content, encoding="json")
        assert message.content == b'{"a":1}'
        assert message.language is None
        assert message.json() == message.decode(dict) == {"a": 1}
    assert Message(5, array.array("b", [1])).content == b"\1"
    assert Message(5, {"a": 1}, encoding="json", language="mine").language == "mine"


def test_the_encoding_says_how_content_is_read():
    """Where it says nothing the language does, and otherwise it is JSON; another one is an error by its name."""
    packed = msgspec.msgpack.encode({"a": 1})

    assert Message(5, packed, language="msgpack").decode(dict) == {"a": 1}
    assert Message(5, b"[1]", language="json", encoding="utf-8").decode(list[int]) == [1]
    assert Message(5, b"[1]").decode(list[int]) == [1]
    with pytest.raises(SerializationError, match="'xml', and not one of json, msgpack"):
        Message(5, b"<a/>", encoding="xml").decode(object)
    with pytest.raises(SerializationError, match="'fipa-sl'"):
        Message(5, b"()", language="fipa-sl").decode(object)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "value", [object(), {"a": object()}, circle(), "\ud800", {"a": 1j}, lambda: 0, array.array("b", [1])]
)
def test_a_value_without_a_form_is_refused(value, encoding):
    """What cannot be encoded is an error that names its type and the encoding, before anything is sent."""
    with pytest.raises(SerializationError, match=f"{type(value).__name__} that cannot be encoded as {encoding}"):
        Message(5, value, encoding=encoding)


def test_a_number_beyond_msgpack_is_refused():
    """JSON has numbers of any length, msgpack has not."""
    assert Message(5, 1 << 70, encoding="json").json() == 1 << 70
    with pytest.raises(SerializationError):
        Message(5, 1 << 70, encoding="msgpack")


def test_a_value_without_an_encoding_is_refused():
    """Nothing is guessed: who sends a value says how, and the error says so."""
    for value in ("text", {"a": 1}, 7, None):
        with pytest.raises(ValidationError, match="encoding='json' or 'msgpack'"):
            Message(5, value)
    with pytest.raises(ValidationError, match="where bytes are wanted"):
        Message(5, {"a": 1}, encoding="yaml")


def test_what_is_too_long_when_encoded_is_refused():
    """The bound of contents holds for what travels."""
    with pytest.raises(MessageTooLarge):
        Message(5, "x" * 10_000_000, encoding="json")


@pytest.mark.parametrize(
    ("content", "kind", "problem"),
    [
        (b"", object, "truncated"),
        (b"{", object, "from json"),
        (b"\xff", object, "malformed"),
        (b"[" * 100_000, object, "recursion"),
        (b'{"item": 5}', Order, "as Order from json: Expected `str`, got `int`"),
        (b'{"price": 5}', Order, "missing required field `item`"),
        (b'{"bidder": "x", "conversation": "y", "at": "z"}', Bid, "16 hex digits"),
        (b'{"bidder": 5, "conversation": "y", "at": "z"}', Bid, "AgentId"),
    ],
)
def test_content_that_is_no_such_value_says_why(content, kind, problem):
    """What cannot be decoded is an error with what was wanted and where."""
    with pytest.raises(SerializationError, match=problem):
        Message(5, content).decode(kind)


def test_a_type_that_nothing_can_be_is_the_callers_mistake():
    """It is a ValidationError of the argument and no error of the content."""
    for kind in (5, lambda: 0, set[int] | list[int]):
        with pytest.raises(ValidationError, match="kind: nothing can be decoded to") as caught:
            Message(5, b"1").decode(kind)
        assert not isinstance(caught.value, SerializationError)


def test_an_answer_is_encoded_as_what_it_answers():
    """A reply has the encoding of its message, or the one that is given, and then no language of the other's."""
    asked = Message.of(msgspec.structs.replace(Message(5, {"a": 1}, encoding="msgpack").envelope, sender=7))

    assert asked.reply([1]).decode(list[int]) == [1]
    assert asked.reply([1]).encoding == "msgpack"
    answered = asked.reply([1], encoding="json")
    assert (answered.content, answered.encoding, answered.language) == (b"[1]", "json", "json")
    assert asked.reply(b"plain").content == b"plain"


def test_ids_have_one_form():
    """An id in a content is the text that it is everywhere else."""
    message_id = MessageId(bytes(15) + b"\7")

    assert Message(5, [message_id], encoding="json").json() == [str(message_id)]
