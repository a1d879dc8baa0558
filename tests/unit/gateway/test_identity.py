import pytest

from caxton.errors import FailedTooOften, TokenMissing, TokenRefused
from caxton.gateway.access.access import Access
from caxton.gateway.access.failures import FAILURES_AT_ONCE, Failures
from caxton.gateway.access.sessions import SESSION_S, Sessions
from caxton.gateway.identity import Identity, bearer_of
from caxton.store.token_file import write_tokens
from caxton.tokens.role import Role
from caxton.tokens.token import Token


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
    identity = Identity(Access(tmp_path / "tokens"), Failures(), Sessions(bytes(32), 8080), lambda: 5.0)
    bad = {b"authorization": [b"Bearer bad"]}
    for _ in range(FAILURES_AT_ONCE):
        with pytest.raises(TokenRefused):
            identity(bad, "10.0.0.1")
        with pytest.raises(TokenMissing):
            identity({}, "10.0.0.1")
    with pytest.raises(FailedTooOften):
        identity({b"authorization": [b"Basic bad"]}, "10.0.0.1")
    with pytest.raises(TokenRefused):
        identity(bad, "10.0.0.2")


@pytest.fixture
def let_in(tmp_path):
    """Ask as a page does whose cookie says this, beside other headers; returns the token's name."""
    made = Token("0123456789abcdef", "mine", Role.VIEWER, ("*",), bytes(32), 0)
    write_tokens(tmp_path / "tokens", (made,))
    now = [1_000.0]
    sessions = Sessions(bytes(range(32)), 8080, lambda: now[0])
    identity = Identity(Access(tmp_path / "tokens"), Failures(), sessions)

    def ask(session=None, passed_s=0.0, **headers):
        sealed, key = sessions.seal(made.token_id) if session is None else session
        now[0] += passed_s
        told = {"x_caxton_page": key.encode(), "cookie": b"other=1; caxton_8080=" + sealed.encode()} | headers
        given = {name.replace("_", "-").encode(): [value] for name, value in told.items() if value is not None}
        return identity(given, "10.0.0.1").name

    ask.sessions = sessions
    return ask


def test_a_page_is_known_by_its_cookie(let_in):
    """From when it signs in, as long as a session lasts, and a second longer it is not."""
    assert let_in() == "mine"
    assert let_in(sec_fetch_site=b"same-origin", passed_s=SESSION_S - 1) == "mine"
    with pytest.raises(TokenRefused):
        let_in(passed_s=SESSION_S)


@pytest.mark.parametrize(
    "headers",
    [
        {"x_caxton_page": None},
        {"sec_fetch_site": b"same-site"},
        {"sec_fetch_site": b"none"},
        {"cookie": b"caxton_80=x"},
    ],
)
def test_a_cookie_alone_lets_nobody_in(let_in, headers):
    """What another page, a form or a link has a browser send counts for nothing, nor does another gateway's cookie."""
    with pytest.raises(TokenMissing):
        let_in(**headers)


def test_a_cookie_is_what_was_sealed(let_in):
    """Another id, a later end, another runtime's, a longer text, or the key of another page is refused."""
    sealed, key = let_in.sessions.seal("0123456789abcdef")
    token_id, ends, seal = sealed.split(".")
    others, others_key = Sessions(bytes(32), 8080, lambda: 1_000.0).seal(token_id)
    assert let_in((sealed, key)) == "mine"
    for wrong in (
        (f"fedcba9876543210.{ends}.{seal}", key),
        (f"{token_id}.9{ends}.{seal}", key),
        (others, others_key),
        (f"{token_id}.{ends}.{seal}x", key),
        (sealed, others_key),
        (sealed, ""),
        ("", key),
    ):
        with pytest.raises(TokenRefused):
            let_in(wrong)
