"""Marks of peers, numbers of sessions."""

from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from caxton.acl.envelope import SEAL_BYTES, Cause, Waiters
from caxton.errors import SecurityError
from caxton.ids import BROADCAST, SESSION_BIT, AgentId
from caxton.links.session import SessionMarks, session_id

KEY = bytes(range(32))
PEERS = st.integers(0, BROADCAST)


@given(peer=PEERS)
def test_a_mark_is_good_for_its_peer_and_key(peer):
    """Sixteen bytes of keyed BLAKE2b over the number, high byte first."""
    mark = SessionMarks(KEY).mark(peer)
    assert mark == blake2b(peer.to_bytes(8, "big"), digest_size=16, key=KEY).digest()
    assert SessionMarks(KEY).verify(peer, mark)
    assert not SessionMarks(bytes(32)).verify(peer, mark)


@given(peer=PEERS, other=PEERS, noise=st.binary(max_size=20))
def test_no_other_mark_is_good(peer, other, noise):
    """Neither another peer's, nor a shorter, longer or invented one."""
    marks = SessionMarks(KEY)
    mark = marks.mark(peer)
    assert marks.verify(other, mark) == (peer == other)
    assert not marks.verify(peer, noise)
    assert not marks.verify(peer, mark[:-1])
    assert not marks.verify(peer, mark + b"\0")


@given(peer=PEERS, one=st.text(st.characters(exclude_categories=["Cs"])), two=st.text(max_size=3))
def test_a_mark_is_good_for_one_principal(peer, one, two):
    """One that was made for a principal vouches for no other one, nor for the session alone."""
    marks = SessionMarks(KEY)
    two = one + "x" + two.encode(errors="replace").decode()
    assert marks.verify(peer, marks.mark(peer, one), one)
    assert not marks.verify(peer, marks.mark(peer, one), two)
    assert marks.verify(peer, marks.mark(peer, one)) == (one == "")


@pytest.mark.parametrize("size", [0, 15, 65])
def test_a_key_that_is_too_short_or_too_long_is_refused(size):
    """An empty key would let anybody make marks."""
    with pytest.raises(SecurityError, match=f"not {size}"):
        SessionMarks(bytes(size))


@given(bits=st.integers(0, 1 << 70))
def test_a_session_is_never_taken_for_an_agent_or_for_everybody(bits):
    """Its top bit is set, and it is not all ones."""
    number = session_id(bits)
    assert SESSION_BIT <= number < BROADCAST
    assert AgentId(number).is_session


def test_all_random_bits_set_still_make_a_session():
    """All ones would be broadcast."""
    assert session_id((1 << 63) - 1) == BROADCAST - 1


CAUSE = Cause(2, b"r" * 16, "alice", 7, 9, Waiters((b"w" * 16,)))


@pytest.mark.parametrize(
    "other",
    [
        Cause(1, b"r" * 16, "alice", 7, 9, Waiters((b"w" * 16,))),
        Cause(2, b"s" * 16, "alice", 7, 9, Waiters((b"w" * 16,))),
        Cause(2, b"r" * 16, "bob", 7, 9, Waiters((b"w" * 16,))),
        Cause(2, b"r" * 16, "alice", 0, 9, Waiters((b"w" * 16,))),
        Cause(2, b"r" * 16, "alice", 7, 0, Waiters((b"w" * 16,))),
        Cause(2, b"r" * 16, "alice", 7, 9, Waiters(())),
        Cause(2, b"r" * 16, "alice", 7, 9),
    ],
)
def test_a_seal_is_good_for_one_cause_and_one_session(other):
    """Another cause, another session and another runtime have other seals, and no seal is a mark."""
    marks = SessionMarks(KEY)
    seal = marks.seal(SESSION_BIT, CAUSE)
    assert seal == SessionMarks(KEY).seal(SESSION_BIT, CAUSE)
    assert seal != blake2b(msgpack.encode((SESSION_BIT, CAUSE)), digest_size=SEAL_BYTES, key=KEY).digest()
    assert seal not in {
        marks.seal(SESSION_BIT, other),
        marks.seal(SESSION_BIT + 1, CAUSE),
        SessionMarks(bytes(32)).seal(SESSION_BIT, CAUSE),
    }
