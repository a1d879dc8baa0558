"""The other end of a client's durable way to a shard: workers that take, commit and release, without a socket."""

from collections import deque

import pytest

from caxton.acl.envelope import DURABLE, Envelope
from caxton.client.routes.durable_route import SILENT_TICKS
from caxton.errors import AgentNotFound, QueueFull
from caxton.links.durable import DurableIncoming, DurableLink, DurableOutgoing
from caxton.links.greeting import hear, say
from caxton.wire.codec import CONTROL, DATA
from caxton.wire.control import Hello
from caxton.wire.frames import FULL_FRAME_BYTES, MAX_FRAME_MESSAGES, DataFrame

SESSION, MARK = 1 << 63, bytes(16)
REFUSED = (AgentNotFound("x"), QueueFull("x", 1, 1))


class Wire:
    """Keeps what is sent; refuses it while it is full."""

    def __init__(self):
        self.frames = deque()
        self.is_full = False

    def send(self, frame):
        if not self.is_full:
            self.frames.append(bytes(frame))
        return not self.is_full

    def close(self, linger_ms=0):
        self.frames.clear()


class Store:
    """What survives the workers of the shard: `committed` in order, the outbox, and both ends' numbers."""

    def __init__(self, file):
        self.file = file
        self.taken, self.refusals = 0, None
        self.committed = []
        self.outbox = []  # every message ever numbered
        self.acknowledged = 0


class Worker:
    """One incarnation: takes, commits, releases, tells; by the pure links, without a socket."""

    def __init__(self, incarnation, store, window, seen):
        self.incarnation, self.store = incarnation, store
        self.data, self.control = Wire(), Wire()
        incoming = DurableIncoming(
            taken=store.taken, refusals=store.refusals, window_messages=window, window_bytes=1 << 20
        )
        outgoing = DurableOutgoing(
            emitted=len(store.outbox), acknowledged=store.acknowledged, credit_messages=None, credit_bytes=None
        )
        self.link = DurableLink(outgoing, incoming)
        self.has_inherited_refusals = bool(store.refusals)
        self.uncommitted = deque()
        self.seen = seen  # ids that any worker was given

    def take(self):
        """Take the frames that have come; returns what was new."""
        new = []
        while self.data.frames:
            frame = DATA.decode(self.data.frames.popleft())
            size = sum(len(m.content) for m in frame.messages)
            assert frame.lane == 1
            assert len(frame.messages) <= MAX_FRAME_MESSAGES
            assert size <= FULL_FRAME_BYTES or len(frame.messages) == 1
            taken = self.link.incoming.take(frame.first, len(frame.messages), size)
            # A successor does not know yet that refusals of its predecessor were seen, and counts them as outstanding.
            assert not taken.over_credit or self.has_inherited_refusals, "credit is kept"
            some = list(enumerate(frame.messages, frame.first))[taken.skip :]
            new += some
            self.uncommitted.extend(some)
            ids = {m.message_id for m in frame.messages}
            assert frame.resent or not ids & self.seen, "what may have been there before says so"
            self.seen |= ids
        return new

    def commit(self, refuse):
        """Refuse those at these places, commit the rest with their replies, acknowledge, release."""
        incoming, store = self.link.incoming, self.store
        for at, (sequence, message) in enumerate(self.uncommitted):
            if at in refuse:
                incoming.refuse(sequence, REFUSED[at % 2])
            else:
                store.committed.append(message)
                if message.reply_with is not None:
                    self.emit(message.reply_with)
        store.refusals, store.taken = incoming.stored_refusals(), incoming.taken
        incoming.place(len(self.uncommitted), sum(len(m.content) for _, m in self.uncommitted))
        self.uncommitted.clear()

    def emit(self, in_reply_to):
        number = len(self.store.outbox) + 1
        message_id = (self.store.file << 64 | number).to_bytes(16, "big")
        self.store.outbox.append(Envelope(message_id, 7, 5, SESSION, b"r", None, in_reply_to, flags=DURABLE))
        self.link.outgoing.emit(1, 0)

    def release(self, most):
        """Return the frames that go now, of at most so many messages."""
        outgoing, frames = self.link.outgoing, []
        while outgoing.greeted and outgoing.sent < outgoing.emitted:
            some = self.store.outbox[outgoing.sent : outgoing.sent + most]
            frames.append(DataFrame(self.incarnation, MARK, SESSION, 1, outgoing.sent + 1, resent=False, messages=some))
            outgoing.went(outgoing.sent + len(some), 0)
        return frames

    def hello(self):
        peers = self.incarnation, MARK, SESSION
        return say(peers, self.store.file, SESSION, self.link.outgoing, self.link.incoming)

    def state(self, full):
        return self.link.state(self.incarnation, MARK, SESSION, sorted(full))

    def hear(self):
        """Take in what came on the control socket; returns the hellos to answer with."""
        answer = False
        while self.control.frames:
            control = CONTROL.decode(self.control.frames.popleft())
            if isinstance(control, Hello):
                heard = hear(control, self.store.file, SESSION)
                if heard.greets:
                    self.link.outgoing.greet(control.taken, control.taken_bytes)
                answer = answer or heard.answer
            else:
                settled = self.link.on_state(control)
                if settled is not None:
                    self.store.acknowledged = settled.acknowledged
        if self.link.incoming.stalled >= SILENT_TICKS:
            self.link.incoming.ask_for_missing()
        return [self.hello()] if answer or self.link.incoming.hello_due else []


@pytest.fixture
def make_wire():
    """A function that makes an outlet whose frames the test reads."""
    return Wire


@pytest.fixture
def make_store():
    """A function that makes what survives the workers of a shard, by the number of its file."""
    return Store


@pytest.fixture
def make_worker():
    """A function that makes an incarnation of: its number, its store, its window, the ids that any was given."""
    return Worker
