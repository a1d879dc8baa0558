"""What this shard and the others tell each other of who can do what: words and pages over control links, and when."""

from collections.abc import Callable, Iterable, Mapping
from time import monotonic_ns

from caxton.acl.capability import NOBODY, Balancing, checked_key
from caxton.capabilities.publication import Page, Publication
from caxton.capabilities.subscriptions import Subscription, Subscriptions, Told
from caxton.errors import CaxtonError, ValidationError
from caxton.ids import SESSION_BIT
from caxton.placement.slot_table import SlotTable
from caxton.placement.slots import SLOT_MASK
from caxton.wire.capable import Capable, Subscribe, Wanted
from caxton.wire.codec import CONTROL
from workers.agents.registry import Registry
from workers.capabilities.loads import Loads
from workers.peers.peer import Peer
from workers.peers.peers import Peers

# Changes of a moment are told together; loads are looked at ten times a second.
GATHER_S, WEIGH_S = 0.02, 0.1
_NS = 1e9


class CapabilityLine:
    """Owned by the worker's loop. later: calls something after so many seconds.

    nobody: the receiver of a message for whose capability no agent is known; it is an id of this shard, so that it
    comes to nothing here, and `Alternatives` looks for somebody. recent: returns who spoke in an agent's conversation,
    the last ones first. on_news: called when something was heard. active: in how many active conversations each agent
    is.
    """

    def __init__(
        self,
        registry: Registry,
        peers: Peers,
        shard: int,
        table: SlotTable,
        dice: Callable[[], float],
        active: Mapping[int, int],
    ) -> None:
        self._loads = Loads(registry, active)
        self._peers = peers
        self._shard = shard
        self.publication = Publication(self._loads, self._send)
        self.subscriptions = Subscriptions(dice)
        self.nobody = NOBODY | next(slot for slot, owner in enumerate(table.owners) if owner == shard)
        self.later: Callable[[float, Callable[[], None]], object] = _never
        self.recent: Callable[[bytes, int], Iterable[int]] = _nobody_spoke
        self._owners = table.owners
        self.on_news: Callable[[], None] = _nothing
        self._say_is_set = self._weigh_is_set = False
        # The waits after which a flush is set: none, and that in which changes are gathered.
        self._flushes: set[float] = set()
        registry.offers.on_change = self._note

    # ------------------------------------------------------------------------------------------- whoever sends asks

    def pick(self, key: str, balancing: Balancing, sender: int, conversation: bytes | None = None) -> int:
        """Return an agent for a message to a capability, `nobody` while none is known; never the sender itself.

        In a conversation it is who spoke in it last and has the capability, as far as this shard saw.
        """
        found = self.subscriptions.find(key)
        if found is None:
            self.look_for(key, sender)
            return self.nobody
        found.used = True
        candidates = found.candidates
        if conversation is not None:
            for agent_id in self.recent(conversation, sender):
                if agent_id in candidates and agent_id != sender:
                    return agent_id
        picked = candidates.pick(balancing)
        if picked == sender:
            picked = candidates.pick_other(balancing, (sender,))
        return self.nobody if picked is None else picked

    def everyone(self, key: str, sender: int, most: int) -> list[int]:
        """Return all agents for a message to each that has a capability, in the order of their ids; never the sender.

        `nobody` alone while every shard has not told who has it, where nobody else has, and where more than `most` do.
        """
        found = self.subscriptions.find(key)
        if found is None:
            self.look_for(key, sender)
            return [self.nobody]
        found.used = True
        if len(found.candidates) > most + 1 or self.subscriptions.silent(found) is not None:
            return [self.nobody]
        others = sorted(agent_id for agent_id in found.candidates.ids if agent_id != sender)
        return others if 0 < len(others) <= most else [self.nobody]

    def owns(self, agent_id: int) -> bool:
        """Whether an agent is of this shard."""
        return agent_id < SESSION_BIT and self._owners[agent_id & SLOT_MASK] == self._shard

    def look_for(self, key: str, asker: int) -> Subscription | None:
        """Subscribe to a key; None when there are too many of them, or nobody can want it."""
        try:
            found = self.subscriptions.of(checked_key(key), _now_s(), asker)
        except CaxtonError:
            return None
        self._arm_say()
        return found

    def ask(self, subscription: Subscription) -> int:
        """Ask all shards anew, soon; returns the number of the question."""
        asked = self.subscriptions.ask(subscription)
        self._arm_say()
        return asked

    # ------------------------------------------------------------------------------------------------ what is heard

    def heard_subscribe(self, peer: Peer, word: Subscribe) -> bool:
        """A peer says what it wants; False for what nobody can want."""
        wanted = word.wanted
        try:
            for one in wanted:
                checked_key(one.key)
        except ValidationError:
            return False
        self._take_wanted(peer.number, word.taken, wanted)
        return True

    def _take_wanted(self, number: int, taken: int, wanted: list[Wanted]) -> None:
        self.publication.leave(number, [one.key for one in wanted if one.over])
        asked = [(one.key, one.version, one.asked) for one in wanted if not one.over]
        self.publication.subscribe(number, taken, asked, _now_s())
        if self.publication.is_due:
            self._arm_flush(0.0)
        self._arm_weigh()

    def heard_capable(self, peer: Peer, page: Capable) -> None:
        """Another worker tells of its agents."""
        told = Told(
            page.shard,
            page.key,
            page.since,
            page.version,
            page.page,
            page.more,
            page.candidates,
            page.asked,
            page.refused,
        )
        self._hear(peer.number, told)

    def _hear(self, incarnation: int, told: Told) -> None:
        if self.subscriptions.hear(incarnation, told) is not None:
            self.on_news()
        if self.subscriptions.is_due:
            self._arm_say()

    def serve(self, incarnations: list[int]) -> None:
        """Other workers may have come or gone."""
        self.subscriptions.serve(incarnations)
        if self.subscriptions.is_due:
            self._arm_say()

    def end(self, peer: int) -> None:
        """A peer is gone."""
        self.publication.end(peer)

    def tick(self) -> None:
        """Every 200 ms: say again what is wanted, end what is not said again."""
        self._say()
        self.subscriptions.look_anew()
        if len(self.publication):
            self.publication.lapse(_now_s())
            self._loads.forget_idle()

    # ------------------------------------------------------------------------------------------------ what is said

    def _note(self, agent_id: int, capabilities: Iterable[str]) -> None:
        self.publication.note(agent_id, capabilities)
        if self.publication.is_due:
            self._arm_flush(GATHER_S)

    def _arm_flush(self, after_s: float) -> None:
        """Flush after a while, or at once: who asks does not wait for what is gathered."""
        if after_s not in self._flushes:
            self._flushes.add(after_s)
            self.later(after_s, lambda: self._flush(after_s))

    def _flush(self, after_s: float) -> None:
        self._flushes.discard(after_s)
        self.publication.flush()
        if self.publication.is_due:
            self._arm_flush(GATHER_S)

    def _arm_weigh(self) -> None:
        if not self._weigh_is_set and len(self.publication):
            self._weigh_is_set = True
            self.later(WEIGH_S, self._weigh)

    def _weigh(self) -> None:
        self._weigh_is_set = False
        self.publication.weigh()
        if self.publication.is_due:
            self._arm_flush(0.0)
        self._arm_weigh()

    def _arm_say(self) -> None:
        if not self._say_is_set:
            self._say_is_set = True
            self.later(0.0, self._say)

    def _say(self) -> None:
        self._say_is_set = False
        peers, own = self._peers, self._peers.own
        for shard, taken, asked in self.subscriptions.say(_now_s()):
            number = peers.workers[shard] if shard < len(peers.workers) else 0
            wanted = [Wanted(*one) for one in asked]
            if number == own:
                self._take_wanted(own, taken, wanted)
            elif (peer := peers.find(number)) is not None:  # what finds no room is said again
                peer.tell(CONTROL.encode(Subscribe(own, peer.mark, number, taken, wanted)))

    def _send(self, number: int, page: Page) -> bool:
        if number == self._peers.own:
            self.later(0.0, lambda: self._hear(number, Told(self._shard, *page)))
            return True
        peer = self._peers.find(number)
        if peer is None:
            return False
        return peer.tell(CONTROL.encode(Capable(self._peers.own, peer.mark, number, self._shard, *page)))


def _now_s() -> float:
    return monotonic_ns() / _NS


def _never(_after_s: float, _call: Callable[[], None]) -> None:
    """Call nothing: no loop runs yet."""


def _nobody_spoke(_conversation: bytes, _agent: int) -> Iterable[int]:
    """Return nobody: no conversations are known."""
    return ()


def _nothing() -> None:
    """Take no notice."""
