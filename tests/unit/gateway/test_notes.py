"""What the audit is told of who comes: each kind once, and then how often; a flood of any kind is a few rows."""

from collections import Counter

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from caxton.errors import AccessDenied, FailedTooOften, TokenMissing
from caxton.gateway.access.access import Refusal, refused
from caxton.gateway.access.notes import (
    FOLD_S,
    MOST_OF_TOKEN,
    MOST_OF_TOKENS,
    MOST_STRANGERS,
    OTHER_ADDRESSES,
    OTHER_TOKENS,
    VARIOUS,
    AccessNotes,
)
from caxton.wire.audit import MAX_FILTER, MAX_NOTES, AccessNote, NoteAccess

HERE, TOKEN = "address:192.0.2.7", "token:1f"


@pytest.fixture
def notes():
    return AccessNotes()


def told(found):
    return [(note.principal, note.subject, note.outcome) for note in found]


def as_sent(found):
    """What arrives of it."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(NoteAccess(found)), type=NoteAccess).notes


def test_the_first_is_told_at_once_and_the_rest_after_a_minute(notes):
    """With how often, and when the first of these was; then it is forgotten."""
    notes.denied(HERE, "GET /v1/agents", TokenMissing(), 1)
    assert told(notes.take(0.0)) == [(HERE, "GET /v1/agents", "no token")]
    for at in (2, 3, 4):
        notes.denied(HERE, "GET /v1/agents", TokenMissing(), at)
        assert notes.take(FOLD_S - 1) == []
    (note,) = notes.take(FOLD_S)
    assert (note.at, note.outcome) == (2, "no token; 3 times")
    assert notes.take(2 * FOLD_S) == []
    assert len(notes) == 0


def test_an_address_has_one_kind_for_each_reason(notes):
    """Whatever it asked for: paths are whatever a stranger likes."""
    for number in range(100):
        notes.denied(HERE, f"GET /v1/{number}", TokenMissing(), 1)
    assert told(notes.take(0.0)) == [(HERE, VARIOUS, "no token; 100 times")]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (refused(Refusal.REVOKED, "1f"), "the token is revoked"),
        (FailedTooOften(1.0), "too many tokens were refused"),
        (AccessDenied("role", "admin", "viewer"), "it takes the role admin; the token ci"),
        (AccessDenied("agents", "sender", "sender", "shop"), "it is about the agent shop; the token ci"),
        (AccessDenied("agents", "viewer", "viewer"), "it is about all agents; the token ci"),
        ("a page of 'http://x' asks nothing here", "a page of 'http://x' asks nothing here"),
    ],
)
def test_the_reason_is_told(notes, error, outcome):
    """Which whoever was refused does not always learn; with the name of a token that was let in."""
    notes.denied(TOKEN, "GET /v1/workers", error, 1, "ci" if isinstance(error, AccessDenied) else "")
    assert told(notes.take(0.0)) == [(TOKEN, "GET /v1/workers", outcome)]


def test_a_flood_is_so_many_rows_in_a_minute_and_no_more(notes):
    """Of addresses, of tokens and of one token; what is beyond is counted, and nobody's flood is another's silence."""
    for number in range(1_000):
        notes.denied(f"address:2001:db8::{number:x}", "GET /", TokenMissing(), 1)
    for number in range(1_000):
        notes.denied(TOKEN, f"GET /v1/agents/{number}", "no", 1)
    notes.note("sign_in", "token:2f", "dashboard", "from 192.0.2.7", 1)
    found = notes.take(0.0)
    of = Counter(note.principal for note in found)
    assert of[OTHER_ADDRESSES] == 1
    assert sum(number for principal, number in of.items() if principal.startswith("address:")) == MOST_STRANGERS + 1
    assert of[TOKEN] == MOST_OF_TOKEN + 1
    assert of["token:2f"] == 1
    various = {note.principal: note.outcome for note in found if note.outcome.startswith(VARIOUS)}
    assert various == {OTHER_ADDRESSES: "various; 936 times", TOKEN: "various; 984 times"}

    for number in range(10 * MOST_OF_TOKENS):
        notes.denied(f"token:{number}", "GET /", "no", 1)
    found = notes.take(1.0)
    assert [note.outcome for note in found if note.principal == OTHER_TOKENS] != []
    assert len(found) <= MOST_OF_TOKENS + 1
    assert len(as_sent(found)) == len(found)


TEXTS = st.text(max_size=400)


@given(
    st.lists(
        st.tuples(st.integers(0, 700), TEXTS, TEXTS, st.sampled_from(["deny", "sign_in", "sign_out"])), max_size=60
    )
)
def test_whatever_comes_is_told_within_bounds_and_all_of_it_is_counted(came):
    """In one call that the supervisor takes, as printable lines."""
    notes = AccessNotes()
    for number, subject, outcome, action in came:
        notes.note(action, f"token:{number}" if number % 2 else f"address:{number}", subject, outcome, number)
    found = notes.take(0.0)
    assert len(found) <= MAX_NOTES
    assert as_sent(found) == found
    assert all(
        len(text) <= MAX_FILTER and text.isprintable() for note in found for text in (note.subject, note.outcome)
    )
    counted = [note.outcome.rpartition("; ")[2] for note in found]
    many = [int(text.removesuffix(" times")) for text in counted if text.endswith(" times") and text[0].isdigit()]
    assert len(came) <= len(found) + sum(many)


def test_no_more_kinds_are_kept_than_are_told(notes):
    """Whatever combination of actions and principals."""
    for number in range(5_000):
        action = ("deny", "sign_in", "sign_out")[number % 3]
        notes.note(action, f"token:{number % 40}", str(number), "x", 1)
        notes.note("deny", f"address:{number}", str(number), str(number), 1)
        notes.note(action, f"token:{number}", str(number), "x", 1)
    assert len(notes) <= MAX_NOTES
    assert len(as_sent(notes.take(0.0))) == len(notes)


def test_what_is_no_principal_of_a_gateway_is_not_taken():
    """Nobody notes anything for the owner, or for the runtime itself."""
    for principal in ("", "runtime", "uid:0", "alice"):
        with pytest.raises(msgspec.ValidationError):
            as_sent([AccessNote(1, "deny", principal, "", "")])
    with pytest.raises(msgspec.ValidationError):
        as_sent([AccessNote(1, "create_token", TOKEN, "", "")])
