import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.agents.names import NamePattern
from caxton.errors import ValidationError
from caxton.tokens.role import Role
from caxton.tokens.token import (
    EVERY_AGENT,
    Token,
    checked_expiry,
    checked_patterns,
    checked_role,
    checked_token_name,
    digest_of,
    token_text,
)

MOMENTS = st.integers(0, 1 << 62)


def token(**fields):
    about = {"token_id": "1f" * 8, "name": "ci", "role": Role.VIEWER, "agents": ("*",), "digest": bytes(32)}
    return Token(**about | {"created_at": 5} | fields)


def test_each_role_includes_those_before_it_and_no_other():
    """A viewer looks, a sender looks and sends, and so on."""
    assert [[role.includes(other) for other in Role] for role in Role] == [
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True, True, True, True],
    ]
    assert Role.OPERATOR.included == (Role.VIEWER, Role.SENDER, Role.OPERATOR)


@given(expires_at=MOMENTS | st.none(), revoked_at=MOMENTS | st.none(), now_ms=MOMENTS)
def test_a_token_is_over_from_its_end_on(expires_at, revoked_at, now_ms):
    """It ends at the very millisecond; one that was revoked is over at every time, whatever the clock says."""
    found = token(expires_at=expires_at, revoked_at=revoked_at)

    assert found.has_expired(now_ms) == (expires_at is not None and now_ms >= expires_at)
    assert found.is_over(now_ms) == (revoked_at is not None or found.has_expired(now_ms))


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_each_secret_has_one_text_and_each_text_one_digest(one, other):
    """No two tokens are the same, and none is kept as it is sent."""
    text = token_text(one)

    assert len(text) == 46
    assert text.startswith("cx_")
    assert (digest_of(text) == digest_of(token_text(other))) == (one == other)
    assert text.encode() not in digest_of(text)


@given(st.text(max_size=60) | st.text("abcXYZ-_=", min_size=40, max_size=50).map("cx_".__add__))
def test_what_has_not_the_form_of_a_token_has_no_digest(text):
    """The form is `cx_` and 43 characters of base64 for addresses, and nothing before or behind."""
    body = text.removeprefix("cx_")
    fits = text.startswith("cx_") and len(text) == 46 and all(c.isascii() and (c.isalnum() or c in "-_") for c in body)

    assert (digest_of(text) is not None) == fits


@given(st.lists(st.text("ab*é\u0301e", min_size=1, max_size=6), max_size=16), st.text("abé\u0301e", max_size=8))
def test_patterns_mean_the_same_in_every_form(patterns, name):
    """A pattern is kept in the composed form, and fits the names that it fitted before; none stand for all."""
    checked = checked_patterns(patterns)
    normal = unicodedata.normalize("NFC", name)

    assert all(unicodedata.is_normalized("NFC", pattern) for pattern in checked)
    fits = any(NamePattern(pattern).fits(normal) for pattern in patterns or ["*"])
    assert any(NamePattern(pattern).fits(normal) for pattern in checked) == fits
    assert checked_patterns(checked) == checked


@pytest.mark.parametrize(
    "agents",
    ["tally", None, 7, [""], ["a\nb"], ["a" * 201], [7], [b"a"], ["\u202e"], ["\ud800"], ["a"] * 17],
)
def test_what_is_no_pattern_is_refused(agents):
    """One text is no list of patterns; each is text of 1 to 200 printable characters, and there are at most 16."""
    with pytest.raises(ValidationError, match=r"^agents: "):
        checked_patterns(agents)


def test_without_patterns_a_token_is_for_every_agent():
    """So it is made unless somebody says otherwise; what is said twice is kept once."""
    assert checked_patterns(()) == EVERY_AGENT
    assert checked_patterns(["a*"] * 16) == ("a*",)


@pytest.mark.parametrize("name", ["", " ", " ci", "a" * 101, "a\x1b[31m", None, 7])
def test_a_token_has_a_name_for_people(name):
    """It prints on one line and hides nothing."""
    with pytest.raises(ValidationError, match=r"^name: "):
        checked_token_name(name)


@pytest.mark.parametrize("role", ["", "root", "Admin", None, 1, ["admin"]])
def test_there_is_no_other_role(role):
    """The four roles have these names, and a token has one of them."""
    with pytest.raises(ValidationError, match="viewer, sender, operator, admin"):
        checked_role(role)


@pytest.mark.parametrize("expires_at", [0, 1_000, -1, True, 2_000.5, "tomorrow", (1 << 62) + 1, float("nan")])
def test_a_token_expires_in_the_time_to_come(expires_at):
    """Who says what is past means something else; a token that has ended is of no use to anybody."""
    with pytest.raises(ValidationError, match=r"^expires_at: "):
        checked_expiry(expires_at, 1_000)
    assert checked_expiry(1_001, 1_000) == 1_001
    assert checked_expiry(None, 1_000) is None
