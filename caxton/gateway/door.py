"""Through here every request comes: is it for us, has it room, who asks, how long may it take. Then the application."""

import asyncio
import logging
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, NoReturn

from caxton.errors import (
    AccessError,
    CaxtonError,
    ConfigurationError,
    MessageTooLarge,
    ResourceExhausted,
    StorageError,
    Timeout,
    TokenMissing,
    TokenRefused,
)
from caxton.gateway.access.failures import network_of
from caxton.gateway.access.grant import Grant
from caxton.gateway.access.notes import AccessNotes
from caxton.gateway.asgi import TARGET, Application, Event, Gone, Receive, Scope, Send
from caxton.gateway.counts import Counts
from caxton.gateway.hosts import Hosts
from caxton.gateway.identity import Identify
from caxton.gateway.limits import (
    MAX_ANSWERS_BYTES,
    MAX_BODIES_BYTES,
    MAX_BODY_BYTES,
    MAX_MODULE_BODY_BYTES,
    MAX_OPEN_REQUESTS,
    MAX_PART_BYTES,
    MAX_REQUESTS,
    MAX_STREAMS,
    REQUEST_TIMEOUT_S,
    SEND_TIMEOUT_S,
)
from caxton.gateway.problem import MEDIA_TYPE, Problem, retry_after_s
from caxton.gateway.shares import Share, Shares
from caxton.wire.audit import ADDRESS

log = logging.getLogger("caxton.gateway")

# Where what the door knows of a request is, for those inside.
REQUEST = "caxton.request"
# The dashboard's own files say nothing of the runtime.
OPEN_PATHS, OPEN_FOLDER = frozenset({"/", "/health", "/ready"}), "/board/"
# Where modules are sent.
_MODULE_PATHS = frozenset({"/v1/agents", "/v1/agents/"})


class Passage:
    """One request on its way through: its body is counted, its answer is not waited for without end.

    grant: who asks and what they may, None where anybody may ask. is_stream: whether the answer lasts. is_gone: whether
    nobody reads it. no_room: why there is none for the answer that was made.
    """

    def __init__(self, counts: Counts, receive: Receive, send: Send, most_bytes: int) -> None:
        self._counts = counts
        self._receive = receive
        self._send = send
        self._most_bytes = most_bytes
        self._read = self._own = self._messages = 0
        self._deadline: asyncio.Timeout | None = None
        # How an answer begins, until there is something of it to send: until then it can be another one.
        self._start: Event | None = None
        self._timeout_s = REQUEST_TIMEOUT_S
        self._is_answered = False
        self.grant: Any = None
        self.body_read = False
        self.status = 0
        self.is_stream = False
        self.is_gone = False
        self.no_room: ResourceExhausted | None = None
        self._share: Share | None = None
        # Where large bodies of whoever asks stand.
        self.line = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self._left = asyncio.Event()
        self._end_told = self._is_ending = self.has_left = False

    def belongs_to(self, share: Share) -> None:
        """Count the request as one of a principal's; raises ResourceExhausted where it has too many."""
        share.take_request()
        self._share, self.line = share, share.line

    def last(self) -> None:
        """Let the answer last: it is a stream, and has no deadline. Raises ResourceExhausted where too many do."""
        if self._counts.streams >= MAX_STREAMS:
            self._counts.refuse("too many streams", "streams", MAX_STREAMS)
            raise ResourceExhausted("streams at once", MAX_STREAMS)
        if self._share is not None:
            self._share.take_stream()
        self._counts.streams += 1
        self.is_stream = True
        if self._deadline is not None and not self.has_left:
            self._deadline.reschedule(None)

    def take_messages(self, count: int, size: int = 0) -> None:
        """Work on so many more messages, with so many bytes each beside the body. Raises ResourceExhausted."""
        if self._share is not None:
            self._share.take_messages(count)
            self._messages += count
            self._share.take_bytes(count * size)
            self._own += count * size

    def too_large(self, size: int, most: int, field: str = "body") -> MessageTooLarge:
        """Count a body, or what it has, that is larger than it may be, and return the error."""
        self._counts.refused["large bodies"] += 1
        return MessageTooLarge.of(size, most, field)

    async def receive(self) -> Event:
        """Return the next part of the body; raises MessageTooLarge, ResourceExhausted."""
        if self.body_read:  # what comes after it is for `_watch`
            if self._end_told:
                await self._left.wait()
                return {"type": "http.disconnect"}
            self._end_told = True
            return {"type": "http.request", "body": b"", "more_body": False}
        event = await self._receive()
        if event["type"] != "http.request":
            return event
        size = len(event.get("body", b""))
        self._read += size
        self._counts.body_bytes += size
        if self._read > self._most_bytes:
            raise self.too_large(self._read, self._most_bytes)
        if self._counts.body_bytes > MAX_BODIES_BYTES:
            self._counts.refuse("bodies at once", "body_bytes", MAX_BODIES_BYTES)
            raise ResourceExhausted("room for the bodies of all requests", MAX_BODIES_BYTES)
        if self._share is not None:
            self._share.take_bytes(size)
            self._own += size
        self.body_read = self._end_told = not event.get("more_body", False)
        if self.body_read:
            self._watching = asyncio.get_running_loop().create_task(self._watch())
        return event

    async def send(self, event: Event) -> None:
        """Send a part of the answer, at the pace of who reads it; raises Gone when nobody does, or there is no room."""
        if self.is_gone:
            raise Gone
        if event["type"] == "http.response.start":
            self._start = event
            return
        size = len(event.get("body", b""))
        self._is_ending = not event.get("more_body", False)
        self._counts.answer_bytes += size
        try:
            if not self.status:
                await self._begin(size)
            elif size > MAX_PART_BYTES and self._counts.answer_bytes > MAX_ANSWERS_BYTES:  # nothing else can be said
                self._counts.full["answer_bytes", ""] = MAX_ANSWERS_BYTES
                self._leave("streams without room")
            for part in _parts(event):
                await self._send_soon(part)
        finally:
            self._counts.answer_bytes -= size
        self._is_answered = not event.get("more_body", False)

    async def _begin(self, size: int) -> None:
        start = self._start
        if start is None:
            return
        if size > MAX_PART_BYTES and self._counts.answer_bytes > MAX_ANSWERS_BYTES:
            self._counts.refuse("answers at once", "answer_bytes", MAX_ANSWERS_BYTES)
            self._start = None
            self.no_room = ResourceExhausted("room for the answers to all requests", MAX_ANSWERS_BYTES)
            raise Gone
        self.status = start["status"]
        if self._deadline is not None and not (
            self.is_stream or self.has_left
        ):  # it was answered in time: now it is for who reads it
            self._deadline.reschedule(asyncio.get_running_loop().time() + self._timeout_s)
        await self._send_soon(start)

    async def _send_soon(self, event: Event) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._send(event)
        except TimeoutError:
            self._leave()

    def _leave(self, why: str = "readers that did not read") -> NoReturn:
        self._counts.cut_off[why] += 1
        self.is_gone = True
        raise Gone from None

    async def answer(self, problem: Problem, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """Answer with a problem, unless something was answered already."""
        if self.status:
            return
        body = problem.encode()
        told = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode()), *headers]
        if not self.body_read:  # what follows on this connection would be the rest of a body that nobody wants
            told.append((b"connection", b"close"))
        await self.send({"type": "http.response.start", "status": problem.status, "headers": told})
        await self.send({"type": "http.response.body", "body": body})

    async def run(self, app: Application, scope: Scope, timeout_s: float) -> None:
        """Have the application answer; where it does not in time, say so. Raises Gone."""
        self._timeout_s = timeout_s
        try:
            await self._run(app, scope)
        except TimeoutError:
            if self.has_left:
                return
            if self.status and not self._is_answered:
                self._leave()
            await self.answer(self._late(timeout_s))

    async def _run(self, app: Application, scope: Scope) -> None:
        try:
            async with asyncio.timeout(self._timeout_s) as self._deadline:
                if self.body_read:
                    self._watching = asyncio.get_running_loop().create_task(self._watch())
                await app(scope, self.receive, self.send)
        finally:
            self._deadline = None
            if self._watching is not None:
                self._watching.cancel()

    def end(self) -> None:
        """Give back what its body took, and its place among the streams."""
        self._counts.body_bytes -= self._read
        self._counts.streams -= self.is_stream
        if self._share is not None:
            self._share.give_back(self._own, self._messages, is_stream=self.is_stream)

    async def _watch(self) -> None:
        """End a request whose caller hangs up while it is answered: nobody waits for what it would say."""
        while (await self._receive())["type"] == "http.request":
            pass
        self._left.set()
        if not self._is_ending and self._deadline is not None:
            self.has_left = True
            self._counts.hung_up += not self.is_stream  # whoever reads a stream ends it so
            self._deadline.reschedule(asyncio.get_running_loop().time())

    def _late(self, timeout_s: float) -> Problem:
        if self.body_read:
            self._counts.refused["deadlines"] += 1
            return Problem.of(Timeout("the request", timeout_s))
        self._counts.refused["slow bodies"] += 1
        return Problem.told(HTTPStatus.REQUEST_TIMEOUT, f"the body did not come within {timeout_s:g} s")


class Door:
    """The outermost application: one for all requests of a port. open_paths: what needs no token.

    shares: of each principal that has a request under way.
    """

    def __init__(
        self,
        app: Application,
        hosts: Hosts,
        identify: Identify,
        counts: Counts,
        notes: AccessNotes,
        timeout_s: float = REQUEST_TIMEOUT_S,
        open_paths: frozenset[str] = OPEN_PATHS,
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._identify = identify
        self._counts = counts
        self._notes = notes
        self._timeout_s = timeout_s
        self._open_paths = open_paths
        self.shares = Shares(counts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        counts = self._counts
        most_bytes = MAX_MODULE_BODY_BYTES if scope["path"] in _MODULE_PATHS else MAX_BODY_BYTES
        passage = scope[REQUEST] = Passage(counts, receive, send, most_bytes)
        is_open = scope["path"] in self._open_paths or scope["path"].startswith(OPEN_FOLDER)
        counts.under_way += 1
        counts.open_under_way += is_open
        try:
            await self._pass(scope, passage, most_bytes, is_open=is_open)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is answered)
            await self._tell(scope, passage, error)
        else:
            if passage.is_gone:
                raise Gone
        finally:
            counts.under_way -= 1
            counts.open_under_way -= is_open
            counts.answered[passage.status] += 1
            passage.end()
            if passage.grant is not None:
                self.shares.forget_if_unused(passage.grant.principal)

    async def _pass(self, scope: Scope, passage: Passage, most_bytes: int, *, is_open: bool) -> None:
        named: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            named.setdefault(name, []).append(value)
        passage.body_read = named.get(b"content-length", [b"0"]) == [b"0"] and b"transfer-encoding" not in named
        called, pages = named.get(b"host", []), named.get(b"origin", [])
        if (problem := self._hosts.refuses(called, pages, scope.get(TARGET, b"/"))) is not None:
            self._counts.refused["hosts and origins"] += 1
            note_denied(self._notes, scope, None, problem.detail)
            await passage.answer(problem)
        elif (full := self._full(named.get(b"content-length", [b"0"])[0], most_bytes, is_open=is_open)) is not None:
            await self._refuse(passage, full)
        else:
            try:
                if not is_open:
                    passage.grant = self._identify(named, address_of(scope))
                    passage.belongs_to(self.shares.of(passage.grant.principal))
            except AccessError as error:
                self._counts.refused["without a token that counts"] += 1
                note_denied(self._notes, scope, None, error)
                await passage.answer(Problem.of(error), _challenge(error) + retry_header(error))
                return
            except (StorageError, ConfigurationError):  # whoever asks is nobody yet, and is not told of files
                await passage.answer(Problem.told(503, "the gateway cannot read its tokens; its log says why"))
                return
            await passage.run(self._app, scope, self._timeout_s)

    def _full(self, length: bytes, most_bytes: int, *, is_open: bool) -> CaxtonError | None:
        """Return why there is no room for a request with a body of such a length."""
        # Whoever looks whether it is well is answered where there are too many others, and shuts out none of them.
        counts = self._counts
        if is_open and counts.open_under_way > MAX_OPEN_REQUESTS:
            counts.refuse("too many at once without a token", "open_requests", MAX_OPEN_REQUESTS)
            return ResourceExhausted("requests at once that need no token", MAX_OPEN_REQUESTS)
        if not is_open and counts.requests > MAX_REQUESTS:
            counts.refuse("too many at once", "requests", MAX_REQUESTS)
            return ResourceExhausted("requests at once", MAX_REQUESTS)
        wanted = int(length) if length.isdigit() else 0
        if wanted > most_bytes:
            self._counts.refused["large bodies"] += 1
            return MessageTooLarge.of(wanted, most_bytes, "body")
        return None

    async def _tell(self, scope: Scope, passage: Passage, error: Exception) -> None:
        """Answer with what went wrong. The passage knows what its application may have raised as something else."""
        if passage.no_room is not None:
            await self._refuse(passage, passage.no_room)
        elif passage.is_gone or isinstance(error, Gone):
            raise Gone from None
        elif isinstance(error, CaxtonError):
            await self._refuse(passage, error)
        else:
            log.error("%s %s ended with an error that nobody foresaw", scope["method"], scope["path"], exc_info=error)
            detail = "an error that nobody foresaw; it is in what the gateway logged"
            await passage.answer(Problem.told(HTTPStatus.INTERNAL_SERVER_ERROR, detail))

    async def _refuse(self, passage: Passage, error: CaxtonError) -> None:
        await passage.answer(Problem.of(error), retry_header(error))


def _parts(event: Event) -> Iterator[Event]:
    """Yield an event in parts that are small: a server takes each whole, and keeps what is not read of it."""
    body = event.get("body", b"")
    last = max(0, len(body) - 1) // MAX_PART_BYTES
    for number in range(last + 1):
        part = body[number * MAX_PART_BYTES : (number + 1) * MAX_PART_BYTES] if last else body
        yield {**event, "body": part, "more_body": number < last or event.get("more_body", False)}


def retry_header(error: CaxtonError) -> tuple[tuple[bytes, bytes], ...]:
    """Return the header that says when to ask again, where that is known."""
    after_s = retry_after_s(error)
    return () if after_s is None else ((b"retry-after", str(after_s).encode()),)


def address_of(scope: Scope) -> str:
    """Return where a request comes from, "" where that is not known."""
    return str((scope.get("client") or ("",))[0])


def note_denied(notes: AccessNotes, scope: Scope, grant: Grant | None, error: AccessError | str) -> None:
    """Have the audit say what was denied, and to whom: to a token, as far as it is known, or to an address."""
    token_id = error.token_id if isinstance(error, TokenRefused) else ""
    if grant is not None:
        principal = grant.principal
    else:
        principal = f"token:{token_id}" if token_id else f"{ADDRESS}{network_of(address_of(scope)) or 'unknown'}"
    asked = f"{scope['method']} {scope['path']}"
    notes.denied(principal, asked, error, time.time_ns() // 1_000_000, "" if grant is None else grant.name)


def _challenge(error: AccessError) -> tuple[tuple[bytes, bytes], ...]:
    """Return the header that RFC 6750 wants with a 401."""
    if not isinstance(error, TokenMissing | TokenRefused):
        return ()
    wrong = b', error="invalid_token"' if isinstance(error, TokenRefused) else b""
    return ((b"www-authenticate", b'Bearer realm="caxton"' + wrong),)
