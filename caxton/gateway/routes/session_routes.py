"""A page in a browser signs in with a token, and is known by a cookie from then on."""

from typing import Any

import msgspec
from litestar import Request, Response, delete, get, post

from caxton.errors import TokenMissing
from caxton.gateway.caller import Caller
from caxton.tokens.role import Role


class SessionForm(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and what they may do. roles: with those that the token's own includes. is_for_all: for every agent."""

    token_id: str
    name: str
    role: Role
    roles: list[Role]
    agents: list[str]
    is_for_all: bool

    @classmethod
    def of(cls, caller: Caller) -> "SessionForm":
        """Return what a caller is."""
        grant = caller.grant
        return cls(
            token_id=grant.token_id,
            name=grant.name,
            role=grant.role,
            roles=[role for role in Role if role in grant.roles],
            agents=list(grant.patterns),
            is_for_all=grant.is_for_all,
        )


@post("/v1/session", summary="Sign in", tags=["session"], status_code=200, opt={"answer": SessionForm})
async def sign_in(caller: Caller, request: Request[Any, Any, Any]) -> Response[SessionForm]:
    """Answer a token with a cookie that stands for it, for twelve hours, or until it is revoked.

    The cookie counts beside the header `X-Caxton-Page` alone, which pages of other origins may not send.
    """
    if "authorization" not in request.headers:  # a session does not lengthen itself
        raise TokenMissing
    sessions = caller.house.sessions
    cookie = sessions.set_cookie(sessions.seal(caller.grant.token_id), is_https=_is_https(request))
    return Response(SessionForm.of(caller), headers={"Set-Cookie": cookie, "Cache-Control": "no-store"})


@get("/v1/session", summary="Who asks", tags=["session"])
async def show_session(caller: Caller) -> SessionForm:
    """Return what the token, or the session, lets its holder do."""
    return SessionForm.of(caller)


@delete("/v1/session", summary="Sign out", tags=["session"])
async def sign_out(caller: Caller, request: Request[Any, Any, Any]) -> Response[None]:
    """Have the browser forget the cookie. Its token is as it was."""
    cookie = caller.house.sessions.set_cookie("", is_https=_is_https(request))
    return Response(None, headers={"Set-Cookie": cookie})


def _is_https(request: Request[Any, Any, Any]) -> bool:
    """Tell whether the browser came by TLS, which a proxy in front may have: the page's origin says so."""
    origin: str = request.headers.get("origin", "")
    return origin.lower().startswith("https:")


ROUTES: list[Any] = [sign_in, show_session, sign_out]
