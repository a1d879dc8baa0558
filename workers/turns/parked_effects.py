"""What waited for room and may go: tried again in the order in which it came, until there is no room again."""

from workers.queues.dispatcher import Dispatcher
from workers.queues.parking import Parking
from workers.turns.routes import Routes


class ParkedEffects:
    """Lets agents go on whose effects were parked. What then is sent, or has its turn, is the present pass's to see to.

    waits: True while any agent waits.
    """

    def __init__(self, parking: Parking, routes: Routes, dispatcher: Dispatcher) -> None:
        self._parking = parking
        self._routes = routes
        self._dispatcher = dispatcher

    @property
    def waits(self) -> bool:
        """True while any agent waits."""
        return self._parking.waits

    def retry(self, key: int) -> None:
        """There may be room in what `key` names: an agent, a peer, or a shard."""
        parking = self._parking
        while (parked := parking.wake(key)) is not None:
            if self._routes.resume(parked):
                self._dispatcher.resume(parked.agent)
            elif parking.key_of(parked.agent) == key:
                break  # there is no room for those behind it either

    def retry_lost(self) -> None:
        """Peers have gone: what waits for one of them, or for an agent of theirs, comes to its end."""
        for key in self._parking.waited_for():
            if key > 0 and self._routes.is_lost(key):
                self.retry(key)
