"""Where a turn's messages go: a mailbox here, another worker, a client; or parked until there is room; or failed."""

from time import monotonic_ns

from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope
from caxton.acl.failure import report
from caxton.acl.performative import Performative
from caxton.errors import CaxtonError, MessageExpired, SessionNotFound, Unsupported
from caxton.ids import BROADCAST, SESSION_BIT, AgentId, UuidSource
from caxton.placement.slots import SLOT_MASK
from workers.agents.mailbox import OVERSHOOT
from workers.agents.registry import Agent, Hold, Registry
from workers.durable.routes import DurableRoutes
from workers.peers.peers import Peers
from workers.queues.parking import Parked, Parking, shard_key
from workers.queues.pressure import HERE
from workers.volatile.placing import Placing
from workers.worker_pass import Pass

_FAILURE = int(Performative.FAILURE)
# What a message that went on its way waits for: nothing.
_SENT = 0
Root = tuple[int, int]
_NO_ROOT: Root = (0, 0)


class Routes:
    """Sends what agents send. It never waits: an agent whose message finds no room is parked with what is left.

    durable: where messages of the durable lane go.
    """

    durable: DurableRoutes

    def __init__(self, registry: Registry, peers: Peers, placing: Placing, parking: Parking, shard: int) -> None:
        self._registry = registry
        self._peers = peers
        self._placing = placing
        self._parking = parking
        self._shard = shard
        self.ids = UuidSource(0)
        self.a_pass = Pass(0, 0)

    def begin(self, a_pass: Pass) -> None:
        """Send what follows as part of `a_pass`."""
        self.a_pass = a_pass
        self.ids.renew(a_pass.wall_ms)

    def send(self, agent: Agent, messages: list[Envelope], root: Root) -> None:
        """Send a turn's messages on their way, in order; what finds no room is parked with all that comes after it."""
        if messages and messages[0].flags & DURABLE:
            key = self.durable.send(messages, root, self.a_pass)
            if key != _SENT:
                self._parking.park(Parked(agent, [], root, monotonic_ns()), key)
            return
        owners, own = self._placing.table.owners, self._shard
        for place, message in enumerate(messages):
            receiver = message.receiver
            if receiver >= SESSION_BIT:
                key = self._to_session(message)
            elif (shard := owners[receiver & SLOT_MASK]) == own:
                key = self._here(agent, message, root)
            else:
                key = self._to_worker(agent, message, shard)
            if key != _SENT:
                self._parking.park(Parked(agent, messages[place:], root, monotonic_ns()), key)
                return

    def is_lost(self, key: int) -> bool:
        """True when parked effects wait for a peer that is no longer there, or an agent of such a one."""
        if key in self._peers.by_number:
            return False
        return self._registry.find(key) is None

    def resume(self, parked: Parked) -> bool:
        """Let parked effects try again; False when they are parked anew: in their place, if none of them left."""
        self.send(parked.agent, parked.effects, parked.root)
        if parked.agent.holds & Hold.PARKED:
            self._parking.keep_place(parked)
            return False
        return True

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
            self._here(None, failure, _NO_ROOT)
        else:
            self._to_worker(None, failure, shard)

    def _here(self, agent: Agent | None, message: Envelope, root: Root) -> int:
        """Place a message here; returns what it has to wait for, or `_SENT`. The runtime's own never waits."""
        target = self._registry.agents.get(message.receiver)
        if target is not None and agent is not None and target is not agent and message.in_reply_to is None:
            mailbox = target.mailbox
            if mailbox is not None and mailbox.depth >= mailbox.high and target.takes:  # or it is refused at once
                self._placing.pressed.append((target, HERE))
                return message.receiver
        error = self._placing.from_agent(target, message, root, self.a_pass)
        if error is not None:
            self.refuse(message, error)
        return _SENT

    def _to_worker(self, agent: Agent | None, message: Envelope, shard: int) -> int:
        number = self._peers.workers[shard] if shard < len(self._peers.workers) else 0
        peer = self._peers.by_number.get(number)
        if peer is None:
            if agent is None:
                self.a_pass.counts["failures_dropped"] += 1
                return _SENT
            return shard_key(shard)
        waiting = self.a_pass.emitted.get(number)
        if waiting is None:
            waiting = self.a_pass.emitted[number] = []
        if agent is not None:
            if message.receiver in peer.link.full and message.in_reply_to is None:
                return message.receiver
            outgoing = peer.link.outgoing
            if outgoing.emitted - outgoing.acknowledged + len(waiting) >= OVERSHOOT:
                return number
        waiting.append(message)
        return _SENT

    def _to_session(self, message: Envelope) -> int:
        number = message.receiver
        waiting = self.a_pass.emitted.get(number)
        if waiting is None:
            if self._peers.find(number) is None:
                self._no_session(message)
                return _SENT
            waiting = self.a_pass.emitted[number] = []
        waiting.append(message)
        return _SENT

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

    def give_up(self, parked: Parked) -> None:
        """Tell an agent that what it sent waited too long for room; it is dropped."""
        self.a_pass.counts["given_up"] += len(parked.effects)
        for message in parked.effects:
            self.fail(message, MessageExpired(f"{message.receiver:016x}", message.timeout_ms / 1000))
