"""A splitter's totals, as the demo reads them."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.demo.totals import QUESTION, Totals
from caxton.errors import InvalidMessageFormat

NUMBER = st.integers(0, 2**64 - 1)


def written(totals):
    return (
        b"SPL1" + struct.pack("<QQQQ", totals.turns, totals.texts, totals.words, totals.failures) + totals.first_failure
    )


@given(NUMBER, NUMBER, NUMBER, st.integers(1, 2**64 - 1), st.binary(max_size=50))
def test_reads_what_a_splitter_writes(turns, texts, words, failures, first_failure):
    """Totals are read as they were written."""
    totals = Totals(max(turns, texts), min(turns, texts), words, failures, first_failure)
    assert Totals.parse(written(totals)) == totals


@pytest.mark.parametrize(
    "content",
    [
        b"",
        QUESTION,
        b"SPL1",
        written(Totals(1, 1, 1, 0))[:-1],
        b"SPL2" + written(Totals(1, 1, 1, 0))[4:],
        written(Totals(1, 2, 1, 0)),
        written(Totals(1, 1, 1, 0, b"why")),
    ],
    ids=["empty", "its question", "no numbers", "too short", "another version", "more texts than turns", "no failure"],
)
def test_refuses_what_no_splitter_says(content):
    """What is no totals, and numbers that do not fit together, are refused."""
    with pytest.raises(InvalidMessageFormat):
        Totals.parse(content)
