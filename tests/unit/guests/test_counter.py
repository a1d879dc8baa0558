"""The counter agent, against collections.Counter."""

from collections import Counter, deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caxton.agents.limits import MIB, Limits
from caxton.demo.report import Report, question
from workers.sandbox.traps import GuestError, Trap

# Few letters, so that words repeat, begin alike and tie.
SMALL_WORDS = st.lists(st.sampled_from([b"a", b"b", b"\x00", b"\xff"]), min_size=1, max_size=3).map(b"".join)
WORDS = SMALL_WORDS | st.binary(min_size=1).filter(lambda word: not word.startswith(b"\n"))


def ordered(counts):
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def ask(counter, top, skip=0):
    return Report.parse(counter.handle(question(top, skip)))


@settings(deadline=None)
@given(st.lists(WORDS, max_size=300), st.integers(0, 40), st.integers(0, 10))
def test_counts_like_a_counter(start, words, top, skip):
    """Totals, distinct words and the most frequent ones equal those of collections.Counter, ties in byte order."""
    counter, counts = start("counter"), Counter(words)
    for word in words:
        assert counter.handle(word) is None
    report = ask(counter, top, skip)
    assert (report.total, report.distinct) == (len(words), len(counts))
    assert list(report.top) == [(word, count) for word, count in ordered(counts)][skip : skip + top]


def test_goes_on_counting_after_a_report(start):
    """A report changes nothing: the next one holds the words counted before and after it."""
    counter = start("counter")
    counter.handle(b"once")
    assert ask(counter, 5) == Report(1, 1, ((b"once", 1),))
    counter.handle(b"once")
    assert ask(counter, 5) == Report(2, 1, ((b"once", 2),))


def test_a_report_of_nothing_counted_is_empty(start):
    """A counter that has counted no word says so."""
    assert ask(start("counter"), 20) == Report(0, 0, ())


def test_grows_with_the_words(start):
    """200,000 different words and as many repetitions are all there after the table has grown many times."""
    counter = start("counter")
    words = [b"%x" % (n * 2_654_435_761 % 2**32) for n in range(200_000)]
    for word in words + words[:100_000]:
        counter.handle(word)
    report = ask(counter, 10_000)
    assert (report.total, report.distinct) == (300_000, 200_000)
    assert list(report.top) == ordered(Counter(words[:100_000]) + Counter(words[:100_000]))[:10_000]


def test_counts_long_words(start):
    """Words up to 1 MiB that differ only in their last byte are different words."""
    counter = start("counter")
    words = [b"x" * (MIB - 1) + bytes([last]) for last in b"abb"]
    for word in words:
        counter.handle(word)
    assert ask(counter, 1).top == ((words[1], 2),)
    assert ask(counter, 1, skip=1).top == ((words[0], 1),)


def test_a_report_ends_early_but_never_empty(start):
    """Words too long for one report come in several, and the report says by its total that there is more."""
    counter = start("counter")
    words = [*(bytes([letter]) * 400_000 for letter in b"abc"), b"d" * MIB]
    for word in words:
        counter.handle(word)
    found = []
    while len(found) < len(words):
        report = ask(counter, len(words) - len(found), skip=len(found))
        assert report.top
        found += report.top
    assert found == [(word, 1) for word in words]
    assert len(ask(counter, 4).top) == 2


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
        b"\ntop 1 2 3",
        b"\ntop 99999999999",
        b"\ntop 1\0",
    ],
)
def test_refuses_what_is_neither_word_nor_question(start, content):
    """An empty content and a question it does not know get the error code -1 and are not counted."""
    counter = start("counter")
    with pytest.raises(GuestError) as refused:
        counter.handle(content)
    assert refused.value.code == -1
    assert ask(counter, 1).total == 0


@pytest.mark.parametrize("asked", [(10_001, 0), (1, 10_000), (0xFFFFFFFF, 0xFFFFFFFF)])
def test_refuses_to_report_more_than_ten_thousand_words(start, asked):
    """A report beyond its bound is refused rather than cut."""
    with pytest.raises(GuestError):
        ask(start("counter"), *asked)


def test_traps_when_memory_is_refused(start):
    """Out of memory it traps instead of counting wrong, and up to there every count was right."""
    counter = start("counter", Limits(max_memory_bytes=MIB, max_fuel=10**9))
    for number in range(10_000):
        counter.handle(b"word number %d" % number)
    report = ask(counter, 1)
    assert (report.total, report.distinct) == (10_000, 10_000)
    with pytest.raises(Trap):
        deque((counter.handle(b"word number %d" % number) for number in range(10_000, 1_000_000)), maxlen=0)
