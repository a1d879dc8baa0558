"""The dashboard: one page and its files. They say nothing of the runtime, and so anybody may have them."""

from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException

from caxton.gateway.pages import HEADERS, File, board

# A page may have changed with the next release; what has a mark in its name is the same for ever.
_ASK_AGAIN, _FOR_EVER = "no-cache", "public, max-age=31536000, immutable"


@get("/", include_in_schema=False)
async def page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer with the page."""
    return _sent(request, board().page, _ASK_AGAIN)


@get("/board/{mark:str}/{name:str}", include_in_schema=False)
async def page_file(request: Request[Any, Any, Any], mark: str, name: str) -> Response[bytes]:
    """Answer with one of its files."""
    there = board()
    found = there.files.get(name) if mark == there.mark else None
    if found is None:
        raise NotFoundException
    return _sent(request, found, _FOR_EVER)


def _sent(request: Request[Any, Any, Any], file: File, caching: str) -> Response[bytes]:
    headers = {**HEADERS, "Cache-Control": caching, "ETag": file.etag}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, media_type=file.media_type, headers=headers)
    body = file.body
    if "gzip" in request.headers.get("accept-encoding", ""):
        body, headers = file.compressed, headers | {"Content-Encoding": "gzip"}
    return Response(body, media_type=file.media_type, headers=headers)


ROUTES: list[Any] = [page, page_file]
