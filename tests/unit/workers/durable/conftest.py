"""The durable lane of one worker without processes: what is at the other ends of its links, and lives one by one."""

import asyncio

import pytest

from caxton.links.durable import DurableIncoming, DurableLink, DurableOutgoing
from caxton.links.greeting import hear, say
from caxton.wire.codec import CONTROL, DATA
from caxton.wire.control import Hello
from caxton.wire.link_state import LinkState
from workers.worker_pass import NS_PER_MS

# Ticks after which one who waits in vain asks again.
STALLED_TICKS = 10


class Clock:
    """Both clocks of a worker, in the test's hands."""

    def __init__(self):
        self.now_ns, self.wall_ms = 10**15, 1_800_000_000_000

    def __call__(self):
        return self.now_ns

    def time_ns(self):
        return self.wall_ms * NS_PER_MS

    def wait(self, seconds):
        """Let time go by, on both."""
        self.now_ns += int(seconds * 1_000) * NS_PER_MS
        self.wall_ms += int(seconds * 1_000)


class Far:
    """The other end of a worker's durable link, a session or a worker: it keeps what it sends over all lives of it.

    messages: what it sent, in order; acknowledged, refused (errors' names by sequence): what it heard of them. got:
    what it took, each once. It reads and says something only when the test lets it.
    """

    def __init__(self, number, file=None):
        self.number, self.file = number, number if file is None else file
        self.link = DurableLink(DurableOutgoing(), DurableIncoming(window_messages=None, window_bytes=None))
        self.known = self.ever = 0
        self.messages, self.got, self.refused = [], [], {}
        self.resent = []

    @property
    def acknowledged(self):
        return self.link.outgoing.acknowledged

    def meet(self, shard):
        """Go on with this life of the worker: say hello."""
        self.shard, self.mark = shard, shard.marks.mark(self.number, shard.principals.get(self.number, ""))
        self.read = [0, 0]
        self.link.meet()
        self.hello()

    def hello(self):
        ends = self.number, self.mark, self.shard.own
        self.shard.say(say(ends, self.file, self.known, self.link.outgoing, self.link.incoming))

    def send(self, *messages):
        """Number messages; they go with the next `push`."""
        self.messages += messages
        self.link.outgoing.emit(len(messages), sum(len(m.content) for m in messages))

    def push(self, most=64):
        """Send what may go, again or for the first time, in frames of at most so many."""
        outgoing = self.link.outgoing
        while (first := outgoing.sent + 1) <= len(self.messages):
            end = self.ever if first <= self.ever else len(self.messages)
            some = self.messages[first - 1 : min(end, first - 1 + min(most, outgoing.room()))]
            size = sum(len(m.content) for m in some)
            if not some or not outgoing.fits(size):
                return
            last = outgoing.sent + len(some)
            self.shard.frame(self.number, some, first=first, lane=1, resent=last <= self.ever)
            outgoing.went(last, size)
            self.ever = max(self.ever, last)

    def listen(self):
        """Take in what the worker told, and the frames it sent."""
        peer = self.shard.peers.find(self.number)
        if peer is None:
            return
        control, self.read[0] = peer._control.frames[self.read[0] :], len(peer._control.frames)
        for raw in control:
            self._hear(CONTROL.decode(raw))
        data, self.read[1] = peer._data.frames[self.read[1] :], len(peer._data.frames)
        for frame in map(DATA.decode, data):
            if frame.lane:
                taken = self.link.incoming.take(frame.first, len(frame.messages), 0)
                fresh = frame.messages[taken.skip :]
                self.got += fresh
                self.resent += [frame.resent] * len(fresh)
                self.link.incoming.place(len(fresh), 0)
            if frame.state is not None:
                self._hear(frame.state)

    def tell(self):
        """Every 200 ms: say how the link stands, and hello if one is due, or if what was sent is not acknowledged."""
        if self.link.incoming.stalled >= STALLED_TICKS:
            self.link.incoming.ask_for_missing()
        if self.link.hello_due or not self.link.outgoing.greeted:
            self.hello()
        if self.known:
            self.shard.say(self.link.state(self.number, self.mark, self.shard.own, []))

    def _hear(self, told):
        if isinstance(told, Hello):
            heard = hear(told, self.file, self.known)
            self.known = told.file
            if heard.greets:
                self.link.outgoing.greet(told.taken, told.taken_bytes)
            if heard.answer:
                self.hello()
        elif isinstance(told, LinkState) and told.lane:
            settled = self.link.on_state(told)
            for refusal in settled.refusals if settled is not None else ():
                self.refused |= dict.fromkeys(range(refusal.sequence, refusal.sequence + refusal.count), refusal.error)


def converse(shard, *fars):
    """Let a worker and its peers talk until nobody has anything new to say."""
    before = None
    for _ in range(50):
        shard.work()
        for far in fars:
            far.listen()
            far.push()
            far.tell()
        shard.work()
        after = [(far.acknowledged, len(far.got), far.link.outgoing.sent, far.link.outgoing.greeted) for far in fars]
        if after == before:
            return
        before = after
    raise AssertionError(f"they talk for ever: {before}")


@pytest.fixture
def clocks(monkeypatch):
    """The clocks of a worker, which stand still until the test moves them."""
    clock = Clock()
    for module in (
        "loop.passes",
        "turns.turn",
        "volatile.placing",
        "durable.recovery",
        "loop.maintenance",
    ):
        monkeypatch.setattr(f"workers.{module}.monotonic_ns", clock)
    monkeypatch.setattr("workers.loop.passes.time", clock)
    return clock


@pytest.fixture
def make_far():
    """A function that makes the other end of durable links, greeted with a shard if one is given."""

    def make(number, shard=None, file=None):
        far = Far(number, file)
        if shard is not None:
            far.meet(shard)
            converse(shard, far)
        return far

    return make


@pytest.fixture(name="converse")
def converse_fixture():
    """A function that lets a shard and its peers talk until nobody has anything new to say."""
    return converse


@pytest.fixture
def restart(make_shard):
    """A function that ends a durable shard without committing what it gathered, and returns its successor."""

    def again(shard, *fars, note=None, **options):
        work = shard.turns.work
        shard.close()
        successor = make_shard(durable=True, path=shard.file, own=shard.own + 100, **options)
        successor.turns.work, successor.turns.ran, successor.gone = work, shard.turns.ran, shard.gone
        successor.recover(note)
        for far in fars:
            far.meet(successor)
        return successor

    return again


@pytest.fixture
def ask():
    """A function that has a shard answer a call, committing what it has to wait for."""

    def answered(shard, call):
        async def until_done():
            async with asyncio.TaskGroup() as group:
                task = group.create_task(call)
                while not task.done():
                    await asyncio.wait({task}, timeout=0.001)
                    if shard.durable.journal.urgent and not task.done():
                        await shard.worker._committer.commit()
            return task.result()

        try:
            return shard.runner.run(until_done())
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    return answered


@pytest.fixture
def durable(make_shard):
    """A shard of two with a file."""
    return make_shard(durable=True, shards=2)
