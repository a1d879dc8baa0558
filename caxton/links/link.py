"""Both directions between two peers, and the state that one tells the other of them."""

from caxton.links.incoming import Incoming
from caxton.links.outgoing import Outgoing, Settled
from caxton.wire.link_state import MAX_FULL, LinkState


class Link:
    """What one peer knows of its link with another, in one lane.

    lane: 0 is volatile, 1 durable. outgoing, incoming: the two directions; frames go straight to them. full: the
    other's agents that have no room, as of its newest state. The caller sends a `state` at the end of a pass in which
    the link `changed`, and again every 200 ms while it is `open`: then every frame of control may be lost and nothing
    stalls.
    """

    __slots__ = ("_changed", "_number", "_seen_told", "full", "incoming", "lane", "outgoing")

    def __init__(self, outgoing: Outgoing, incoming: Incoming, lane: int = 0) -> None:
        self.lane = lane
        self.outgoing = outgoing
        self.incoming = incoming
        self.full: frozenset[int] = frozenset()
        self._number = 0
        self._seen_told = 0  # `refusals_seen` in the last state
        self._changed = False

    @property
    def changed(self) -> bool:
        """True when there is something to tell since the last `state`."""
        return self._changed or self.incoming.changed or self.outgoing.refusals_seen > self._seen_told

    @property
    def open(self) -> bool:
        """True while one side waits for a word of the other, as far as this one knows."""
        return self._waits or self.incoming.open

    @property
    def absurd(self) -> int:
        """How many states and claims of the other were ignored because they cannot be."""
        return self.outgoing.absurd + self.incoming.absurd

    @property
    def _waits(self) -> bool:
        return self.outgoing.open or self.outgoing.starved or bool(self.full)

    def announce(self) -> None:
        """Note that the agents without room are others than in the last `state`."""
        self._changed = True

    def state(self, source: int, mark: bytes, target: int, full: list[int]) -> LinkState:
        """Return what to tell the other now. `full`: this side's agents without room that it fed, at most 4,096.

        The last sequence that went is told as `emitted` while this side waits for a word (an acknowledgement, credit,
        room in an agent), and 0 otherwise: that is how the other knows whether its own last state came through. Who
        has sent nothing on this lane has nothing to tell as `emitted`, so it is told of no agent without room: it could
        not ask again, and would wait for ever if the word that there is room were lost.
        """
        self._number += 1
        self._changed = False
        self._seen_told = self.outgoing.refusals_seen
        told = self.incoming.state_fields()
        return LinkState(
            source=source,
            mark=mark,
            target=target,
            lane=self.lane,
            number=self._number,
            closed=told.closed,
            taken=told.taken,
            credit_messages=told.credit_messages,
            credit_bytes=told.credit_bytes,
            refusals_from=told.refusals_from,
            refusals=told.refusals,
            full=full[:MAX_FULL] if self.incoming.taken else [],
            emitted=self.outgoing.claimed if self._waits else 0,
            refusals_seen=self._seen_told,
        )

    def on_state(self, state: LinkState) -> Settled | None:
        """Take in the other's state. None, and no effect, when it is not newer than the last one or absurd."""
        settled = self.outgoing.settle(state)
        if settled is None:
            return None
        self.incoming.confirm(state)
        self.full = frozenset(state.full)
        if state.refusals:
            self._changed = True  # the other repeats them until it hears that they were seen
        return settled
