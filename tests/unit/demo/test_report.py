"""A counter's report, as the demo reads it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.demo.report import Report, question, rank
from caxton.errors import InvalidMessageFormat

TOPS = st.dictionaries(st.binary(min_size=1, max_size=9), st.integers(1, 2**40), max_size=9).map(
    lambda counts: tuple(sorted(counts.items(), key=rank))
)


def written(report):
    entries = b"".join(struct.pack("<QI", count, len(word)) + word for word, count in report.top)
    return b"TOP1" + struct.pack("<QQI", report.total, report.distinct, len(report.top)) + entries


@st.composite
def reports(draw):
    top = draw(TOPS)
    distinct = draw(st.integers(len(top), 100))
    return Report(sum(count for _, count in top) + distinct, distinct, top)


@given(reports())
def test_reads_what_a_counter_writes(report):
    """A report is read as it was written."""
    assert Report.parse(written(report)) == report


@given(reports(), st.data())
def test_never_reads_part_of_a_report(report, data):
    """A report that was cut short or has bytes after its end is refused."""
    whole = written(report)
    with pytest.raises(InvalidMessageFormat):
        Report.parse(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(InvalidMessageFormat):
        Report.parse(whole + data.draw(st.binary(min_size=1, max_size=20)))


@pytest.mark.parametrize("asked", [question(20), question(5), b"", b"TOP1", b"TOP2" + bytes(20)])
def test_refuses_what_no_counter_says(asked):
    """An echo of the question, and anything else that is no report, is refused."""
    with pytest.raises(InvalidMessageFormat):
        Report.parse(asked)


@pytest.mark.parametrize(
    "report",
    [
        Report(3, 2, ((b"a", 1), (b"b", 2))),
        Report(4, 2, ((b"b", 2), (b"a", 2))),
        Report(4, 2, ((b"a", 2), (b"a", 2))),
        Report(2, 1, ((b"a", 1), (b"b", 1))),
        Report(2, 1, ((b"a", 3),)),
        Report(1, 2, ()),
    ],
    ids=["rising", "tie out of order", "twice", "more than distinct", "more than all", "fewer than distinct"],
)
def test_refuses_numbers_that_do_not_fit(report):
    """A report whose words are out of order or more than it claims is refused."""
    with pytest.raises(InvalidMessageFormat):
        Report.parse(written(report))
