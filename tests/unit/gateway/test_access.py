import hmac
import time

import pytest

from caxton.errors import StorageError, TokenMissing, TokenRefused, to_fields
from caxton.gateway.access import access as access_module
from caxton.gateway.access.access import Access, Refusal
from caxton.store.token_file import FILE_NAME, read_tokens, write_tokens
from caxton.tokens.role import Role
from caxton.tokens.token import Token, digest_of, token_text

TEXT, OTHER_TEXT = token_text(bytes(32)), token_text(bytes(range(32)))


def token(text=TEXT, token_id="1f" * 8, **fields):
    return Token(token_id, "ci", Role.SENDER, ("a*",), digest_of(text), 5, **fields)


@pytest.fixture
def now():
    """What the clock says, in ms since 1970."""
    return [1_000]


@pytest.fixture
def path(tmp_path):
    return tmp_path / FILE_NAME


@pytest.fixture
def access(path, now):
    return Access(path, lambda: now[0])


def why(access, bearer):
    with pytest.raises(TokenRefused) as refused:
        access.authenticate(bearer)
    return refused.value.why


def test_a_token_lets_its_holder_in(access, path):
    """For whom a session acts is told by the token alone, and is the same after every restart."""
    write_tokens(path, (token(OTHER_TEXT, "2f" * 8), token()))
    grant = access.authenticate(TEXT)

    assert (grant.token_id, grant.principal, grant.name) == ("1f" * 8, f"token:{'1f' * 8}", "ci")
    assert (grant.role, grant.roles, grant.patterns) == (Role.SENDER, (Role.VIEWER, Role.SENDER), ("a*",))
    assert Access(path).authenticate(TEXT).principal == grant.principal


@pytest.mark.parametrize("bearer", [None, ""])
def test_who_has_no_token_is_told_how_to_make_one(access, bearer):
    """That is all that is told of it."""
    with pytest.raises(TokenMissing, match="caxton token create NAME --role viewer"):
        access.authenticate(bearer)


def test_every_refusal_has_its_reason_which_nobody_outside_learns(access, path, now):
    """To whoever guesses all of them are the same word for word; logs and the audit know more."""
    gone = token(OTHER_TEXT, "2f" * 8, revoked_at=7)
    write_tokens(path, (token(expires_at=1_000), gone))
    found = {}
    for bearer in ("cx_", "cx_" + "a" * 44, TEXT[:-1] + "é", "x" * 1_000_000, token_text(b"?" * 32), TEXT, OTHER_TEXT):
        with pytest.raises(TokenRefused) as refused:
            access.authenticate(bearer)
        error = refused.value
        found.setdefault((str(error), str(to_fields(error)), type(error)), []).append((error.why, error.token_id))

    (reasons,) = found.values()
    assert reasons[:5] == [*[(Refusal.MALFORMED, "")] * 4, (Refusal.UNKNOWN, "")]
    assert reasons[5:] == [(Refusal.EXPIRED, "1f" * 8), (Refusal.REVOKED, "2f" * 8)]


def test_a_token_ends_at_its_time(access, path, now):
    """At the very millisecond, and without anybody's having to write anything."""
    write_tokens(path, (token(expires_at=2_000),))
    now[0] = 1_999
    grant = access.authenticate(TEXT)
    access.check(grant)
    now[0] = 2_000
    assert why(access, TEXT) is Refusal.EXPIRED
    with pytest.raises(TokenRefused) as refused:
        access.check(grant)
    assert (refused.value.why, refused.value.token_id) == (Refusal.EXPIRED, "1f" * 8)


def test_what_is_revoked_is_over_at_once(access, path):
    """Also what was granted before: each call looks which file is there."""
    write_tokens(path, (token(),))
    grant = access.authenticate(TEXT)
    write_tokens(path, (token(revoked_at=7),))
    with pytest.raises(TokenRefused) as refused:
        access.check(grant)
    assert refused.value.why is Refusal.REVOKED
    assert why(access, TEXT) is Refusal.REVOKED


def test_without_its_file_no_token_is_known(access, path):
    """A file that is gone takes all tokens with it, and what was granted; one that comes again brings them back."""
    assert why(access, TEXT) is Refusal.UNKNOWN
    write_tokens(path, (token(),))
    grant = access.authenticate(TEXT)
    path.rename(path.with_name("away"))
    assert why(access, TEXT) is Refusal.UNKNOWN
    with pytest.raises(TokenRefused):
        access.check(grant)
    path.with_name("away").rename(path)
    access.check(grant)


def test_while_the_file_is_damaged_nobody_is_let_in(access, path):
    """Not by what was read before, either."""
    write_tokens(path, (token(),))
    grant = access.authenticate(TEXT)
    path.write_bytes(b"damage" * 100)
    for _ in range(2):
        with pytest.raises(StorageError, match="not a file of tokens"):
            access.authenticate(TEXT)
        with pytest.raises(StorageError, match="not a file of tokens"):
            access.check(grant)
    write_tokens(path, (token(),))
    access.check(grant)


def test_a_file_that_is_damaged_is_read_now_and_then(access, path, now, monkeypatch, caplog):
    """Not for each who asks, and what is wrong is logged once; replaced, it is read at once."""
    write_tokens(path, (token(),))
    good = path.read_bytes()
    path.write_bytes(b"damage" * 100)
    reads = []

    def counted(path):
        reads.append(path)
        return read_tokens(path)

    monkeypatch.setattr(access_module, "read_tokens", counted)
    for now[0] in (1_000, 1_000, 1_999, 2_000, 2_500):
        with pytest.raises(StorageError):
            access.authenticate(TEXT)
    assert len(reads) == 2
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    path.write_bytes(good)
    assert access.authenticate(TEXT).token_id == "1f" * 8


def test_the_file_is_read_once(access, path, monkeypatch):
    """Until it is replaced: a look at it is all that a call costs."""
    write_tokens(path, (token(),))
    access.authenticate(TEXT)
    monkeypatch.setattr(access_module, "read_tokens", None)
    assert access.authenticate(TEXT).token_id == "1f" * 8


def test_every_token_that_could_be_one_is_compared_in_constant_time(access, path, monkeypatch):
    """Known or not, the digest is compared once with something."""
    write_tokens(path, (token(),))
    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda *two: compared.append(two) or two[0] == two[1])
    access.authenticate(TEXT)
    assert why(access, OTHER_TEXT) is Refusal.UNKNOWN
    assert compared == [(digest_of(TEXT), digest_of(TEXT)), (digest_of(OTHER_TEXT), bytes(32))]


def test_a_clock_of_its_own_is_that_of_the_machine(path):
    """Nobody has to bring one."""
    now_ms = time.time_ns() // 1_000_000
    write_tokens(path, (token(expires_at=now_ms - 1), token(OTHER_TEXT, "2f" * 8, expires_at=now_ms + 600_000)))
    assert why(Access(path), TEXT) is Refusal.EXPIRED
    assert Access(path).authenticate(OTHER_TEXT).token_id == "2f" * 8
