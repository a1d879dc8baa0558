"""The way from a client to one shard: two lanes over the same two outlets to the worker that serves it."""

from collections import Counter

from caxton.acl.options import Lane
from caxton.client.routes.answers import Answers
from caxton.client.routes.backlog import Entry
from caxton.client.routes.durable_route import DurableRoute
from caxton.client.routes.outlets import Outlets
from caxton.client.routes.volatile_route import VolatileRoute
from caxton.errors import CaxtonError, ShardUnavailable
from caxton.wire.control import Control, Hello
from caxton.wire.link_state import LinkState

# States of a shard that no worker will serve again by itself.
GIVEN_UP = ("failed", "quarantined")
# The state of a shard whose worker takes nothing more from clients.
DRAINING = "draining"


class ShardRoute:
    """Owns the outlets to the present worker, None while there is none. state: a word for people."""

    def __init__(self, shard: int, session: int, mark: bytes, answers: Answers, counts: Counter[str]) -> None:
        self.shard = shard
        self.state = "starting"
        self.outlets: Outlets | None = None
        self.volatile = VolatileRoute(shard, session, mark)
        self.durable = DurableRoute(shard, session, mark, answers, counts)

    @property
    def incarnation(self) -> int:
        """The present worker's, 0 while there is none."""
        return 0 if self.outlets is None else self.outlets.incarnation

    @property
    def waits(self) -> bool:
        """True when something may be able to go: it waits for credit, or for the present worker to have it again."""
        outgoing = self.durable.link.outgoing
        return self.volatile.backlog.ready or self.durable.backlog.ready or outgoing.sent < outgoing.emitted

    def lane(self, lane: Lane) -> VolatileRoute | DurableRoute:
        """Return the route of a lane."""
        return self.durable if lane is Lane.DURABLE else self.volatile

    def submit(self, entries: list[Entry], lane: Lane) -> None:
        """Let messages go, now or when there is room."""
        if self._is_given_up:
            error = ShardUnavailable(self.shard, self.state)
            for _, batch, place, _ in entries:
                batch.end(place, error)
            return
        self.lane(lane).submit(entries)

    def change(self, outlets: Outlets | None, state: str) -> None:
        """Go on with another worker, or none."""
        old, self.outlets = self.outlets, outlets
        self.volatile.change(outlets)
        self.durable.change(outlets)
        if old is not None:
            old.close()
        self.become(state)
        if self._is_given_up:
            self.volatile.give_up(state)
            self.durable.give_up(state)

    def become(self, state: str) -> None:
        """Go on in another state of the shard."""
        self.state = state
        drains = self.outlets is not None and state == DRAINING
        self.volatile.refuses = ShardUnavailable(self.shard, state) if drains else None

    def heard_state(self, state: LinkState) -> None:
        """Take in how the worker sees the link of one lane."""
        if state.lane == Lane.DURABLE:
            self.durable.heard_state(state)
        else:
            self.volatile.heard_state(state)

    def heard(self, control: Control) -> bool:
        """Take in what the shard's worker says of its links; False for what no worker says."""
        if isinstance(control, LinkState):
            self.heard_state(control)
        elif isinstance(control, Hello):
            self.durable.heard_hello(control)
        else:
            return False
        return True

    def fail_all(self, error: CaxtonError) -> None:
        """End everything that waits or is under way."""
        for backlog in (self.volatile.backlog, self.durable.backlog):
            backlog.fail_under_way(error)
            backlog.fail_waiting(error)

    def send_states(self) -> None:
        """Tell the worker how both links stand."""
        self.volatile.send_state()
        self.durable.send_state()

    @property
    def _is_given_up(self) -> bool:
        return self.outlets is None and self.state in GIVEN_UP
