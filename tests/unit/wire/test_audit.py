"""The chain of an audit: whatever is done to it is seen."""

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from caxton.wire.audit import AuditHead, Entry, linked
from caxton.wire.audit_check import faults

CHAIN = 77
TEXTS = st.text(max_size=20)
ENTRIES = st.builds(Entry, st.integers(0, 1 << 50), TEXTS, TEXTS, TEXTS, TEXTS)


def chain_of(entries, chain=CHAIN):
    """Return the rows that these entries are, and their head."""
    rows, previous = [], b""
    for number, entry in enumerate(entries, 1):
        rows.append(linked(entry, chain, number, previous))
        previous = rows[-1].hash
    return rows, AuditHead(chain, 1, len(rows), previous)


@given(st.lists(ENTRIES, min_size=1, max_size=8), st.data())
def test_a_chain_is_whole_and_any_change_of_it_is_found(entries, data):
    """A row that is changed, gone, put in twice or moved; an end that was cut; also with what makes room gone."""
    rows, head = chain_of(entries)
    at = data.draw(st.integers(0, len(rows) - 1))
    assert not [*faults(rows, [head])]
    assert not [*faults(rows[at:], [msgspec.structs.replace(head, first=at + 1)])]

    for name in ("at", "action", "principal", "subject", "outcome", "previous", "hash"):
        before = getattr(rows[at], name)
        after = before + 1 if name == "at" else before + type(before)(b"x" if isinstance(before, bytes) else "x")
        changed = [*rows[:at], msgspec.structs.replace(rows[at], **{name: after}), *rows[at + 1 :]]
        assert [*faults(changed, [head])]
    for broken in ([*rows[:at], *rows[at + 1 :]], [*rows[: at + 1], *rows[at:]], rows[:at], rows[at + 1 :]):
        assert [*faults(broken, [head])]
    assert [*faults(rows, [])]


def test_a_row_that_is_sealed_anew_breaks_the_next_one():
    """Whoever writes a row with its right hash has to write all that follow, and the head."""
    rows, head = chain_of([Entry(1, "pause", "", "a"), Entry(2, "resume", "", "a"), Entry(3, "remove", "", "a")])
    rows[1] = linked(Entry(2, "resume", "somebody else", "a"), CHAIN, 2, rows[0].hash)
    (fault,) = faults(rows, [head])
    assert fault == f"chain {CHAIN:016x}: row 3 does not follow the one before it"
    rows[2] = linked(Entry(3, "remove", "", "a"), CHAIN, 3, rows[1].hash)
    (fault,) = faults(rows, [head])
    assert fault.endswith("row 3 is not the last one that was written")


@pytest.mark.parametrize(("cut", "text"), [(0, "row 1 is gone"), (1, "row 2 is gone"), (2, "row 3 is gone")])
def test_the_first_row_that_is_gone_is_named(cut, text):
    """By its number."""
    rows, head = chain_of([Entry(number, "pause", "", "a") for number in range(3)])
    (fault,) = faults(rows[:cut] + rows[cut + 1 :], [head])
    assert fault == f"chain {CHAIN:016x}: {text}"


def test_chains_stand_beside_each_other():
    """One that is broken says nothing of another."""
    rows, head = chain_of([Entry(1, "pause", "", "a")])
    others, other = chain_of([Entry(1, "pause", "", "a"), Entry(2, "resume", "", "a")], CHAIN + 1)
    (fault,) = faults([others[1], *rows], [head, other])
    assert fault.startswith(f"chain {CHAIN + 1:016x}")
