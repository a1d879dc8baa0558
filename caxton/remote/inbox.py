"""What agents send to a client on another machine, and that no request of it waits for."""

import asyncio

import msgspec

from caxton.acl.message import Message
from caxton.client.routes.inbox import Inbox
from caxton.errors import CaxtonError, NetworkError, ResourceExhausted, RuntimeNotFound, Timeout
from caxton.forms.message_form import read_told
from caxton.ids import AgentId
from caxton.remote.http_line import HttpLine

PATH = "/v1/inbox"
# Between two tries to read on: doubled each time.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
_PASSING = (NetworkError, Timeout, RuntimeNotFound, ResourceExhausted)


class _Opened(msgspec.Struct, frozen=True):
    session: str


class RemoteInbox(Inbox):
    """Filled by `read` from a stream of the gateway. Messages count as read when they have left the gateway.

    opened: set while a stream is read; what comes in between is not kept by the gateway. session: under which id.
    """

    def __init__(self, line: HttpLine) -> None:
        super().__init__()
        self._line = line
        self._room = asyncio.Event()
        self.on_room = self._room.set
        self.opened = asyncio.Event()
        self.session: AgentId | None = None
        # Why nothing comes any more.
        self.error: CaxtonError | None = None

    async def next(self) -> Message | None:
        """Return the next message, waiting for one; None when the client is closed. Raises why nothing comes."""
        message = await super().next()
        if message is None and self.error is not None:
            raise self.error
        return message

    async def read(self) -> None:
        """Read until an error comes that does not pass, such as a token that was revoked."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                async for name, data in self._line.events(PATH):
                    pause_s = FIRST_PAUSE_S
                    await self._take(name, data)
            except _PASSING:
                pass
            except CaxtonError as error:
                self.error = error
                self.close()
                self.opened.set()
                return
            self.opened.clear()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _take(self, name: str, data: bytes) -> None:
        if name == "open":
            self.session = AgentId.parse(self._line.read(data, _Opened).session)
            self.opened.set()
        elif name == "message":
            while self.full:
                self._room.clear()
                self.hold_back()
                await self._room.wait()
            self.keep(read_told(self._line.read(data, dict[str, object])).envelope)
