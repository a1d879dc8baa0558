"""What becomes of messages when the runtime ends and the client opens its next session: none is sent twice unknown.

- What left, or may have left, may have happened: its caller is told so (NetworkError).
- What has an idempotency key goes again all the same, for nine minutes: its shard knows the key for ten, and answers as
  it did or will.
- What never left goes.
"""

from caxton.acl.envelope import DURABLE, Envelope
from caxton.acl.options import Lane
from caxton.client.routes.answers import Answers
from caxton.client.routes.backlog import Entry
from caxton.client.routes.durable_route import MOST_AGE_OF_A_KEY_S
from caxton.client.routes.shard_route import ShardRoute
from caxton.errors import CaxtonError, NetworkError


class Held:
    """What waits for the next session, bounded by those who wait for it.

    is_awaited: whether a next session may come. When none will, everything ends at once.
    """

    def __init__(self, *, is_awaited: bool) -> None:
        self.is_awaited = is_awaited
        self._entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def keep(self, entries: list[Entry], over: CaxtonError) -> None:
        """Keep messages, or end them with `over`."""
        self._entries += entries
        if not self.is_awaited:
            self.end(over)

    def end(self, error: CaxtonError) -> None:
        """No next session will come: end what waits for it."""
        self.is_awaited = False
        for _, batch, place, _ in self._entries:
            batch.end(place, error)
        self._entries = []

    def forget_given_up(self) -> None:
        """Keep nothing for callers that wait no longer."""
        self._entries = [entry for entry in self._entries if entry[1].results[entry[2]] is None]

    def handed_over(self, session: int, now_s: float) -> list[tuple[Lane, list[Entry]]]:
        """Return everything by lane, for the session of this number, which is its sender from now on.

        What has a key that its shard may have forgotten by now ends instead: it might be delivered twice.
        """
        entries, self._entries = self._entries, []
        by_lane: dict[Lane, list[Entry]] = {}
        for entry in entries:
            if _is_known_again(entry[0]) and now_s - entry[1].began_s > MOST_AGE_OF_A_KEY_S:
                entry[1].end(entry[2], NetworkError("the runtime", "it was away for longer than it knows keys"))
                continue
            entry[0].sender, entry[0].cause = session, None  # what it followed from was given to the last session
            by_lane.setdefault(Lane.DURABLE if entry[0].flags & DURABLE else Lane.VOLATILE, []).append(entry)
        return list(by_lane.items())


def leftovers(routes: list[ShardRoute], answers: Answers, error: CaxtonError) -> list[Entry]:
    """End with `error` what may have happened, and return what goes with the next session, in order for each receiver.

    Requests that go, or go again, are still waited for.
    """
    left: list[Entry] = []
    for route in routes:
        for backlog in (route.volatile.backlog, route.durable.backlog):
            left += backlog.leave(_is_known_again, error)
    unanswered = answers.leave({entry[0].message_id for entry in left}, _is_known_again, error)
    return unanswered + left


def _is_known_again(message: Envelope) -> bool:
    """True when the receiver's shard takes a message once, however often it comes."""
    rare = message.rare
    return bool(message.flags & DURABLE) and rare is not None and rare.idempotency_key is not None
