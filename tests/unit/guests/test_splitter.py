"""The splitter agent, against bytes.split and msgspec."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.agents.limits import MIB
from caxton.demo.totals import QUESTION, Totals
from workers.sandbox.traps import GuestError, Trap, TrapReason

MYSELF = 0x1234_5678_9ABC_DEF0
DEEPEST = 8
SPACES = b" \t\n\r\v\f"

TEXTS = st.lists(st.binary(max_size=8) | st.sampled_from([b" ", b"\n", b"\t\v", b"\f\r"]), max_size=400).map(b"".join)
# What has so much in it that its length takes another form; drawn piece by piece it would be the slowest part.
WIDE = st.sampled_from([[None] * 16, [1] * 70_000, {str(n): n for n in range(16)}, "u" * 32, "v" * 256, b"w" * 65_536])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary(max_size=300)
    | WIDE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def message(content, **others):
    return {"performative": "request", "sender": 7, "receiver": MYSELF, "content": content} | others


def fnv1a(word):
    value = 0x811C9DC5
    for byte in word:
        value = (value ^ byte) * 0x01000193 % 2**32
    return value


def output(splitter, content, **others):
    return msgspec.msgpack.decode(splitter.handle(msgspec.msgpack.encode(message(content, **others))))


def turn(splitter, content, **others):
    answer = output(splitter, content, **others)
    assert list(answer) == ["messages", "state"]
    return answer["messages"]


def totals(splitter):
    (answer,) = output(splitter, QUESTION)["messages"]
    assert list(answer) == ["content"]
    return Totals.parse(answer["content"])


def fail(splitter, content):
    answer = output(splitter, content, performative="failure")
    assert list(answer) == ["state"]
    return answer["state"]


def split(splitter, content):
    """Play the runtime until nothing is left: the words in order, each with its receiver."""
    words = []
    turns = 0
    while content is not None:
        messages, content = turn(splitter, content), None
        turns += 1
        assert len(messages) <= 256
        for sent in messages:
            assert sent.keys() == {"receiver", "content"}
            if sent["receiver"] == MYSELF:
                assert sent is messages[-1]
                content = sent["content"]
            else:
                words.append((sent["receiver"], sent["content"]))
    return words, turns


def expected(text, prefix, count):
    return [(f"{prefix}{fnv1a(word) % count}", word) for word in text.split()]


@given(
    TEXTS,
    st.integers(1, 2**32 - 1),
    st.text(st.characters(exclude_characters="\n", codec="utf-8"), min_size=1, max_size=40),
)
def test_sends_each_word_to_its_owner(start, text, count, prefix):
    """The words are those of bytes.split, in order, each for the agent that FNV-1a names."""
    content = f"{prefix} {count}\n".encode() + text
    assert split(start("splitter"), content)[0] == expected(text, prefix, count)


def test_splits_at_these_six_bytes_and_no_other(start):
    """Of all 256 bytes, exactly space, tab, newline, carriage return, vertical tab and form feed end a word."""
    splitter = start("splitter")
    for byte in range(256):
        found, _ = split(splitter, b"c 3\nx" + bytes([byte]) + b"y")
        assert len(found) == (2 if byte in SPACES else 1), byte


@pytest.mark.parametrize("words", [255, 256, 257, 510, 511, 20_000])
def test_goes_on_in_its_next_turn(start, words):
    """Any number of words is sent on, at most 256 messages a turn, the last of them to itself when there is more."""
    text = b" ".join(b"%d" % n for n in range(words))
    found, turns = split(start("splitter"), b"counter- 64\n" + text)
    assert found == expected(text, "counter-", 64)
    assert turns == (words + 254) // 255


def test_a_turn_stays_within_its_output(start):
    """Words that together fill a mebibyte are sent in as many turns as it takes, each within 1 MiB."""
    splitter = start("splitter")
    text = b" ".join(bytes([65 + n]) * 180_000 for n in range(5))
    content = b"c 9\n" + text
    assert split(splitter, content)[0] == expected(text, "c", 9)
    answer = splitter.handle(msgspec.msgpack.encode(message(content)))
    assert len(answer) <= MIB


@pytest.mark.parametrize("length", [1, 255, 256, 65_535, 65_536, 1_000_000])
def test_sends_long_words_whole(start, length):
    """A word of up to a million bytes is sent in one piece."""
    word = b"w" * length
    assert split(start("splitter"), b"c 9\n" + word)[0] == expected(word, "c", 9)


@pytest.mark.parametrize("text", [b"", b" ", b"\n\n \t"])
def test_says_nothing_of_no_words(start, text):
    """A text without words is counted as a text, and nothing is sent."""
    splitter = start("splitter")
    assert turn(splitter, b"c 9\n" + text) == []
    assert totals(splitter) == Totals(1, 1, 0, 0)


@given(st.lists(TEXTS, max_size=4), st.lists(st.binary(max_size=50), max_size=3))
def test_knows_what_it_has_done(start, texts, failures):
    """Its totals are the turns, texts and words that it sent, and the failures that it was told of."""
    splitter = start("splitter")
    turns = sum(split(splitter, b"c 3\n" + text)[1] for text in texts)
    for content in failures:
        fail(splitter, content)
    words = sum(len(text.split()) for text in texts)
    assert totals(splitter) == Totals(turns, len(texts), words, len(failures), *failures[:1])


@given(st.lists(TEXTS | st.none(), min_size=1, max_size=5))
def test_the_next_instance_goes_on(start, events):
    """Its totals are the state of every turn: a new instance that is given it counts on, failures included."""
    splitter, state, plain = start("splitter"), b"", start("splitter")
    for text in events:
        splitter.close()
        splitter = start("splitter", state=state)
        for each in (splitter, plain):
            state = fail(each, b"why") if text is None else output(each, b"c 3\n" + text)["state"]
        assert Totals.parse(state) == totals(splitter) == totals(plain)


def test_a_turn_that_is_not_the_last_of_its_text_does_not_count_the_text(start):
    """The turns of a long text count as turns, and the text counts when its end was sent."""
    splitter = start("splitter")
    rest = turn(splitter, b"c 9\n" + b"w " * 300)[-1]["content"]
    assert totals(splitter) == Totals(1, 0, 255, 0)
    assert len(turn(splitter, rest)) == 45
    assert totals(splitter) == Totals(2, 1, 300, 0)


@pytest.mark.parametrize(("length", "kept"), [(0, 0), (2_000, 2_000), (2_001, 0), (100_000, 0)])
def test_keeps_the_first_failure_if_it_is_short(start, length, kept):
    """The content of the first failure stands in its totals, whole or not at all; later ones are only counted."""
    splitter = start("splitter")
    fail(splitter, b"f" * length)
    fail(splitter, b"another")
    assert totals(splitter) == Totals(0, 0, 0, 2, b"f" * kept)


@pytest.mark.parametrize(
    "state",
    [b"S", b"SPL1" + bytes(31), b"SPL2" + bytes(32), b"SPL1" + bytes(2_033)],
    ids=["one", "cut", "other", "large"],
)
def test_does_not_start_from_a_state_that_is_not_its_own(start, state):
    """A state that is none of its totals stops the start."""
    with pytest.raises(Trap) as refused:
        start("splitter", state=state)
    assert refused.value.reason is TrapReason.INSTANTIATION


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"c\ntext",
        b" 9\ntext",
        b"c 0\ntext",
        b"c x\ntext",
        b"c \ntext",
        b"c 4294967296\nt",
        b"c 9",
        b"p" * 151 + b" 9\nt",
    ],
)
def test_refuses_content_without_a_header(start, content):
    """Content that does not start with a prefix, a count above 0 and a newline gets the error code -2."""
    with pytest.raises(GuestError) as refused:
        turn(start("splitter"), content)
    assert refused.value.code == -2


def test_refuses_a_word_beyond_its_output(start):
    """A word that does not fit into one turn gets the error code -3, and the splitter goes on."""
    splitter = start("splitter")
    with pytest.raises(GuestError) as refused:
        turn(splitter, b"c 9\n" + b"w" * MIB)
    assert refused.value.code == -3
    assert split(splitter, b"c 9\nw")[0] == expected(b"w", "c", 9)


@given(st.dictionaries(st.text().filter(lambda key: key not in {"receiver", "content"}), VALUES, max_size=6))
def test_passes_over_other_fields(start, others):
    """Whatever else stands in the message, of any kind, changes nothing."""
    splitter = start("splitter")
    if _depth(others) > DEEPEST:
        with pytest.raises(GuestError):
            turn(splitter, b"c 9\ntwo words", **others)
        return
    found = turn(splitter, b"c 9\ntwo words", **others)
    assert [(sent["receiver"], sent["content"]) for sent in found] == expected(b"two words", "c", 9)


def _depth(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((_depth(each) + 1 for each in inner), default=0)


def test_reads_every_width_of_msgpack(start):
    """Lengths and numbers of each width that msgpack knows are read, ext values and old spellings included."""
    splitter = start("splitter")
    content = b"\xc6\x00\x00\x00\x05c 9\nw"
    for head in (b"\x82", b"\xde\x00\x02", b"\xdf\x00\x00\x00\x02"):
        for key in (b"\xa8receiver", b"\xd9\x08receiver", b"\xda\x00\x08receiver", b"\xdb\x00\x00\x00\x08receiver"):
            for number in (
                b"\x07",
                b"\xcc\x07",
                b"\xcd\x00\x07",
                b"\xce\x00\x00\x00\x07",
                b"\xcf" + b"\0" * 7 + b"\x07",
            ):
                assert splitter.handle(head + key + number + b"\xa7content" + content) is not None
    for ext in (b"\xc7\x02\x01ab", b"\xc8\x00\x02\x01ab", b"\xc9\x00\x00\x00\x02\x01ab", b"\xd4\x01a", b"\xd5\x01ab",
                b"\xd6\x01abcd", b"\xd7\x01" + b"a" * 8, b"\xd8\x01" + b"a" * 16):  # fmt: skip
        assert splitter.handle(b"\x83\xa1x" + ext + b"\xa8receiver\x07\xa7content" + content) is not None


@given(st.binary(max_size=200))
def test_refuses_random_bytes(start, garbage):
    """Bytes that are no message get the error code -1."""
    with pytest.raises(GuestError) as refused:
        start("splitter").handle(garbage)
    assert refused.value.code == -1


@given(st.data())
def test_never_answers_nonsense(start, data):
    """A message cut short or with bytes replaced is refused, or read as the message that it now is."""
    whole = msgspec.msgpack.encode(message(b"c 9\nwords of a text", conversation_id=b"x" * 16, ontology="words"))
    broken = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for place in data.draw(st.lists(st.integers(0, max(0, len(broken) - 1)), max_size=3)) if broken else ():
        broken[place] = data.draw(st.integers(0, 255))
    splitter = start("splitter")
    try:
        answer = splitter.handle(bytes(broken))
    except (GuestError, Trap):
        return
    try:
        read = msgspec.msgpack.decode(broken, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return  # text that is not UTF-8, which is the runtime's business
    prefix, _, text = read["content"].partition(b"\n")
    name, _, count = prefix.rpartition(b" ")
    try:
        sent = [] if answer is None else msgspec.msgpack.decode(answer)["messages"]
    except (msgspec.DecodeError, UnicodeDecodeError):
        with pytest.raises(UnicodeDecodeError):
            name.decode()
        return
    assert [(each["receiver"], each["content"]) for each in sent] == expected(text, name.decode(), int(count))
