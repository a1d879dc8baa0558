"""Where a turn's messages go: a mailbox here, another worker, a client; or back, refused. Nothing waits for room."""

from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope
from caxton.acl.failure import report
from caxton.acl.performative import Performative
from caxton.errors import CaxtonError, MessageExpired, SessionNotFound, Unsupported
from caxton.ids import BROADCAST, SESSION_BIT, AgentId, UuidSource
from caxton.placement.slots import SLOT_MASK
from workers.agents.registry import Registry
from workers.durable.routes import DurableRoutes
from workers.peers.peers import Peers
from workers.queues.admission import Admission, origin_of
from workers.queues.backlogs import Backlogs
from workers.volatile.placing import Placing
from workers.worker_pass import Pass

_FAILURE = int(Performative.FAILURE)
Root = tuple[int, int]
_NO_ROOT: Root = (0, 0)


class Routes:
    """Sends what agents send. It never waits, and no agent waits for it: what the shard does not keep is refused.

    durable: where messages of the durable lane go.
    """

    durable: DurableRoutes

    def __init__(
        self,
        registry: Registry,
        peers: Peers,
        placing: Placing,
        admission: Admission,
        backlogs: Backlogs,
        shard: int,
    ) -> None:
        self._registry = registry
        self._peers = peers
        self._placing = placing
        self._admission = admission
        self._backlogs = backlogs
        self._shard = shard
        self.ids = UuidSource(0)
        self.a_pass = Pass(0, 0)

    def begin(self, a_pass: Pass) -> None:
        """Send what follows as part of `a_pass`."""
        self.a_pass = a_pass
        self.ids.renew(a_pass.wall_ms)

    def send(self, messages: list[Envelope], root: Root) -> None:
        """Send a turn's messages on their way, in order."""
        if messages and messages[0].flags & DURABLE:
            self.durable.send(messages, root, self.a_pass)
            return
        owners, own = self._placing.table.owners, self._shard
        for message in messages:
            receiver = message.receiver
            if receiver >= SESSION_BIT:
                self._to_session(message)
            elif (shard := owners[receiver & SLOT_MASK]) == own:
                self._here(message, root)
            else:
                self._to_worker(message, shard)

    def go_on(self, shard: int) -> None:
        """The worker of a shard is there, or gave credit: what waits for it goes, as far as that allows."""
        if shard in self._backlogs:
            number = self._peers.workers[shard]
            peer = self._peers.by_number.get(number)
            if peer is not None:
                waiting, outgoing = self.a_pass.emitted.setdefault(number, []), peer.link.outgoing
                waiting += self._backlogs.take(shard, outgoing.room() - len(waiting), outgoing.fits)

    def fail(self, message: Envelope, error: CaxtonError) -> None:
        """Tell the sender of `message` that it came to nothing. An automatic message is never answered."""
        counts = self.a_pass.counts
        if message.flags & AUTOMATIC or not 0 < message.sender < BROADCAST:
            counts["failures_dropped"] += 1
            return
        failure = Envelope(
            self.ids.next(),
            _FAILURE,
            message.receiver,
            message.sender,
            report(error),
            None,
            message.reply_with or message.message_id,
            message.conversation_id,
            self.a_pass.wall_ms,
            message.level,
            flags=AUTOMATIC | (message.flags & DURABLE),
        )
        counts["failures_sent"] += 1
        receiver = failure.receiver
        if failure.flags & DURABLE:
            self.durable.send([failure], _NO_ROOT, self.a_pass)
            return
        if receiver >= SESSION_BIT:
            self._to_session(failure)
        elif (shard := self._placing.table.shard_of(receiver)) == self._shard:
            self._here(failure, _NO_ROOT)
        else:
            self._to_worker(failure, shard)

    def _here(self, message: Envelope, root: Root) -> None:
        error = self._placing.from_agent(self._registry.agents.get(message.receiver), message, root, self.a_pass)
        if error is not None:
            self.refuse(message, error)

    def _to_worker(self, message: Envelope, shard: int) -> None:
        peers, backlogs, a_pass = self._peers, self._backlogs, self.a_pass
        number = peers.workers[shard] if shard < len(peers.workers) else 0
        peer = peers.by_number.get(number)
        if peer is not None and shard not in backlogs:
            waiting = a_pass.emitted.get(number)
            if waiting is None:
                waiting = a_pass.emitted[number] = []
            if peer.link.outgoing.room() > len(waiting):
                waiting.append(message)
                return
        full = self._admission.for_shard(shard, message, a_pass)
        if full is None:
            backlogs.add(shard, message, a_pass.now_ns, origin_of(message, a_pass))
        else:
            self.refuse(message, full)

    def _to_session(self, message: Envelope) -> None:
        number = message.receiver
        waiting = self.a_pass.emitted.get(number)
        if waiting is None:
            if self._peers.find(number) is None:
                self._no_session(message)
                return
            waiting = self.a_pass.emitted[number] = []
        waiting.append(message)

    def _no_session(self, message: Envelope) -> None:
        if message.receiver == BROADCAST:
            self.refuse(message, Unsupported("broadcast", "name each receiver"))
            return
        self.a_pass.counts["session_gone"] += 1
        self.fail(message, SessionNotFound(str(AgentId(message.receiver))))

    def refuse(self, message: Envelope, error: CaxtonError) -> None:
        """Count a message that was not placed, and tell its sender."""
        self.a_pass.counts["refused"] += 1
        self.fail(message, error)

    def expire(self, message: Envelope) -> None:
        """A message waited too long for another shard."""
        self.a_pass.counts["given_up"] += 1
        self.fail(message, MessageExpired(f"{message.receiver:016x}", message.timeout_ms / 1000))
