"""The outbox of one target: what agents sent to a shard or a client, kept until it is acknowledged."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from caxton.acl.envelope import Envelope
from caxton.ids import SESSION_BIT
from caxton.links.credit import FIRST_STORED
from caxton.links.durable import DurableOutgoing
from caxton.store.commit import OutboxRow, TargetRow
from caxton.wire.codec import PACKED
from caxton.wire.frames import FULL_FRAME_BYTES, MAX_FRAME_MESSAGES, PackedFrame
from workers.peers.peer import Peer

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Envelope]).decode
DURABLE_LANE = 1


class Packed(NamedTuple):
    """The messages of one frame, encoded, with their row's number in the outbox."""

    number: int
    first: int
    last: int
    messages: bytes


class Outbox:
    """To one target: a shard, by its number, or a session. It outlives the incarnations at its other end.

    peer: who is at the other end now, once it is greeted. bytes: what the frames hold. row_acknowledged: the last
    sequence of the last frame that was acknowledged as a whole; the file knows no more.
    """

    __slots__ = (
        "_committed",
        "_ever_sent",
        "_sizes",
        "_to_send",
        "bytes",
        "frames",
        "outgoing",
        "peer",
        "row_acknowledged",
        "target",
    )

    def __init__(self, target: int, row: TargetRow, frames: list[Packed]) -> None:
        self.target = target
        self.outgoing = self._outgoing(row)
        self.row_acknowledged = row.acknowledged
        self.frames = deque(frames)
        self.bytes = sum(len(frame.messages) for frame in frames)
        self.peer: Peer | None = None
        self._to_send: deque[Packed] = deque()
        # What the contents of each frame weigh, by its number, where the target gives credit for it.
        self._sizes = {frame.number: self._size(_decode(frame.messages)) for frame in frames}
        self._committed = row.emitted
        self._ever_sent = row.emitted  # whatever an earlier life had stored, it may have sent

    @property
    def is_session(self) -> bool:
        """True for the outbox of a client."""
        return self.target >= SESSION_BIT

    @property
    def messages(self) -> int:
        """How many messages stand in the outbox for this target."""
        return self.outgoing.emitted - self.row_acknowledged

    def row(self) -> TargetRow:
        """Return what the file is to know of this outbox."""
        return TargetRow(self.outgoing.target_file, self.outgoing.emitted, self.row_acknowledged)

    def pack(self, messages: list[Envelope], number: Callable[[], int]) -> list[OutboxRow]:
        """Number the messages, and return the rows of their frames: at most 256 messages and about 256 KiB each."""
        rows: list[OutboxRow] = []
        for start in range(0, len(messages), MAX_FRAME_MESSAGES):
            self._pack(messages[start : start + MAX_FRAME_MESSAGES], number, rows)
        return rows

    def _pack(self, messages: list[Envelope], number: Callable[[], int], rows: list[OutboxRow]) -> None:
        encoded = _encode(messages)
        if len(encoded) > FULL_FRAME_BYTES and len(messages) > 1:
            half = len(messages) // 2
            self._pack(messages[:half], number, rows)
            self._pack(messages[half:], number, rows)
            return
        size = self._size(messages)
        first = self.outgoing.emit(len(messages), size)
        packed = Packed(number(), first, self.outgoing.emitted, encoded)
        self._sizes[packed.number] = size
        self.frames.append(packed)
        self.bytes += len(encoded)
        rows.append(OutboxRow(packed.number, self.target, first, packed.last, encoded))

    def begin_anew(self, number: Callable[[], int]) -> list[OutboxRow]:
        """The target has another store: number what it has not acknowledged from 1; returns the rows to add."""
        frames, self.frames = list(self.frames), deque()
        sizes, self._sizes = self._sizes, {}
        self.outgoing = self._outgoing(TargetRow(0, 0, 0))
        self.row_acknowledged = 0
        rows: list[OutboxRow] = []
        for packed in frames:
            first = self.outgoing.emit(packed.last - packed.first + 1, sizes[packed.number])
            again = packed._replace(number=number(), first=first, last=self.outgoing.emitted)
            self.frames.append(again)
            self._sizes[again.number] = sizes[packed.number]
            rows.append(OutboxRow(again.number, self.target, first, again.last, again.messages))
        self._to_send.clear()
        self._committed, self._ever_sent = 0, self.outgoing.emitted
        return rows

    def committed(self, rows: list[OutboxRow]) -> None:
        """These are safe: they may go."""
        self._to_send.extend(Packed(row.number, row.first, row.last, row.messages) for row in rows)
        self._committed = rows[-1].last

    def rewind(self) -> None:
        """The other end was greeted anew: everything after what it took goes again."""
        sent, committed = self.outgoing.sent, self._committed
        self._to_send = deque(packed for packed in self.frames if sent < packed.last <= committed)

    def send(self, own: int, *, tells: bool = False) -> bool:
        """Send what may go; what there is no credit for, or a socket has no room for, waits for the next time.

        tells: the last frame is also to say how the link stands. True when it did.
        """
        peer, waiting, outgoing = self.peer, self._to_send, self.outgoing
        if peer is None or not outgoing.greeted:
            return False
        state = None
        while waiting:
            packed = waiting[0]
            if packed.last > outgoing.acknowledged:
                size = self._sizes[packed.number]
                if outgoing.room() < packed.last - outgoing.sent or not outgoing.fits(size):
                    return False
                resent = packed.last <= self._ever_sent
                raw = msgspec.Raw(packed.messages)
                state = peer.durable_state() if tells and len(waiting) == 1 else None
                frame = PackedFrame(own, peer.mark, peer.number, DURABLE_LANE, packed.first, resent, raw, state)
                if not peer.send(PACKED.encode(frame)):
                    return False
                outgoing.went(packed.last, size)
                self._ever_sent = max(self._ever_sent, packed.last)
            waiting.popleft()
        return state is not None

    def settle(self) -> list[Packed]:
        """Return, and no longer hold, the frames that were acknowledged as a whole."""
        settled: list[Packed] = []
        while self.frames and self.frames[0].last <= self.outgoing.acknowledged:
            packed = self.frames.popleft()
            self.bytes -= len(packed.messages)
            del self._sizes[packed.number]
            self.row_acknowledged = packed.last
            settled.append(packed)
        return settled

    def _outgoing(self, row: TargetRow) -> DurableOutgoing:
        """A session is not held back by credit, but by what it leaves unread; another shard is."""
        if self.is_session:
            outgoing = DurableOutgoing(
                emitted=row.emitted, acknowledged=row.acknowledged, credit_messages=None, credit_bytes=None
            )
        else:
            outgoing = DurableOutgoing(emitted=row.emitted, acknowledged=row.acknowledged, first_messages=FIRST_STORED)
        outgoing.target_file = row.file
        return outgoing

    def _size(self, messages: list[Envelope]) -> int:
        return 0 if self.is_session else sum([len(message.content) for message in messages])
