"""The counter agent, against collections.Counter."""

from collections import Counter
from itertools import count

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.demo.cast import COUNTER_LIMITS
from caxton.demo.report import Report, question
from workers.sandbox.traps import GuestError, Trap, TrapReason

# Few letters, so that words repeat, begin alike and tie.
SMALL_WORDS = st.lists(st.sampled_from([b"a", b"b", b"\x00", b"\xff"]), min_size=1, max_size=3).map(b"".join)
WORDS = SMALL_WORDS | st.binary(min_size=1).filter(lambda word: not word.startswith(b"\n"))
EMPTY = b"\x01" + bytes(8)
MOST = 65_535


def ordered(counts):
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def turn(counter, content, performative="inform"):
    message = {"performative": performative, "sender": 7, "receiver": 8, "content": content, "message_id": bytes(16)}
    output = counter.handle(msgspec.msgpack.encode(message))
    return None if output is None else msgspec.msgpack.decode(output)


def tell(counter, word):
    """Let it count a word; returns its state."""
    output = turn(counter, word)
    assert list(output) == ["state"]
    return output["state"]


def ask(counter, top):
    output = turn(counter, question(top))
    assert list(output) == ["messages"]
    ((message,),) = output.values()
    assert list(message) == ["content"]
    return Report.parse(message["content"])


def number(value):
    """Write a number of seven bits a byte, the lowest first."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + number(rest) if rest else bytes([low])


def table(counts, total=None):
    """Write a state as the counter does."""
    words = b"".join(number(len(word)) + number(times) + word for word, times in counts.items())
    return b"\x01" + (sum(counts.values()) if total is None else total).to_bytes(8, "little") + words


@given(st.lists(WORDS, max_size=300), st.integers(0, 40))
def test_counts_like_a_counter(start, words, top):
    """Totals, distinct words and the most frequent ones equal those of collections.Counter, ties in byte order."""
    counter, counts = start("counter"), Counter(words)
    for word in words:
        tell(counter, word)
    report = ask(counter, top)
    assert (report.total, report.distinct) == (len(words), len(counts))
    assert list(report.top) == ordered(counts)[:top]


@given(st.lists(WORDS, min_size=1, max_size=100), st.data())
def test_the_next_instance_goes_on(start, words, data):
    """However often its instance ends, a counter that is given its last state counts on as if nothing had been."""
    ends = data.draw(st.sets(st.integers(1, len(words)), max_size=5))
    counter, state = start("counter"), b""
    for place, word in enumerate(words):
        if place in ends:
            counter.close()
            counter = start("counter", state=state)
        state = tell(counter, word)
    counts = Counter(words)
    assert ask(start("counter", state=state), 10_000) == Report(len(words), len(counts), tuple(ordered(counts)))
    assert state == table(dict(counts))


@pytest.mark.parametrize("before", [126, 127, 128, 16_382, 16_383, 16_384, 2**35 - 2])
def test_a_count_that_takes_another_byte_moves_nothing_but_bytes(start, before):
    """A count that grows by a byte keeps the words behind it, whose places move, and they are found again."""
    counts = Counter({b"first": before, b"second": before, b"third": 1})
    counter = start("counter", state=table(counts))
    for word in [b"first", b"first", b"third", b"second", b"second", b"third", b"fourth"]:
        state = tell(counter, word)
        counts[word] += 1
        assert state == table(counts)


def test_goes_on_counting_after_a_report(start):
    """A report changes nothing: the next one holds the words counted before and after it."""
    counter = start("counter")
    tell(counter, b"once")
    assert ask(counter, 5) == Report(1, 1, ((b"once", 1),))
    tell(counter, b"once")
    assert ask(counter, 5) == Report(2, 1, ((b"once", 2),))


def test_a_report_of_nothing_counted_is_empty(start):
    """A counter that has counted no word says so, started without a state or with an empty table."""
    assert ask(start("counter"), 20) == ask(start("counter", state=EMPTY), 20) == Report(0, 0, ())


def fill(counter, words):
    """Tell words until one is refused; returns those counted, the last state and the error code."""
    told, state = [], EMPTY
    for word in words:
        try:
            state = tell(counter, word)
        except GuestError as refused:
            return told, state, refused.code
        told.append(word)
    raise AssertionError("it never was full")


@pytest.mark.parametrize("size", [2, 6, 300, 20_000])
def test_refuses_a_word_without_room_and_goes_on(start, size):
    """A full counter answers -2 and counts nothing wrong: what it has counted stays, and known words count on."""
    counter = start("counter", COUNTER_LIMITS)
    short = [bytes([a, b]) for a in range(11, 256) for b in range(256)]
    words = short if size == 2 else (b"%0*x" % (size, n) for n in count())
    told, state, code = fill(counter, words)
    assert code == -2
    assert MOST - size - 4 < len(state) <= MOST
    assert tell(counter, told[-1]) == table(Counter(told) + Counter([told[-1]]))
    for each, counts in (
        (counter, Counter([*told, told[-1]])),
        (start("counter", COUNTER_LIMITS, state=state), Counter(told)),
    ):
        assert ask(each, 10_000) == Report(sum(counts.values()), len(told), tuple(ordered(counts)[:10_000]))


def test_refuses_a_count_that_has_no_room_for_another_byte(start):
    """In a table without a free byte, a count that would take one more is refused, and others go on."""
    head = table({b"x" * 5: 127, b"y" * 5: 1})
    filler = b"z" * (MOST - len(head) - 4)
    counts = {b"x" * 5: 127, b"y" * 5: 1, filler: 1}
    counter = start("counter", state=table(counts))
    assert len(table(counts)) == MOST
    with pytest.raises(GuestError) as refused:
        tell(counter, b"x" * 5)
    assert refused.value.code == -2
    assert tell(counter, b"y" * 5) == table(counts | {b"y" * 5: 2})


def test_every_word_of_up_to_two_bytes_fits_or_is_refused(start):
    """The most words that a state can hold, those of one byte and then of two, are counted and found in it again."""
    counter = start("counter", COUNTER_LIMITS)
    words = [bytes([a]) for a in range(256) if a != 10]
    words += [bytes([a, b]) for a in range(256) if a != 10 for b in range(256)]
    told, state, _ = fill(counter, words)
    assert len(told) > 16_000
    again = start("counter", COUNTER_LIMITS, state=state)
    for word in told:
        state = tell(again, word)
    assert state == table(dict.fromkeys(told, 2))


@pytest.mark.parametrize(
    "state",
    [
        b"\x01",
        b"\x02" + bytes(8),
        EMPTY + b"\x01",
        EMPTY + b"\x01\x01",
        table({b"word": 3})[:-1],
        table({b"word": 3}) + b"x",
        table({b"word": 3}, total=4),
        table({b"": 3}),
        EMPTY[:1] + (3).to_bytes(8, "little") + b"\x81\x00\x03x",
        EMPTY[:1] + (3).to_bytes(8, "little") + b"\x01" + b"\x83" + b"\x80" * 9 + b"x",
        table({b"w" * 65_521: 1}) + b"xxx",
    ],
    ids=["short", "version", "no count", "no word", "cut", "more", "sum", "no bytes", "longer", "endless", "large"],
)
def test_does_not_start_from_a_state_that_is_not_its_own(start, state):
    """A state that is no table, cut, or whose counts do not add up stops the start rather than count wrong."""
    with pytest.raises(Trap) as refused:
        start("counter", state=state)
    assert refused.value.reason is TrapReason.INSTANTIATION


@given(st.binary(min_size=1, max_size=100) | st.binary(max_size=60).map(lambda more: EMPTY + more))
def test_starts_from_any_bytes_or_refuses_them(start, state):
    """Whatever bytes are given as its state, it starts with a table that adds up, or does not start."""
    try:
        counter = start("counter", state=state)
    except Trap as refused:
        assert refused.reason is TrapReason.INSTANTIATION  # noqa: PT017 (most bytes are refused, and some are a table)
        return
    ask(counter, 10_000)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"\nword",
        b"\ntop",
        b"\ntop ",
        b"\ntop -1",
        b"\ntop 1 ",
        b"\ntop 1 2",
        b"\ntop 99999999999",
        b"\ntop 1\0",
    ],
)
def test_refuses_what_is_neither_word_nor_question(start, content):
    """An empty content and a question it does not know get the error code -1 and are not counted."""
    counter = start("counter")
    with pytest.raises(GuestError) as refused:
        turn(counter, content)
    assert refused.value.code == -1
    assert ask(counter, 1).total == 0


@pytest.mark.parametrize(
    "raw", [b"", b"word", msgspec.msgpack.encode({"content": b"word"}), b"\x81\xa7content\xc4\xff"]
)
def test_refuses_what_is_no_message(start, raw):
    """Bytes that are no whole message get the error code -1 and are not counted."""
    counter = start("counter")
    with pytest.raises(GuestError) as refused:
        counter.handle(raw)
    assert refused.value.code == -1
    assert ask(counter, 1).total == 0


def test_a_failure_is_no_word(start):
    """A failure, which tells that its answer did not arrive, is passed over and not counted."""
    counter = start("counter")
    assert turn(counter, b"word", "failure") is None
    tell(counter, b"word")
    assert ask(counter, 5) == Report(1, 1, ((b"word", 1),))


@pytest.mark.parametrize("asked", [10_001, 0xFFFFFFFF])
def test_refuses_to_report_more_than_ten_thousand_words(start, asked):
    """A report beyond its bound is refused rather than cut."""
    with pytest.raises(GuestError):
        ask(start("counter"), asked)
