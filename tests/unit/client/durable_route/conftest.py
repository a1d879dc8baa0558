import asyncio
from collections import Counter

import pytest

from caxton.acl.envelope import DURABLE, Envelope
from caxton.acl.options import Lane
from caxton.client.routes.answers import Answers
from caxton.client.routes.batches import Batch
from caxton.client.routes.outlets import Outlets
from caxton.client.routes.shard_route import ShardRoute
from caxton.wire.codec import CONTROL, DATA
from caxton.wire.control import Hello
from caxton.wire.frames import DataFrame
from caxton.wire.link_state import LinkState

SESSION, MARK, FILE = 1 << 63, bytes(16), 77


class Client:
    """A route, the worker's end of it by hand, and one batch of sends. file: the store of the worker, unless told."""

    file, session = FILE, SESSION

    def __init__(self, make_wire):
        self.make_wire = make_wire
        self.answers, self.counts = Answers(), Counter()
        self.route = ShardRoute(0, SESSION, MARK, self.answers, self.counts)
        self.durable = self.route.durable
        self.answers.inbox.on_room = self.durable.ask_again
        self.incarnation = self.states = 0
        self.batch = Batch(2_000, "send", 60.0, asyncio.get_running_loop())
        self.submitted = 0

    def start(self, file=FILE, taken=0):
        """A worker starts and greets; with file=0 it does not."""
        self.incarnation += 1
        self.states = 0
        self.data, self.control = self.make_wire(), self.make_wire()
        self.route.change(Outlets(self.incarnation, self.data, self.control), "ready")
        if file:
            self.greet(taken, file)

    def greet(self, taken, file=FILE, answer_wanted=False):
        self.durable.heard_hello(Hello(self.incarnation, MARK, SESSION, file, SESSION, taken, 0, answer_wanted))
        self.durable.send()

    def submit(self, *contents, receiver=None):
        """Submit messages, each for an agent of its own or all for one; returns their places in the batch."""
        places = range(self.submitted, self.submitted + len(contents))
        self.submitted += len(contents)
        entries = [
            (Envelope(bytes(16), 7, SESSION, receiver or 1 + n, c, flags=DURABLE), self.batch, n, True)
            for n, c in zip(places, contents, strict=True)
        ]
        self.route.submit(entries, Lane.DURABLE)
        self.durable.send()
        return places

    def request(self, *, created_at=0):
        """Submit a request; returns its place in the batch."""
        place, self.submitted = self.submitted, self.submitted + 1
        request = Envelope(bytes(16), 7, SESSION, 5, b"q", bytes(16), created_at=created_at, flags=DURABLE)
        self.route.submit([(request, self.batch, place, False)], Lane.DURABLE)
        self.durable.send()
        return place

    def told(self, taken, closed="", credit=10_000, refusals=(), emitted=0):
        self.states += 1
        state = LinkState(
            source=self.incarnation,
            mark=MARK,
            target=SESSION,
            lane=1,
            number=self.states,
            closed=closed,
            taken=taken,
            credit_messages=credit,
            credit_bytes=1 << 40,
            refusals_from=refusals[0].sequence - 1 if refusals else 0,
            refusals=list(refusals),
            full=[],
            emitted=emitted,
            refusals_seen=0,
        )
        self.route.heard_state(state)
        self.durable.send()

    def sent(self):
        """What went to the worker: (first sequence, resent, contents) of each frame."""
        frames = [DATA.decode(frame) for frame in self.data.frames]
        self.data.frames.clear()
        return [(f.first, f.resent, [m.content for m in f.messages]) for f in frames]

    def said(self, kind):
        """The control frames of a kind that went to the worker."""
        controls = [CONTROL.decode(frame) for frame in self.control.frames]
        self.control.frames.clear()
        return [control for control in controls if isinstance(control, kind)]

    def results(self, places):
        return [type(self.batch.results[place]) for place in places]

    def arrive(self, first, count, size=0):
        """A frame of so many bytes, of unasked messages, comes from the worker's outbox."""
        messages = [Envelope(n.to_bytes(16, "big"), 7, 5, SESSION, b"", flags=DURABLE) for n in range(count)]
        frame = DataFrame(self.incarnation, MARK, SESSION, 1, first, resent=False, messages=messages)
        self.durable.take(frame, size)


@pytest.fixture
async def client(make_wire):
    client = Client(make_wire)
    yield client
    client.batch.cancel()
