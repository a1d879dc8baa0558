"""What a session tells the shards on behalf of its client: which capabilities are wanted, and what is known of them."""

from collections.abc import Callable, Sequence
from time import monotonic

from caxton.client.routes.capable_agents import CapableAgents
from caxton.client.routes.shard_route import ShardRoute
from caxton.wire.capable import Subscribe, Wanted
from caxton.wire.codec import CONTROL


def voice(
    session: int, mark: bytes, routes: Sequence[ShardRoute], agents: CapableAgents, is_over: Callable[[], bool]
) -> Callable[[], None]:
    """Return what says it, over the outlets of a session's routes; what finds no room is said again a second later."""

    def say() -> None:
        if is_over():
            return
        for shard, taken, asked in agents.subscriptions.say(monotonic()):
            outlets = routes[shard].outlets
            if outlets is not None:
                wanted = [Wanted(*one) for one in asked]
                outlets.control.send(CONTROL.encode(Subscribe(session, mark, outlets.incarnation, taken, wanted)))

    return say
