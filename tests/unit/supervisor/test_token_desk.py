import asyncio

import msgspec
import pytest

from caxton.errors import InvalidMessageFormat, ResourceExhausted, StorageError, TokenNotFound, ValidationError
from caxton.store.token_file import FILE_NAME, read_tokens, write_tokens
from caxton.supervisor.desk import token_desk as desk_module
from caxton.supervisor.desk.token_desk import TokenDesk
from caxton.tokens.role import Role
from caxton.tokens.token import digest_of
from caxton.wire.codec import SUPERVISOR_CALL
from caxton.wire.supervision import SupervisorCall
from caxton.wire.tokens import CreateToken, ListTokens, RevokeToken


@pytest.fixture
def path(tmp_path):
    return tmp_path / FILE_NAME


@pytest.fixture
def now():
    """What the clock says, in ms since 1970."""
    return [1_000]


@pytest.fixture
def desk(path, now):
    return TokenDesk(path, lambda: now[0])


def creating(name="ci", **fields):
    return CreateToken(**{"name": name, "role": Role.SENDER, "agents": ("*",)} | fields)


async def test_a_token_is_told_once_and_kept_as_its_digest(desk, path):
    """What is in the file cannot be sent by anybody; no two tokens are the same."""
    made = await desk.answer(creating(agents=("a*", "b"), expires_at=2_000))
    again = await desk.answer(creating(agents=("a*", "b"), expires_at=2_000))

    first, second = read_tokens(path).tokens
    assert (first.digest, second.digest) == (digest_of(made.token), digest_of(again.token))
    assert made.token.encode() not in path.read_bytes()
    assert (made.about.name, made.about.role, made.about.agents) == ("ci", "sender", ("a*", "b"))
    assert (made.about.created_at, made.about.expires_at, made.about.revoked_at) == (1_000, 2_000, None)
    assert (made.about.token_id, made.token) != (again.about.token_id, again.token)
    assert made.token not in repr(made)


async def test_tokens_are_told_by_pages(desk):
    """In the order of their ids, from where the page before ended, and without what is secret."""
    made = [await desk.answer(creating(f"n{number}")) for number in range(5)]
    views = sorted((one.about for one in made), key=lambda view: view.token_id)
    first = await desk.answer(ListTokens("", 3))
    rest = await desk.answer(ListTokens(first.tokens[-1].token_id, 3))

    assert (first.tokens + rest.tokens, first.more, rest.more) == (views, True, False)
    assert not (await desk.answer(ListTokens("", 5))).more
    assert b"digest" not in msgspec.json.encode(msgspec.to_builtins(first))


def test_a_page_has_at_most_five_hundred():
    """Whoever asks for more at a time is no client of ours."""
    for limit in (0, 501):
        with pytest.raises(InvalidMessageFormat):
            SUPERVISOR_CALL.decode(bytes(SUPERVISOR_CALL.encode(SupervisorCall(1, ListTokens("", limit)))))
    call = SupervisorCall(1, ListTokens("", 500))
    assert SUPERVISOR_CALL.decode(bytes(SUPERVISOR_CALL.encode(call))) == call


async def test_revoking_is_for_good(desk, now):
    """The first time counts; an id that no token has is an error that says so."""
    made = await desk.answer(creating())
    now[0] = 5_000
    revoked = await desk.answer(RevokeToken(made.about.token_id))
    now[0] = 6_000
    again = await desk.answer(RevokeToken(made.about.token_id))

    assert revoked == again == msgspec.structs.replace(made.about, revoked_at=5_000)
    assert (await desk.answer(ListTokens())).tokens == [revoked]
    with pytest.raises(TokenNotFound, match="caxton token list"):
        await desk.answer(RevokeToken("0" * 16))


async def test_what_is_asked_at_once_is_all_done(desk, path):
    """No change of the file is lost to another one."""
    made = await asyncio.gather(*(desk.answer(creating(f"n{number}")) for number in range(20)))
    assert {token.token_id for token in read_tokens(path).tokens} == {one.about.token_id for one in made}
    await asyncio.gather(*(desk.answer(RevokeToken(one.about.token_id)) for one in made))
    assert all(token.revoked_at for token in read_tokens(path).tokens)


async def test_no_more_tokens_are_kept_than_the_bound(desk, now, monkeypatch):
    """Those that are over make room, all at once; those that are not are never forgotten."""
    monkeypatch.setattr(desk_module, "MOST_TOKENS", 3)
    made = [await desk.answer(creating("expires", expires_at=2_000)), *[await desk.answer(creating()) for _ in "ab"]]
    with pytest.raises(ResourceExhausted, match="access tokens: the limit is 3"):
        await desk.answer(creating())
    await desk.answer(RevokeToken(made[1].about.token_id))
    now[0] = 2_000
    made += [await desk.answer(creating()), await desk.answer(creating())]
    with pytest.raises(ResourceExhausted):
        await desk.answer(creating())
    left = {view.token_id for view in (await desk.answer(ListTokens())).tokens}
    assert left == {one.about.token_id for one in made[2:]}


async def test_no_larger_file_is_written_than_is_read(desk, path, monkeypatch):
    """Tokens with many patterns are fewer than others."""
    await desk.answer(creating())
    monkeypatch.setattr(desk_module, "MOST_FILE_BYTES", path.stat().st_size)
    with pytest.raises(ResourceExhausted, match="bytes of access tokens"):
        await desk.answer(creating())
    assert len(read_tokens(path).tokens) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"name": " ci"}, {"agents": ("a\nb",)}, {"expires_at": 1_000}, {"name": "\u202e"}],
)
async def test_what_no_client_of_ours_would_ask_is_refused(desk, path, wrong):
    """The desk looks at everything itself; nothing is written."""
    with pytest.raises(ValidationError):
        await desk.answer(creating(**wrong))
    assert not path.exists()


async def test_a_damaged_file_is_never_written_over(desk, path):
    """Neither a new token nor a revoked one makes another file of it."""
    made = await desk.answer(creating())
    path.write_bytes(b"damage")
    for request in (creating(), RevokeToken(made.about.token_id), ListTokens()):
        with pytest.raises(StorageError, match="not a file of tokens"):
            await desk.answer(request)
    assert path.read_bytes() == b"damage"


async def test_a_token_that_cannot_be_kept_is_none(desk, path):
    """Whoever asked is told, and has no token that nobody would know."""
    path.with_name(f"{FILE_NAME}.new").mkdir()
    with pytest.raises(StorageError):
        await desk.answer(creating())
    assert read_tokens(path).tokens == ()


def test_a_file_at_its_bound_is_read_again(path, desk):
    """What fits by its account fits the file, to the byte."""
    token = desk_module.Token("1f" * 8, "x", Role.VIEWER, ("*",), bytes(32), 5)
    write_tokens(path, desk_module.with_room((token,) * 3, 0))
    assert len(read_tokens(path).tokens) == 3
