"""Rows of several files in one order of time: each once, whatever the pages, and whichever way they are read."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from caxton.client.calls.audit_pages import AuditPages
from caxton.errors import ValidationError
from caxton.wire.audit import AuditPage, Entry, ReadAudit, fits, linked


class File:
    """A file with these rows, which looks at so many for one page."""

    def __init__(self, chain, moments, looks_at=3):
        self.rows = [
            (place, linked(Entry(at, "pause", f"token:{at % 3}", "a"), chain, place, b""))
            for place, at in enumerate(moments, 1)
        ]
        self.looks_at = looks_at
        self.asked = 0

    async def ask(self, asked):
        self.asked += 1
        if asked.backwards:
            rows = [pair for pair in reversed(self.rows) if not asked.after or pair[0] < asked.after]
        else:
            rows = [pair for pair in self.rows if pair[0] > asked.after]
        looked_at = rows[: min(self.looks_at, asked.limit)]
        found = [pair for pair in looked_at if fits(pair[1], asked)]
        after = looked_at[-1][0] if looked_at else asked.after
        return AuditPage(
            [row for _, row in found], [], after, len(rows) > len(looked_at), [place for place, _ in found]
        )


async def all_pages(files, asked, limit):
    """Read page after page, each by the cursor of the one before, as whoever keeps nothing does."""
    cursor, found = "", []
    while cursor is not None:
        page = await AuditPages([file.ask for file in files], asked, cursor).page(limit)
        assert len(page.rows) <= limit
        found.append(page.rows)
        cursor = page.next
    return [row for rows in found for row in rows]


MOMENTS = st.lists(st.integers(0, 20), max_size=12)


@given(st.lists(MOMENTS, min_size=1, max_size=4), st.integers(1, 7), st.booleans(), st.sampled_from([None, "token:1"]))
async def test_each_row_comes_once_and_each_file_in_its_order(moments, limit, backwards, principal):
    """Whatever clocks have said; of files whose clocks only went on, all are in the order of time."""
    files = [File(chain, own) for chain, own in enumerate(moments)]
    asked = ReadAudit(backwards=backwards, principal=principal)
    found = await all_pages(files, asked, limit)
    for chain, file in enumerate(files):
        wanted = [row.number for _, row in file.rows if fits(row, asked)]
        own = [row.number for row in found if row.chain == chain]
        assert own == (wanted[::-1] if backwards else wanted)
    if all(own == sorted(own) for own in moments):
        times = [row.at for row in found]
        assert times == sorted(times, reverse=backwards)


async def test_a_file_is_read_when_its_rows_are_taken():
    """And not before: a page of one row asks each file once."""
    files = [File(0, range(100), 10), File(1, range(50, 150), 10)]
    pages = AuditPages([file.ask for file in files], ReadAudit())
    for number in range(10):
        (row,) = (await pages.page(1)).rows
        assert row.at == number
    assert [file.asked for file in files] == [1, 1]
    await pages.page(1)
    assert [file.asked for file in files] == [2, 1]


async def test_a_page_has_so_many_calls():
    """Then it is told as far as it is, and goes on from there."""
    file = File(0, [0] * 1_000 + [1], 3)
    pages = AuditPages([file.ask], ReadAudit(principal="token:1"))
    page = await pages.page(10)
    assert (page.rows, file.asked) == ([], 100)
    found = await all_pages([file], ReadAudit(principal="token:1"), 10)
    assert [row.at for row in found] == [1]


async def test_what_comes_later_is_behind_a_cursor():
    """Of whoever reads oldest first; newest first it is not told again."""
    file = File(0, [1, 2])
    onwards = await AuditPages([file.ask], ReadAudit()).page(1)
    back = await AuditPages([file.ask], ReadAudit(backwards=True)).page(1)
    file.rows = File(0, [1, 2, 3]).rows
    rest = await AuditPages([file.ask], ReadAudit(), onwards.next).page(10)
    before = await AuditPages([file.ask], ReadAudit(backwards=True), back.next).page(10)
    assert [row.at for row in rest.rows] == [2, 3]
    assert [row.at for row in before.rows] == [1]


@pytest.mark.parametrize("cursor", ["x", "f", "f-", "f-1-2", "b-1", "f--1", "f-" + "9" * 19, "f-\u0661", "f-1\n"])
def test_what_is_no_cursor_of_this_list_is_refused(cursor):
    """Also one of the other direction, and of another number of files."""
    with pytest.raises(ValidationError, match="cursor"):
        AuditPages([File(0, []).ask], ReadAudit(), cursor)
