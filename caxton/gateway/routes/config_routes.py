"""What the runtime is told: shown with where it comes from, and changed where that is safe while it serves."""

import hashlib
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, patch
from litestar.exceptions import HTTPException
from litestar.params import HeaderParameter

from caxton.config.setting import Setting
from caxton.gateway.body import read
from caxton.gateway.caller import Caller
from caxton.tokens.role import Role

Values = Annotated[dict[str, str | int | float | bool | None], msgspec.Meta(min_length=1, max_length=100)]
Match = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match", description="The ETag of the settings that are meant; others are not changed (412)."
    ),
]


class Settings(msgspec.Struct, frozen=True):
    """All settings, with where each comes from."""

    settings: list[Setting]


class SettingsToChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Values by the keys of settings; null is what holds where nobody sets it."""

    settings: Values


@get("/v1/config", summary="What the runtime is told", tags=["runtime"])
async def config(caller: Caller) -> Response[Settings]:
    """Return every setting as it holds, and where it comes from; those that are `changeable` may be changed."""
    caller.may(Role.VIEWER)
    async with caller.client() as client:
        return _answer(await client.settings())


@patch("/v1/config", summary="Change settings", tags=["runtime"], opt={"body": SettingsToChange})
async def change_config(caller: Caller, request: Request[Any, Any, Any], match: Match = None) -> Response[Settings]:
    """Change settings until the runtime ends, and return all of them; one that does not change refuses them all."""
    caller.may(Role.ADMIN)
    wanted = await read(request, SettingsToChange)
    async with caller.client() as client:
        if match is not None and match.strip() not in {"*", _tag(await client.settings())}:
            raise HTTPException(
                detail="the settings are others by now; look at them again", status_code=HTTPStatus.PRECONDITION_FAILED
            )
        settings = await client.change_settings(wanted.settings)
    return _answer(settings)


def _answer(settings: list[Setting]) -> Response[Settings]:
    return Response(Settings(settings), headers={"ETag": _tag(settings), "Cache-Control": "no-store"})


def _tag(settings: list[Setting]) -> str:
    """Return what tells these settings from others, as HTTP writes it."""
    return f'"{hashlib.sha256(msgspec.json.encode(settings)).hexdigest()[:32]}"'


ROUTES: list[Any] = [config, change_config]
