"""A page in a browser signs in with a token, and is known by a cookie from then on."""

import time
from typing import Any

import msgspec
from litestar import Request, Response, delete, get, post

from caxton.errors import TokenMissing
from caxton.gateway.access.failures import network_of
from caxton.gateway.caller import Caller
from caxton.gateway.door import address_of
from caxton.tokens.role import Role
from caxton.wire.audit import Action


class SessionForm(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and what they may do. roles: with those that the token's own includes. is_for_all: for every agent."""

    token_id: str
    name: str
    role: Role
    roles: list[Role]
    agents: list[str]
    is_for_all: bool


class SignedIn(SessionForm, frozen=True, kw_only=True):
    """A session that has begun. page_key: what its page sends in `X-Caxton-Page` with each request."""

    page_key: str


@post("/v1/session", summary="Sign in", tags=["session"], status_code=200, opt={"answer": SignedIn})
async def sign_in(caller: Caller, request: Request[Any, Any, Any]) -> Response[SignedIn]:
    """Answer a token with a cookie that stands for it, for twelve hours, or until it is revoked.

    The cookie counts beside the header `X-Caxton-Page` alone, with the key that is answered here: pages of other
    origins may not send it, and do not know it.
    """
    if "authorization" not in request.headers:  # a session does not lengthen itself
        raise TokenMissing
    sessions = caller.house.sessions
    sealed, page_key = sessions.seal(caller.grant.token_id)
    cookie = sessions.set_cookie(sealed, is_https=_is_https(request))
    _note(caller, request, "sign_in")
    signed_in = SignedIn(page_key=page_key, **_told(caller))
    return Response(signed_in, headers={"Set-Cookie": cookie, "Cache-Control": "no-store"})


@get("/v1/session", summary="Who asks", tags=["session"])
async def show_session(caller: Caller) -> SessionForm:
    """Return what the token, or the session, lets its holder do."""
    return SessionForm(**_told(caller))


@delete("/v1/session", summary="Sign out", tags=["session"])
async def sign_out(caller: Caller, request: Request[Any, Any, Any]) -> Response[None]:
    """Have the browser forget the cookie. Its token is as it was."""
    cookie = caller.house.sessions.set_cookie("", is_https=_is_https(request))
    _note(caller, request, "sign_out")
    return Response(None, headers={"Set-Cookie": cookie})


def _note(caller: Caller, request: Request[Any, Any, Any], action: Action) -> None:
    """Have the audit say so."""
    grant, where = caller.grant, network_of(address_of(request.scope))
    told = f"the token {grant.name}, from {where}"
    caller.house.notes.note(action, grant.principal, "dashboard", told, time.time_ns() // 1_000_000)


def _told(caller: Caller) -> dict[str, Any]:
    grant = caller.grant
    return {
        "token_id": grant.token_id,
        "name": grant.name,
        "role": grant.role,
        "roles": [role for role in Role if role in grant.roles],
        "agents": list(grant.patterns),
        "is_for_all": grant.is_for_all,
    }


def _is_https(request: Request[Any, Any, Any]) -> bool:
    """Tell whether the browser came by TLS, which a proxy in front may have: the page's origin says so."""
    origin: str = request.headers.get("origin", "")
    return origin.lower().startswith("https:")


ROUTES: list[Any] = [sign_in, show_session, sign_out]
