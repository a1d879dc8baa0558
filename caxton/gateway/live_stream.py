"""The answer that lasts: a stream which gives back what it holds when it ends, whoever ends it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from litestar import Response
from litestar.response.base import ASGIResponse

from caxton.gateway.asgi import Receive, Send
from caxton.gateway.streaming import MEDIA_TYPE


class LiveStream(Response[bytes]):
    """Server-sent events as they come. told: each, encoded; it is closed when nobody reads any more.

    Litestar's own drops its generator where sending fails, with a client, its inbox and their memory in it.
    """

    def __init__(self, told: AsyncGenerator[bytes, None]) -> None:
        super().__init__(b"", media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._told = told

    def to_asgi_response(self, app: Any, request: Any, **about: Any) -> ASGIResponse:  # noqa: ARG002 (they are Litestar's)
        """Return what sends it."""
        about |= {"headers": {**(about.get("headers") or {}), **self.headers}, "media_type": self.media_type}
        about.pop("type_encoders", None)
        return _Sent(self._told, **about)


class _Sent(ASGIResponse):
    """Ends with the generator, or when the door cancels it because who reads has hung up."""

    __slots__ = ("_told",)

    _should_set_content_length = False

    def __init__(self, told: AsyncGenerator[bytes, None], **about: Any) -> None:
        super().__init__(**about)
        self._told = told

    async def send_body(self, send: Send, receive: Receive) -> None:
        async with aclosing(self._told):
            while (event := await receive()).get("more_body"):  # a body that nobody wants, and the door bounds
                pass
            if event["type"] == "http.disconnect":
                return
            async for raw in self._told:
                await send({"type": "http.response.body", "body": raw, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
