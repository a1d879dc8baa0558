"""What becomes of messages when the runtime ends and the client opens its next session: none is sent twice unknown.

- What left, or may have left, may have happened: its caller is told so (NetworkError).
- What has an idempotency key goes again all the same: its shard knows the key, and answers as it did or will.
- What never left goes.
"""

from caxton.acl.envelope import DURABLE, Envelope
from caxton.client.routes.answers import Answers
from caxton.client.routes.backlog import Entry
from caxton.client.routes.shard_route import ShardRoute
from caxton.errors import CaxtonError


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
