"""The line to a gateway: requests go out, answers and errors come back. The one door to httpx."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
import msgspec

from caxton import __version__
from caxton.client.routes.tracing import application_context
from caxton.errors import (
    CaxtonError,
    ConfigurationError,
    InvalidMessageFormat,
    NetworkError,
    RuntimeNotFound,
    SecurityError,
    Timeout,
)
from caxton.printable import shown
from caxton.remote.address import Address
from caxton.remote.events import EventReader
from caxton.remote.problems import Problem, error_of, of_problem

T = TypeVar("T")

CONNECT_TIMEOUT_S = 10.0
# A gateway ends a request after 60 s by itself; what it says then is still to arrive.
LONGEST_S = 70.0
# It gives a sign of life each ten seconds.
SILENCE_TIMEOUT_S = 35.0
MAX_ANSWER_BYTES = 128 << 20
# Connections at once; a gateway has 512 for all.
MAX_CONNECTIONS = 32

Params = Mapping[str, Any]


class HttpLine:
    """Opened when it is made, in one event loop; `close` twice is fine. Certificates are always verified.

    Neither proxies nor passwords are taken from the environment: the token goes to whom it was given for, and to nobody
    else, and so no redirect is followed. Raises ConfigurationError for files that are none of certificates.
    """

    def __init__(self, address: Address) -> None:
        self.url = address.url
        self._http = httpx.AsyncClient(
            verify=_context(address),
            headers={
                "Authorization": f"Bearer {address.token}",
                "User-Agent": f"caxton/{__version__}",
                "Accept-Encoding": "identity",
            },
            timeout=httpx.Timeout(LONGEST_S, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS),
            trust_env=False,
        )

    async def get(self, path: str, kind: type[T], params: Params | None = None) -> T:
        """Return what is at a path. Raises the error that the gateway tells, and those of `ask`."""
        return self._as(kind, await self.ask("GET", path, params=params))

    async def post(
        self,
        path: str,
        kind: type[T],
        body: object = None,
        *,
        params: Params | None = None,
        timeout_s: float = LONGEST_S,
    ) -> T:
        """Post JSON, or nothing; returns the answer. timeout_s: for all of it. Raises what `get` raises."""
        content = None if body is None else msgspec.json.encode(body)
        return self._as(kind, await self.ask("POST", path, params=params, content=content, timeout_s=timeout_s))

    async def patch(self, path: str, kind: type[T], body: object, headers: Mapping[str, str]) -> T:
        """Change what is at a path. Raises what `get` raises."""
        return self._as(kind, await self.ask("PATCH", path, content=msgspec.json.encode(body), headers=headers))

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        content: bytes | None = None,
        files: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = LONGEST_S,
    ) -> bytes:
        """Return the body of an answer.

        Raises RuntimeNotFound when nobody is there, SecurityError for a certificate that is not to be believed: then
        nothing was asked; Timeout, NetworkError; and what the gateway tells.
        """
        told = {} if content is None else {"Content-Type": "application/json"}
        told |= headers or {}
        if (context := application_context()) is not None:
            told["traceparent"] = context
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._http.stream(
                    method, self.url + path, params=_given(params), content=content, files=files, headers=told
                ) as answer,
            ):
                body = await _body(self.url, answer)
        except TimeoutError:
            raise Timeout(f"the gateway at {self.url}", timeout_s) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._error(error) from None
        if not answer.is_success:
            raise error_of(self.url, answer.status_code, body)
        return body

    async def events(self, path: str, params: Params | None = None) -> AsyncIterator[tuple[str, bytes]]:
        """Yield server-sent events until the gateway ends them; raises what `ask` raises, and what it tells last."""
        async with self._stream(path, params) as answer:
            reader = EventReader()
            async for raw in answer.aiter_raw():
                for name, data in reader.take(raw):
                    if name == "problem":
                        raise self._problem(data)
                    if name == "end":
                        return
                    yield name, data
        raise NetworkError(self.url, "it ended in the midst of events")

    def read(self, raw: bytes, kind: type[T]) -> T:
        """Return what JSON of a gateway says. Raises InvalidMessageFormat."""
        return self._as(kind, raw)

    async def close(self) -> None:
        """Hang up."""
        await self._http.aclose()

    @asynccontextmanager
    async def _stream(self, path: str, params: Params | None) -> AsyncIterator[httpx.Response]:
        timeout = httpx.Timeout(SILENCE_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        headers = {"Accept": "text/event-stream"}
        try:
            async with self._http.stream(
                "GET", self.url + path, params=_given(params), headers=headers, timeout=timeout
            ) as answer:
                if not answer.is_success:
                    raise error_of(self.url, answer.status_code, await _body(self.url, answer))
                _check_plain(self.url, answer)
                yield answer
        except httpx.HTTPError as error:
            raise self._error(error) from None

    def _as(self, kind: type[T], raw: bytes) -> T:
        if kind is type(None):
            return None
        try:
            return msgspec.json.decode(raw, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidMessageFormat(f"the answer of {self.url}", str(error)) from None

    def _problem(self, data: bytes) -> CaxtonError:
        return of_problem(self._as(Problem, data), 0)

    def _error(self, error: Exception) -> CaxtonError:
        why: BaseException | None = error
        while why is not None:
            if isinstance(why, ssl.SSLCertVerificationError):
                return SecurityError(
                    f"the certificate of {self.url} is not to be believed: {why.verify_message}; name the file of the "
                    "authority that it is from with ca (--ca)"
                )
            why = why.__cause__ or why.__context__
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return RuntimeNotFound(self.url).suggesting(
                f"nobody answers there ({error}); see whether it is the right URL"
            )
        if isinstance(error, httpx.TimeoutException):
            return Timeout(f"the gateway at {self.url}", LONGEST_S)
        return NetworkError(self.url, f"{type(error).__name__} {error}".strip())


def _check_plain(url: str, answer: httpx.Response) -> None:
    """Let pass what was not packed: a little of what is may become so much that it is no use to count it then."""
    packed = answer.headers.get("content-encoding", "identity").strip().lower()
    if packed not in {"", "identity"}:
        raise NetworkError(url, f"its answer is packed ({shown(packed)}), which it was not asked for")


async def _body(url: str, answer: httpx.Response) -> bytes:
    _check_plain(url, answer)
    parts, size = [], 0
    async for part in answer.aiter_raw():
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise NetworkError(url, f"its answer has more than {MAX_ANSWER_BYTES:,} bytes")
        parts.append(part)
    return b"".join(parts)


def _given(params: Params | None) -> dict[str, Any]:
    return {name: value for name, value in (params or {}).items() if value is not None}


def _context(address: Address) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=None if address.ca is None else str(address.ca))
        if address.cert is not None:
            context.load_cert_chain(str(address.cert))
    except (OSError, ssl.SSLError) as error:
        file = address.ca if address.cert is None else f"{address.ca or 'none'} or {address.cert}"
        raise ConfigurationError(
            "certificates", f"{file} cannot be used: {error.strerror or error}", "name files of PEM"
        ) from None
    return context
