"""An audit of several files is looked through: whatever is done to one of them is found, as far as anchors go."""

import hypothesis.strategies as st
import pytest
from hypothesis import given
from msgspec.structs import replace

from caxton.wire.anchors import ANCHOR, anchors_in, anchors_text
from caxton.wire.audit import ROOM, AuditHead, AuditPage, Entry, Kind, chain_of, linked
from caxton.wire.audit_check import FileCheck, KeptHead, SupervisorCheck, gone

FILE, SHARD, OTHER = 5, 1 << 40, 1 << 41
TEXTS = st.text(max_size=10)


class Chain:
    """A chain that grows."""

    def __init__(self, name):
        self.name = name
        self.rows = []

    @property
    def head(self):
        return AuditHead(self.name, 1, len(self.rows), self.rows[-1].hash if self.rows else b"")

    def add(self, action="pause", subject="a", outcome="done", at=1):
        entry = Entry(at, action, "", subject, outcome)
        self.rows.append(linked(entry, self.name, len(self.rows) + 1, self.head.hash))
        return self.rows[-1]

    def written_anew(self, number):
        """Return the rows as somebody writes them who changes one, and all hashes from there on."""
        other = Chain(self.name)
        for row in self.rows:
            other.add(row.action, row.subject, "something else" if row.number == number else row.outcome, row.at)
        return other


class Runtime:
    """A supervisor's file, row by row in its order, and the chains of two shards."""

    def __init__(self):
        self.own = {kind: Chain(chain_of(FILE, kind)) for kind in Kind}
        self.rows = []
        self.shards = [Chain(SHARD), Chain(OTHER)]

    def note(self, kind, **told):
        self.rows.append(self.own[kind].add(**told))

    def anchor(self):
        heads = [*(chain.head for kind, chain in self.own.items() if kind is not Kind.ANCHORS)]
        heads = [head for head in (*(shard.head for shard in self.shards), *heads) if head.last]
        self.note(Kind.ANCHORS, action=ANCHOR, outcome=anchors_text(heads))
        return KeptHead(self.own[Kind.ANCHORS].head.last, self.own[Kind.ANCHORS].head.hash)

    def faults(self, kept=None, rows=None, heads=None, shards=None, most_rows=100_000, room=ROOM):
        """Look it through, a row a page."""
        check = SupervisorCheck(kept, room)
        feed(check, self.rows if rows is None else rows, heads or [chain.head for chain in self.own.values()])
        found = check.faults()
        checks = []
        for chain in self.shards if shards is None else shards:
            one = FileCheck(check.anchored, most_rows)
            feed(one, chain.rows, [chain.head] if chain.rows else [])
            found += one.faults()
            checks.append(one)
        return [*found, *gone(check.anchored, checks)]


def feed(check, rows, heads):
    for row in rows:
        check.take(AuditPage([row], heads, 0, more=True))
    check.take(AuditPage([], heads, 0))


@pytest.fixture
def runtime():
    """Something of everything, and two anchors."""
    made = Runtime()
    for number in range(3):
        made.note(Kind.OPERATIONS, at=number)
        made.note(Kind.STRANGERS, at=number)
        for shard in made.shards:
            shard.add(at=number)
    made.anchor()
    made.note(Kind.ACCESS)
    for _ in range(3):
        made.shards[0].add()
    made.anchor()
    made.note(Kind.INCIDENTS)
    made.shards[0].add()
    return made


def test_what_was_written_is_whole(runtime):
    """Also with rows behind the last anchor, and a shard in which nothing was done."""
    assert runtime.faults() == []
    assert Runtime().faults() == []


@pytest.mark.parametrize("number", range(1, 7))
def test_a_shards_chain_that_was_written_anew_is_found(runtime, number):
    """From whichever row on that an anchor speaks for, though every hash and the head fit; its place is bracketed."""
    anew = runtime.shards[0].written_anew(number)
    (fault,) = runtime.faults(shards=[anew, runtime.shards[1]])
    bracket = "1 to 3" if number <= 3 else "4 to 6"
    assert fault.startswith(f"chain {SHARD:016x}: rows were written anew, of {bracket}")


def test_a_shards_chain_that_was_cut_is_found(runtime):
    """With a head that fits: at its end below the last anchor, at its beginning, and as a whole."""
    first, second = runtime.shards
    short = Chain(SHARD)
    short.rows = first.rows[:4]
    (fault,) = runtime.faults(shards=[short, second])
    assert "row 5 is gone: an anchor has the hash of row 6" in fault

    check = SupervisorCheck()
    feed(check, runtime.rows, [chain.head for chain in runtime.own.values()])
    assert check.faults() == []
    begun_later = FileCheck(check.anchored)
    feed(begun_later, first.rows[2:], [replace(first.head, first=3)])
    (fault,) = begun_later.faults()
    assert "row 1 is gone: there was room for it" in fault

    empty = Chain(OTHER)
    (fault,) = runtime.faults(shards=[first, empty])
    assert fault == f"chain {OTHER:016x}: it is gone, of which an anchor has the hash of row 3"


def test_rows_that_made_room_are_nobodys_fault(runtime):
    """Where the file is full: some of a chain, or all of it."""
    check = SupervisorCheck()
    feed(check, runtime.rows, [chain.head for chain in runtime.own.values()])
    assert check.faults() == []
    first = runtime.shards[0]
    full = FileCheck(check.anchored, most_rows=5)
    feed(full, first.rows[2:], [replace(first.head, first=3)])
    assert full.faults() == []
    assert gone(check.anchored, [full]) == []


def test_rows_that_make_room_while_they_are_read_are_nobodys_fault(runtime):
    """The chain goes on where the file says that it begins now."""
    first = runtime.shards[0]
    check = FileCheck({}, most_rows=3)
    check.take(AuditPage(first.rows[:2], [first.head], 0, more=True))
    check.take(AuditPage(first.rows[4:], [replace(first.head, first=5)], 0))
    assert check.faults() == []


@given(st.data())
def test_any_change_of_the_supervisors_file_is_found(data):
    """A row that is changed, gone, there twice or moved, an end that was cut: with a head that was kept, always."""
    runtime = Runtime()
    for kind in data.draw(st.lists(st.sampled_from([kind for kind in Kind if kind is not Kind.ANCHORS]), min_size=1)):
        runtime.note(kind, at=data.draw(st.integers(0, 1 << 50)), subject=data.draw(TEXTS))
    kept = runtime.anchor()
    rows = runtime.rows
    at = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(["at", "action", "principal", "subject", "outcome", "previous", "hash", "number"]))
    before = getattr(rows[at], name)
    after = before + 1 if isinstance(before, int) else before + type(before)(b"x" if name in HASHES else "x")
    assert runtime.faults(kept) == []
    for broken in (
        [*rows[:at], replace(rows[at], **{name: after}), *rows[at + 1 :]],
        [*rows[:at], *rows[at + 1 :]],
        [*rows[: at + 1], *rows[at:]],
        rows[:at],
        rows[at + 1 :],
    ):
        assert runtime.faults(kept, rows=broken)


HASHES = {"previous", "hash"}


@given(st.lists(st.sampled_from([Kind.OPERATIONS, Kind.STRANGERS]), min_size=2, max_size=8), st.data())
def test_two_rows_that_change_places_are_found(kinds, data):
    """Of one chain, wherever they are."""
    runtime = Runtime()
    for number, kind in enumerate(kinds):
        runtime.note(kind, at=number)
    rows = runtime.rows
    pairs = [(a, b) for a in range(len(rows)) for b in range(a + 1, len(rows)) if rows[a].chain == rows[b].chain]
    if pairs:
        one, two = data.draw(st.sampled_from(pairs))
        swapped = [*rows]
        swapped[one], swapped[two] = rows[two], rows[one]
        assert runtime.faults(rows=swapped)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.ANCHORS])
def test_the_supervisors_other_chains_are_anchored_too(kind):
    """One of them that was written anew as a whole, with its head, is not what the anchor behind it says."""
    runtime = Runtime()
    runtime.note(kind)
    runtime.note(kind)
    runtime.anchor()
    anew = runtime.own[kind].written_anew(1)
    rows = [anew.rows[row.number - 1] if row.chain == anew.name else row for row in runtime.rows]
    heads = [anew.head if chain.name == anew.name else chain.head for chain in runtime.own.values()]
    (fault,) = runtime.faults(rows=rows, heads=heads)
    assert fault.startswith(f"chain {anew.name:016x}: row 2 is not what was anchored")


def test_whoever_writes_everything_anew_is_found_by_a_head_that_was_kept(runtime):
    """And by nothing else: every hash fits then."""
    kept = runtime.anchor()
    other = Runtime()
    other.note(Kind.OPERATIONS, subject="another")
    for _ in range(5):
        later = other.anchor()
    assert other.faults() == []
    assert other.faults(later) == []
    (fault,) = other.faults(kept)
    assert fault == "anchors were written anew: row 3 has another hash than the head that was kept"
    (fault,) = runtime.faults(later)
    assert fault == "row 5 of the anchors is gone, whose hash was kept"


def test_a_head_that_was_kept_before_its_row_made_room_is_told(runtime):
    """It cannot be compared any more, and that is not passed over."""
    kept = KeptHead(1, runtime.own[Kind.ANCHORS].rows[0].hash)
    rows = [row for row in runtime.rows if row.hash != kept.hash]
    heads = [
        replace(chain.head, first=2) if kind is Kind.ANCHORS else chain.head for kind, chain in runtime.own.items()
    ]
    (fault,) = runtime.faults(kept, rows=rows, heads=heads, room=ROOM | {Kind.ANCHORS: 1})
    assert "has made room" in fault
    begun, gone = runtime.faults(kept, rows=rows, heads=heads)
    assert begun.endswith("row 1 is gone: there was room for it")
    assert gone == "row 1 of the anchors is gone, whose hash was kept"


@pytest.mark.parametrize("kind", Kind)
def test_the_beginning_of_a_supervisors_chain_is_there_unless_it_is_full(kind):
    """Whichever of them: rows may make room only where exactly as many are kept as there is room for."""
    runtime = Runtime()
    for number in range(4):
        runtime.note(Kind.OPERATIONS, at=number)
        if kind not in {Kind.OPERATIONS, Kind.ANCHORS}:
            runtime.note(kind, at=number)
        kept = runtime.anchor()
    cut = runtime.own[kind]
    for first in (2, 3, 4, 5):
        rows = [row for row in runtime.rows if row.chain != cut.name or row.number >= first]
        heads = [replace(chain.head, first=first) if chain is cut else chain.head for chain in runtime.own.values()]
        is_anchors = [kept] if kind is not Kind.ANCHORS or first < 5 else []
        for head in (None, *is_anchors):
            assert runtime.faults(head, rows=rows, heads=heads, room=ROOM | {kind: 5 - first}) == []
            (fault,) = runtime.faults(head, rows=rows, heads=heads, room=ROOM | {kind: 6 - first})
            assert fault == f"chain {cut.name:016x}: row {first - 1} is gone: there was room for it"


@pytest.mark.parametrize("later", [0, 1, 3, 4])
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.ANCHORS])
def test_a_supervisors_chain_that_was_emptied_and_begun_anew_is_found(kind, later):
    """Under its name, with any number of rows, anchored as it is then: by the anchors of before, and so by a head."""
    runtime = Runtime()
    for number in range(3):
        runtime.note(kind, at=number)
    kept = runtime.anchor()
    name = chain_of(FILE, kind)
    runtime.own[kind] = Chain(name)
    runtime.rows = [row for row in runtime.rows if row.chain != name]
    for number in range(later):
        runtime.note(kind, at=number, subject="anew")
        runtime.anchor()
    for head in (None, kept):
        (fault,) = runtime.faults(head)
        assert fault == f"chain {name:016x}: row 1 is not what was anchored, or is gone"


def test_anchors_that_were_emptied_and_begun_anew_are_found_by_a_head_that_was_kept(runtime):
    """Whatever they have come to meanwhile."""
    kept = runtime.anchor()
    anchors = chain_of(FILE, Kind.ANCHORS)
    runtime.own[Kind.ANCHORS] = Chain(anchors)
    runtime.rows = [row for row in runtime.rows if row.chain != anchors]
    for _ in range(5):
        (fault,) = runtime.faults(kept)
        assert "anchors" in fault
        runtime.anchor()


@pytest.mark.parametrize("kind", Kind)
def test_a_chain_that_is_gone_with_its_head_is_found(runtime, kind):
    """The supervisor's file has all of them, from the first moment on."""
    name = chain_of(FILE, kind)
    rows = [row for row in runtime.rows if row.chain != name]
    heads = [chain.head for chain in runtime.own.values() if chain.name != name]
    assert f"chain {name:016x}: it is gone" in runtime.faults(rows=rows, heads=heads)


def test_a_file_of_somebody_else_is_found(runtime):
    """Chains of two files in one, and none at all."""
    heads = [chain.head for chain in runtime.own.values()]
    stranger = AuditHead(chain_of(FILE + 1, Kind.OPERATIONS), 1, 0, b"")
    assert "it has chains of several files" in runtime.faults(heads=[*heads, stranger])
    check = SupervisorCheck()
    check.take(AuditPage([], [], 0))
    assert check.faults() == ["its chains are gone"]


@given(st.lists(st.builds(AuditHead, *[st.integers(0, (1 << 63) - 1)] * 3, st.binary(min_size=32, max_size=32))))
def test_heads_are_read_as_they_were_written(heads):
    """However many of them."""
    if heads:
        assert anchors_in(anchors_text(heads)) == heads


@pytest.mark.parametrize("text", ["", "x", "1:2:3:4", "\u0660" * 16 + ":1:1:" + "0" * 64, f"{1:016x}:1:1:{'0' * 64} "])
def test_what_is_no_head_is_refused(text):
    """And an anchor with it is broken at its row."""
    with pytest.raises(ValueError, match="no head"):
        anchors_in(text)
    runtime = Runtime()
    runtime.note(Kind.ANCHORS, action=ANCHOR, outcome=text)
    (fault,) = runtime.faults()
    assert fault.endswith("row 1 is no anchor")


@pytest.mark.parametrize("text", ["", "1", "0:" + "0" * 64, "1:" + "0" * 63, "-1:" + "0" * 64, "1:" + "g" * 64])
def test_what_is_no_kept_head_is_refused(text):
    """NUMBER:HASH is what it has to be."""
    with pytest.raises(ValueError, match="NUMBER:HASH"):
        KeptHead.read(text)
    assert str(KeptHead.read(f" 7:{'AB' * 32}\n")) == f"7:{'ab' * 32}"


@pytest.mark.parametrize("rows_later", [0, 1, 6, 2_000])
@pytest.mark.parametrize("cut_at", [1, 3, 5])
def test_what_was_cut_is_found_though_it_was_anchored_as_it_is_then(runtime, cut_at, rows_later):
    """At the next start an anchor has the chain as it is then, and others follow: those of before say more."""
    shard = runtime.shards[0]
    del shard.rows[cut_at:]
    for _ in range(rows_later):
        runtime.anchor()
        shard.add(outcome="later")
    runtime.anchor()
    (fault,) = runtime.faults()
    assert fault.startswith(f"chain {SHARD:016x}: row")


def test_what_was_written_anew_is_found_though_it_was_anchored_as_it_is_then(runtime):
    """By the anchors of before, also when the rows that they have are gone after that."""
    runtime.shards[0] = runtime.shards[0].written_anew(1)
    del runtime.shards[0].rows[6:]
    runtime.anchor()
    (fault,) = runtime.faults()
    assert "rows were written anew, of 1 to 3" in fault
    check = SupervisorCheck()
    feed(check, runtime.rows, [chain.head for chain in runtime.own.values()])
    assert check.anchored[SHARD].fault == "rows were written anew: anchors have two hashes of row 6"


def test_rows_that_went_from_the_beginning_are_found_though_that_was_anchored(runtime):
    """The lowest first row that any anchor has is what it should be, while the file is not full."""
    first = runtime.shards[0]
    later = replace(first.head, first=3)
    runtime.note(Kind.ANCHORS, action=ANCHOR, outcome=anchors_text([later]))
    check = SupervisorCheck()
    feed(check, runtime.rows, [chain.head for chain in runtime.own.values()])
    assert check.faults() == []
    cut = FileCheck(check.anchored)
    feed(cut, first.rows[2:], [later])
    (fault,) = cut.faults()
    assert "row 1 is gone: there was room for it" in fault
