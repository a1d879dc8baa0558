import pytest

from caxton.errors import FailedTooOften, TokenMissing, TokenRefused
from caxton.gateway.access.access import Access
from caxton.gateway.access.failures import FAILURES_AT_ONCE, Failures
from caxton.gateway.identity import Identity, bearer_of


@pytest.mark.parametrize("given", [b"Bearer abc", b"bearer abc", b"Bearer   abc"])
def test_a_token_follows_its_scheme(given):
    """In either case, as the standard wants it."""
    assert bearer_of([given]) == "abc"


@pytest.mark.parametrize(
    "given",
    [[b"Basic abc"], [b"abc"], [b"Bearer"], [b"Bearer a b"], [b"Bearer \xff"], [b""], [b"Bearer a", b"Bearer a"]],
)
def test_anything_else_is_no_token(given):
    """Also two of them: nobody would know which counts."""
    with pytest.raises(TokenRefused):
        bearer_of(given)


def test_who_is_refused_too_often_waits(tmp_path):
    """From one address; who has no token at all has guessed nothing, and another address is not kept waiting."""
    identity = Identity(Access(tmp_path / "tokens"), Failures(), lambda: 5.0)
    for _ in range(FAILURES_AT_ONCE):
        with pytest.raises(TokenRefused):
            identity([b"Bearer bad"], "10.0.0.1")
        with pytest.raises(TokenMissing):
            identity([], "10.0.0.1")
    with pytest.raises(FailedTooOften):
        identity([b"Basic bad"], "10.0.0.1")
    with pytest.raises(TokenRefused):
        identity([b"Bearer bad"], "10.0.0.2")
