"""One other end of this worker's links: a worker or a session, with its link on each lane and its two outlets."""

from collections import deque

from caxton.acl.envelope import Envelope
from caxton.delivery.windows import MOST_WINDOW
from caxton.ids import SESSION_BIT
from caxton.links.durable import DurableLink
from caxton.links.incoming import Incoming
from caxton.links.link import Link
from caxton.links.outgoing import Outgoing
from caxton.links.session import SessionMarks
from caxton.transport.sockets import Outlet
from caxton.wire.codec import CONTROL, DATA
from caxton.wire.frames import FULL_FRAME_BYTES, MAX_FRAME_MESSAGES, DataFrame
from caxton.wire.link_state import LinkState

# Messages for a session that it has not acknowledged, at most: a client library reads always, and acknowledges.
MOST_UNREAD, MOST_UNREAD_BYTES = 65_536, 64 << 20
# So many messages and bytes are much: the session is to read them before it sends more.
MUCH_UNREAD, MUCH_UNREAD_BYTES = MOST_UNREAD // 4, MOST_UNREAD_BYTES // 4
# So many answers, and bytes of them: a client that reads has no more calls under way. What is beyond is dropped, and
# counted.
MOST_ANSWERS, MOST_ANSWERS_BYTES = 1_024, 64 << 20
# What one session may have under way here, at most, in bytes.
WINDOW_BYTES = 16 << 20


class Peer:
    """One other end. The worker's loop owns it; `close` twice is fine.

    principal: for whom a session acts, "" for the runtime's owner.
    """

    def __init__(
        self, number: int, own: int, marks: SessionMarks, data: Outlet, control: Outlet, principal: str = ""
    ) -> None:
        self.number = number
        self.principal = principal
        self.is_session = number >= SESSION_BIT
        # What its frames must carry, and what frames to it carry: a session only ever sees its own mark.
        self.their_mark = marks.mark(number, principal)
        self.mark = self.their_mark if self.is_session else marks.mark(own)
        self.own = own
        self._data = data
        self._control = control
        incoming = Incoming(window_messages=MOST_WINDOW, window_bytes=WINDOW_BYTES)
        # A session is not held back by credit, but by what it leaves unread; another worker is.
        outgoing = Outgoing(credit_messages=None, credit_bytes=None) if self.is_session else Outgoing()
        self.link = Link(outgoing, incoming)
        # The durable lane, and the store that it belongs to, once the peer has said hello.
        self.durable: DurableLink | None = None
        self.file = 0
        # True while agents without room are to be told on the durable lane.
        self.announced = False
        # Agents here that it fed and that have no room.
        self.full: set[int] = set()
        # Frames that it has not acknowledged: the last sequence of each, and its bytes.
        self._unread: deque[tuple[int, int]] = deque()
        self._unread_bytes = 0
        # Answers to calls that found no room in the socket.
        self._answers: deque[bytearray] = deque()
        self._answers_bytes = 0
        # A session that leaves much unread: it gets no credit.
        self.lags = False
        # It leaves more than its part unread, while all clients together leave more than is kept: it gets no more.
        self.crowds = False

    def pack(self, messages: list[Envelope], *, tells: bool) -> tuple[list[bytearray], list[Envelope]]:
        """Number messages and return the frames that carry them, each at most 256 messages and about 256 KiB.

        tells: the last frame also says how the link stands, which costs less than a frame of its own. Returned too is
        what finds no credit; sessions are given none, and `room` looks to them.
        """
        frames: list[bytearray] = []
        outgoing = self.link.outgoing
        start, most = 0, MAX_FRAME_MESSAGES
        while start < len(messages):
            some = messages[start : start + min(most, outgoing.room())]
            size = 0 if self.is_session else sum([len(m.content) for m in some])
            fits = outgoing.fits(size)
            if len(some) > 1 and (size > FULL_FRAME_BYTES or not fits):
                most = len(some) // 2
            elif not some or not fits:
                break
            elif self._pack(some, size, frames, tells=tells and start + len(some) >= len(messages)):
                start += len(some)
            else:
                most = len(some) // 2
        return frames, messages[start:]

    def _pack(self, messages: list[Envelope], size: int, frames: list[bytearray], *, tells: bool) -> bool:
        """Add the frame of these messages; False when it came out too long, and might be shorter."""
        outgoing = self.link.outgoing
        first, state = outgoing.emitted + 1, self.state() if tells else None
        frame = DATA.encode(
            DataFrame(self.own, self.mark, self.number, 0, first, resent=False, messages=messages, state=state)
        )
        if len(frame) > FULL_FRAME_BYTES and len(messages) > 1:
            return False
        outgoing.emit(len(messages), size)
        frames.append(frame)
        if self.is_session:
            self._unread.append((outgoing.emitted, len(frame)))
            self._unread_bytes += len(frame)
        return True

    def room(self) -> int:
        """How many messages a session may still be sent: none beyond 65,536 or 64 MiB unread, or while it `crowds`."""
        self._forget_what_was_read()
        if self._unread_bytes > MOST_UNREAD_BYTES or self.crowds:
            return 0
        return max(0, MOST_UNREAD - self.link.outgoing.outstanding)

    @property
    def leaves_much_unread(self) -> bool:
        """True for a session that has not read more than a quarter of what may be unread on the volatile lane."""
        if self.link.outgoing.outstanding <= MUCH_UNREAD and self._unread_bytes <= MUCH_UNREAD_BYTES:
            return False
        self._forget_what_was_read()
        return self.link.outgoing.outstanding > MUCH_UNREAD or self._unread_bytes > MUCH_UNREAD_BYTES

    @property
    def unread_bytes(self) -> int:
        """What a session was sent on the volatile lane, or answered, and has not read."""
        self._forget_what_was_read()
        return self._unread_bytes + self._answers_bytes

    def _forget_what_was_read(self) -> None:
        unread, acknowledged = self._unread, self.link.outgoing.acknowledged
        while unread and unread[0][0] <= acknowledged:
            self._unread_bytes -= unread.popleft()[1]

    def send(self, frame: bytearray) -> bool:
        """Hand over a data frame; False when there is no room."""
        return self._data.send(frame)

    def say_how_far(self) -> None:
        """Tell the peer, by the way of the data, how far messages went: what has not come before that is lost."""
        if self.link.outgoing.open:
            first = self.link.outgoing.emitted + 1
            word = DataFrame(self.own, self.mark, self.number, 0, first, resent=False, messages=[])
            self._data.send(DATA.encode(word))

    def send_state(self) -> None:
        """Tell the peer how the link stands. A state that finds no room is told again by the next one."""
        self._control.send(CONTROL.encode(self.state()))

    def state(self) -> LinkState:
        """Return how the link stands."""
        return self.link.state(self.own, self.mark, self.number, sorted(self.full))

    def send_durable_state(self) -> None:
        """Tell the peer how the durable link stands, if there is one."""
        state = self.durable_state()
        if state is not None:
            self._control.send(CONTROL.encode(state))

    def durable_state(self) -> LinkState | None:
        """Return how the durable link stands, None while there is none."""
        self.announced = False
        if self.durable is None:
            return None
        return self.durable.state(self.own, self.mark, self.number, sorted(self.full))

    def share_window(self, messages: int, size: int) -> bool:
        """Let it have so many messages and bytes under way here on each lane; False when that is what it has."""
        incoming = [self.link.incoming] if self.durable is None else [self.link.incoming, self.durable.incoming]
        others = [lane for lane in incoming if (lane.window_messages, lane.window_bytes) != (messages, size)]
        for lane in others:
            lane.window_messages, lane.window_bytes = messages, size
        return bool(others)

    def announce(self) -> None:
        """Note that the agents without room are others, on both lanes."""
        self.link.announce()
        if self.durable is not None:
            self.durable.announce()
            self.announced = True

    def answer(self, control: bytearray) -> bool:
        """Send the answer to a call behind those that found no room before; False when too many of these wait."""
        self.send_answers()
        if len(self._answers) >= MOST_ANSWERS or self._answers_bytes >= MOST_ANSWERS_BYTES or self.crowds:
            return False
        self._answers.append(control)
        self._answers_bytes += len(control)
        self.send_answers()
        return True

    def send_answers(self) -> None:
        """Send the answers that wait, as far as there is room."""
        while self._answers and self._control.send(self._answers[0]):
            self._answers_bytes -= len(self._answers.popleft())

    def tell(self, control: bytearray) -> bool:
        """Hand over a control frame; False when there is no room."""
        return self._control.send(control)

    def close(self) -> None:
        """Disconnect."""
        self._data.close()
        self._control.close()
