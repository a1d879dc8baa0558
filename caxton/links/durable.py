"""The durable lane between two peers: a link whose both directions outlive the incarnations at its ends."""

from caxton.links.durable_incoming import DurableIncoming
from caxton.links.durable_outgoing import DurableOutgoing
from caxton.links.link import Link

DURABLE_LANE = 1

__all__ = ["DURABLE_LANE", "DurableIncoming", "DurableLink", "DurableOutgoing"]


class DurableLink(Link):
    """A link of lane 1, and what changes in it when another incarnation of the other is there."""

    __slots__ = ()

    outgoing: DurableOutgoing
    incoming: DurableIncoming

    def __init__(self, outgoing: DurableOutgoing, incoming: DurableIncoming) -> None:
        super().__init__(outgoing, incoming, DURABLE_LANE)

    @property
    def hello_due(self) -> bool:
        """True while a hello should go, at the end of a pass and every 200 ms: see `greeting.say`."""
        outgoing = self.outgoing
        return self.incoming.hello_due or (not outgoing.greeted and (outgoing.open or outgoing.overheard))

    def meet(self) -> None:
        """Another incarnation of the other is there: both directions go on with it after its hello."""
        self.outgoing.meet()
        self.incoming.meet()
        self.full = frozenset()
