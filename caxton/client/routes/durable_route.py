"""The durable lane from a client to one shard, and back: it outlives the shard's workers.

What is under way when a worker ends is sent again to its successor, until it is acknowledged or refused.
"""

from collections import Counter
from itertools import islice

import msgspec

from caxton.acl.options import Lane
from caxton.client.routes.answers import Answers
from caxton.client.routes.backlog import Backlog, Entry
from caxton.client.routes.outlets import Outlets
from caxton.client.routes.unread import Unread
from caxton.errors import NetworkError, ShardUnavailable, StorageError
from caxton.links.durable import DurableIncoming, DurableLink, DurableOutgoing
from caxton.links.greeting import hear, say
from caxton.wire.codec import CONTROL, DATA
from caxton.wire.control import Hello
from caxton.wire.frames import FULL_FRAME_BYTES, MAX_FRAME_MESSAGES, DataFrame
from caxton.wire.link_state import MAX_REFUSALS, LinkState

# Messages taken or read without a word to the worker, which keeps them until then, or their weight in bytes; the next
# tick tells the rest.
TELL_AFTER, TELL_AFTER_BYTES = 2_048, 16 << 20
# Ticks in which a worker acknowledges nothing of what is under way, or takes nothing; then it is asked what it has, or
# whether it takes something again: whoever sends nothing while it does not would miss a word that was lost.
SILENT_TICKS = 10
# Ticks after a worker's first hello in which what its predecessor had committed for us has come, or is announced.
TICKS_TO_BE_TOLD = 2
# Requests that are older are not sent again: shards know a key for ten minutes. One is for the way there.
MOST_AGE_OF_A_KEY_S = 9 * 60.0


class DurableRoute:
    """Numbers messages once for the shard's store, and keeps them until it has them.

    outlets: None while there is no worker. link: with the shard's store, whose id is `file`, 0 before its worker's
    first word. A worker that names another file has lost what the old one had: callers are told (NetworkError), and
    the numbers begin anew.
    """

    def __init__(self, shard: int, session: int, mark: bytes, answers: Answers, counts: Counter[str]) -> None:
        self.shard = shard
        self.backlog = Backlog(Lane.DURABLE)
        self.outlets: Outlets | None = None
        self.file = 0
        self._session = session
        self._mark = mark
        self._answers = answers
        self._counts = counts
        self._closed = ""  # why the worker takes nothing, as callers were told last
        self._open_space()

    def submit(self, entries: list[Entry]) -> None:
        """Let messages go, now or when there is room; `send` sends them. They end at once while the disk is full."""
        self.backlog.add(entries)
        self._fail_if_closed()

    def has_room(self, receiver: int) -> bool:
        """True when a message for this agent would go at once, or end at once."""
        outgoing = self.link.outgoing
        if outgoing.closed:
            return True
        return self._may_go and self.backlog.has_room(receiver, outgoing.room(), self.link.full)

    def send(self) -> None:
        """Send what may go: first again what the present worker has not got, then more."""
        outlets = self.outlets
        for frame in self._pack() if outlets is not None else ():
            if outlets is not None and not outlets.data.send(frame):
                self._counts["unsent"] += 1
                self._asks = True  # what the socket had no room for goes again after the answer
                return

    def change(self, outlets: Outlets | None) -> None:
        """Go on with another worker, or none: what was under way to the old one waits for the new one."""
        self.outlets = outlets
        self.backlog.release()
        self.link.meet()
        self._is_heard = self._asks = False
        self._silent_ticks = self._heard_ticks = self._their_emitted = 0
        self._say_hello()

    def ask_again_for_answers(self, now_s: float) -> bool:
        """Let requests go again whose answers the last worker owed, when this one has none on its way; True for some.

        Only those whose keys the shard surely knows: with the others the agent might handle them once more.
        """
        if self._heard_ticks < TICKS_TO_BE_TOLD or self.link.incoming.taken < self._their_emitted:
            return False
        again: list[Entry] = []
        for entry in self.backlog.owed(self._taken_before):
            if now_s - entry[1].began_s > MOST_AGE_OF_A_KEY_S:
                entry[1].end(entry[2], NetworkError(f"worker of shard {self.shard}", "it ended before it answered"))
            else:
                again.append(entry)
        if again:
            self._counts["resent"] += len(again)
            self.backlog.add(again)
        return bool(again)

    def give_up(self, state: str) -> None:
        """End what has no number yet, for the shard is not coming back; the fate of the rest is unknown."""
        self.backlog.fail_waiting(ShardUnavailable(self.shard, state))

    def heard_hello(self, hello: Hello) -> None:
        """Learn which store the worker has and what it took of ours, and send from there."""
        heard = hear(hello, self._session, self.file)
        if heard.new_space:
            lost = NetworkError(f"shard {self.shard}", "its file is another one now")
            self.backlog.fail_under_way(lost)
            for _, batch, place, _ in self.backlog.owed(self.link.outgoing.emitted):
                batch.end(place, lost)
            self.backlog.release()
            self._open_space()
        self.file = hello.file
        self._is_heard = True
        if heard.greets and not self.link.outgoing.greeted:
            self._taken_before = hello.taken
        if heard.greets and self.link.outgoing.greet(hello.taken, hello.taken_bytes):
            self._asks = False
        if heard.answer:
            self._say_hello()

    def heard_state(self, state: LinkState) -> None:
        """Settle what the worker committed or refused, and take the credit it gives."""
        outgoing = self.link.outgoing
        before = outgoing.acknowledged
        self._their_emitted = state.emitted
        settled = self.link.on_state(state)
        if settled is not None:
            if settled.acknowledged > before:
                self._silent_ticks = 0
            self.backlog.settle(settled.acknowledged - before, before + 1, settled.refusals)
            self.backlog.unblock(outgoing.room(), self.link.full)
            self._fail_if_closed()
            if len(state.refusals) == MAX_REFUSALS:
                self.send_state()  # there may be more of them, and they come when these were seen

    def take(self, frame: DataFrame, size: int) -> None:
        """Take a frame of `size` bytes from the worker's outbox: each message once, in order, none without room."""
        count = len(frame.messages)
        if self._answers.inbox.full_of_unread:
            self._counts["held_back"] += count
            self._answers.inbox.hold_back()
            self._is_held_back = True
            return
        taken = self.link.incoming.take(frame.first, count, 0)  # without a byte window no size matters
        self._counts["out_of_sequence" if taken.gap else "duplicates"] += taken.skip
        messages = frame.messages[taken.skip :]
        if messages:
            self._answers.take_durable(messages, frame.first + taken.skip, self._unread)
            self._unread.place()
            self._untold += max(len(messages), size * TELL_AFTER // TELL_AFTER_BYTES)

    def taken_all(self) -> None:
        """The socket is empty for now: ask for what is missing, acknowledge when enough was taken."""
        if self.link.incoming.hello_due:
            self._say_hello()
        if self._untold >= TELL_AFTER:
            self.send_state()

    def ask_again(self) -> None:
        """The inbox has room: ask for the messages that were not taken."""
        if self._is_held_back:
            self._is_held_back = False
            self.link.incoming.ask()
            self._say_hello()

    def tick(self) -> None:
        """Every 200 ms: repeat what the worker may not have heard."""
        link = self.link
        if self.outlets is None:
            return
        self._heard_ticks += link.outgoing.greeted
        self._silent_ticks = self._silent_ticks + 1 if link.outgoing.open or link.outgoing.closed else 0
        if self._silent_ticks >= SILENT_TICKS:
            self._silent_ticks = 0
            self._asks = True
        if link.incoming.stalled >= SILENT_TICKS and not self._is_held_back:
            link.incoming.ask_for_missing()
        if self._asks or link.incoming.hello_due or not link.outgoing.greeted:
            self._say_hello()
        if link.open or link.changed:
            self.send_state()

    def send_state(self) -> None:
        """Tell the worker how the link stands, once it is known which store that speaks of."""
        if self.outlets is not None and self._is_heard:
            self._untold = 0
            state = self.link.state(self._session, self._mark, self.outlets.incarnation, [])
            self.outlets.control.send(CONTROL.encode(state))

    def _say_hello(self) -> None:
        """Tell the worker that we are here and what we last took of its store's messages."""
        if self.outlets is not None:
            peers = self._session, self._mark, self.outlets.incarnation
            hello = say(peers, self._session, self.file, self.link.outgoing, self.link.incoming)
            if self._asks:
                hello = msgspec.structs.replace(hello, answer_wanted=True)
            self.outlets.control.send(CONTROL.encode(hello))

    @property
    def _may_go(self) -> bool:
        outgoing = self.link.outgoing
        return self.outlets is not None and outgoing.greeted and not outgoing.closed

    def _pack(self) -> list[bytearray]:
        frames: list[bytearray] = []
        outgoing = self.link.outgoing
        while self._may_go and outgoing.sent < outgoing.emitted:
            entries, size = self._again()
            if not entries:
                return frames
            frames.append(self._frame(outgoing.sent + 1, entries, resent=True))
            outgoing.went(outgoing.sent + len(entries), size)
            self._counts["resent"] += len(entries)
        while self._may_go and self.backlog.ready:
            entries, size = self.backlog.fill(outgoing.room(), outgoing.fits, self.link.full)
            if not entries:
                break
            first = outgoing.emit(len(entries), size)
            outgoing.went(first + len(entries) - 1, size)
            frames.append(self._frame(first, entries, resent=False))
        return frames

    def _again(self) -> tuple[list[Entry], int]:
        """Return the entries of the next frame that goes again, also those whose callers wait no longer, and its size.

        A sequence has the same content always.
        """
        outgoing = self.link.outgoing
        at = outgoing.sent - outgoing.acknowledged
        most = min(outgoing.room(), MAX_FRAME_MESSAGES)
        entries: list[Entry] = []
        size = 0
        for entry in islice(self.backlog.under_way, at, at + most):
            more = size + len(entry[0].content)
            if (entries and more > FULL_FRAME_BYTES) or not outgoing.fits(more):
                break
            size = more
            entries.append(entry)
        return entries, size

    def _frame(self, first: int, entries: list[Entry], *, resent: bool) -> bytearray:
        target = self.outlets.incarnation if self.outlets is not None else 0
        messages = [entry[0] for entry in entries]
        return DATA.encode(
            DataFrame(self._session, self._mark, target, Lane.DURABLE, first, resent=resent, messages=messages)
        )

    def _fail_if_closed(self) -> None:
        closed = self.link.outgoing.closed
        if closed != self._closed:  # what is under way is stored when there is room: whoever gives up before is told
            self._closed = closed
            knows = f"shard {self.shard} takes nothing durable now: {closed}; it may be stored yet" if closed else ""
            for _, batch, _, _ in self.backlog.under_way:
                batch.knows = knows
        if closed:
            self.backlog.fail_waiting(StorageError(f"shard {self.shard}", closed))

    def _open_space(self) -> None:
        """Begin the numbers of both directions, with a store that we know nothing of."""
        incoming = DurableIncoming(window_messages=None, window_bytes=None)
        self.link = DurableLink(DurableOutgoing(), incoming)
        self._unread = Unread(incoming)
        self._is_heard = False  # the present worker's hello
        self._asks = False  # until the worker says what it took
        self._is_held_back = False  # messages were not taken for want of room in the inbox
        self._untold = 0
        self._silent_ticks = 0
        # What the present worker's predecessors took of ours, by its hello; ticks since then; how many messages it says
        # to have for us.
        self._taken_before = self._heard_ticks = self._their_emitted = 0
