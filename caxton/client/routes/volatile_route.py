"""The volatile lane from a client to one shard: what is under way when a worker ends is unknown."""

from collections import Counter

from caxton.acl.envelope import Envelope
from caxton.acl.options import Lane
from caxton.client.routes.backlog import Backlog, Entry
from caxton.client.routes.outlets import Outlets
from caxton.errors import NetworkError, ShardUnavailable
from caxton.links.incoming import Incoming
from caxton.links.link import Link
from caxton.links.outgoing import Outgoing
from caxton.wire.codec import CONTROL, DATA
from caxton.wire.frames import DataFrame
from caxton.wire.link_state import MAX_REFUSALS, LinkState


class VolatileRoute:
    """Sends to one shard within its worker's credit and its agents' room; what has neither waits in the backlog.

    link: with the present incarnation; every incarnation has one of its own. outlets: None while there is no worker.
    refuses: what becomes of a message that would leave now, while the worker refuses all; it is refused here already,
    since the worker may end before it arrives.
    """

    def __init__(self, shard: int, session: int, mark: bytes) -> None:
        self.shard = shard
        self.backlog = Backlog(Lane.VOLATILE)
        self.outlets: Outlets | None = None
        self.refuses: ShardUnavailable | None = None
        self.link = _new_link()
        self._session = session
        self._mark = mark

    def submit(self, entries: list[Entry]) -> None:
        """Let messages go, now or when there is room; `pack` sends them."""
        self.backlog.add(entries)

    def has_room(self, receiver: int) -> bool:
        """True when a message for this agent would go at once."""
        room = self.link.outgoing.room()
        return self.outlets is not None and self.backlog.has_room(receiver, room, self.link.full)

    def pack(self) -> list[bytearray]:
        """Take as many messages as may go now, and return the frames that carry them."""
        outlets, outgoing, frames = self.outlets, self.link.outgoing, []
        if self.refuses is not None:
            self.backlog.fail_unless_full(self.link.full, self.refuses)
        while outlets is not None and self.backlog.ready:
            entries, size = self.backlog.fill(outgoing.room(), outgoing.fits, self.link.full)
            if not entries:
                break
            first = outgoing.emit(len(entries), size)
            messages = [entry[0] for entry in entries]
            frame = DataFrame(self._session, self._mark, outlets.incarnation, 0, first, resent=False, messages=messages)
            frames.append(DATA.encode(frame))
        return frames

    def heard_state(self, state: LinkState) -> None:
        """Settle what the worker says it placed or refused, and take the credit it gives."""
        before = self.link.outgoing.acknowledged
        settled = self.link.on_state(state)
        if settled is not None:
            self.backlog.settle(settled.acknowledged - before, before + 1, settled.refusals)
            self.backlog.unblock(self.link.outgoing.room(), self.link.full)
            if len(state.refusals) == MAX_REFUSALS:
                self.send_state()  # there may be more of them, and they come when these were seen

    def take(self, frame: DataFrame, size: int, counts: Counter[str]) -> list[Envelope]:
        """Take a frame of `size` bytes and return the messages in it that did not come before.

        counts: `gaps`, messages that never came, and `duplicates`.
        """
        incoming, messages = self.link.incoming, frame.messages
        # Without a byte window any measure of size will do, as long as both sums agree.
        taken = incoming.take(frame.first, len(messages), size)
        counts["gaps"] += taken.lost
        if taken.skip:
            counts["duplicates"] += taken.skip
            messages = messages[taken.skip :]
        if messages:
            incoming.place(len(messages), size)
        return messages

    def say_how_far(self) -> None:
        """Tell the worker, by the way of the data, how far messages went: what has not come before that is lost."""
        if self.outlets is not None and self.link.outgoing.open:
            first = self.link.outgoing.emitted + 1
            word = DataFrame(self._session, self._mark, self.outlets.incarnation, 0, first, resent=False, messages=[])
            self.outlets.data.send(DATA.encode(word))

    def change(self, outlets: Outlets | None) -> None:
        """Go on with another worker, or none. What was under way to the old one is unknown; its callers are told."""
        if self.outlets is not None:
            self.backlog.fail_under_way(
                NetworkError(f"worker of shard {self.shard}", "it ended while the message was under way")
            )
            self.backlog.release()
        self.outlets = outlets
        self.link = _new_link()

    def give_up(self, state: str) -> None:
        """End what waits: the shard is not coming back."""
        self.backlog.fail_waiting(ShardUnavailable(self.shard, state))

    def send_state(self) -> None:
        """Tell the worker how the link stands."""
        if self.outlets is not None:
            state = self.link.state(self._session, self._mark, self.outlets.incarnation, [])
            self.outlets.control.send(CONTROL.encode(state))


def _new_link() -> Link:
    return Link(Outgoing(), Incoming(window_messages=None, window_bytes=None))
