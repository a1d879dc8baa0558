"""What the runtime is told: shown with where it comes from, and changed where that is safe while it serves."""

import re
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, patch
from litestar.exceptions import HTTPException
from litestar.params import HeaderParameter

from caxton.config.setting import SETTINGS, Setting, tag_of
from caxton.errors import ConfigurationError
from caxton.gateway.body import read
from caxton.gateway.caller import Caller
from caxton.tokens.role import Role

# Of a list of them, those that are no weak ones.
_TAGS = re.compile(r'(?<!W/)"[\x21\x23-\x7e]*"')
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
        seen = None
        if match is not None and match.strip() != "*":
            seen = await client.settings()
            if _tag(seen) not in _TAGS.findall(match):
                raise _others()
        try:
            settings = await client.change_settings(wanted.settings, seen=seen)
        except ConfigurationError as error:
            if error.what == SETTINGS:  # somebody has changed them since
                raise _others() from None
            raise
    return _answer(settings)


def _others() -> HTTPException:
    detail = "the settings are others by now; look at them again"
    return HTTPException(detail=detail, status_code=HTTPStatus.PRECONDITION_FAILED)


def _answer(settings: list[Setting]) -> Response[Settings]:
    return Response(Settings(settings), headers={"ETag": _tag(settings), "Cache-Control": "no-store"})


def _tag(settings: list[Setting]) -> str:
    """Return what tells these settings from others, as HTTP writes it."""
    return f'"{tag_of(settings)}"'


ROUTES: list[Any] = [config, change_config]
