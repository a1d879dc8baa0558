"""How far what follows from one message may go, and how much of it there may be: chains of effects end.

A root is what a client sends. What an agent sends while it handles a message follows from the same root, one hop
further. Hops end every chain. Work ends what grows sideways before it has gone far.
"""

from collections.abc import Collection, Iterable

from msgspec import structs

from caxton.acl.envelope import MOST_WAITERS, Cause, Envelope, Waiters
from caxton.errors import HopLimitExceeded, WorkLimitExceeded

# For roots that ask for nothing else. Work is counted by each shard for itself.
MOST_HOPS, MOST_WORK = 1_000, 1_000_000
# Roots whose work is known for sure; as many again may be known besides.
MOST_ROOTS = 65_536


def as_root(message: Envelope, principal: str = "") -> Cause:
    """Return what is known of a message from which others follow, and which follows from none."""
    rare = message.rare
    if rare is None:
        return Cause(0, message.message_id, principal)
    return Cause(0, message.message_id, principal, rare.max_hops, rare.max_work)


def after(message: Envelope) -> Cause:
    """Return the cause of what follows from a message."""
    cause = message.cause
    if cause is not None:
        return one_further(cause)
    rare = message.rare
    return (
        Cause(1, message.message_id) if rare is None else Cause(1, message.message_id, "", rare.max_hops, rare.max_work)
    )


def one_further(cause: Cause) -> Cause:
    """Return the cause of what follows from what has this one."""
    return Cause(cause.hops + 1, cause.root, cause.principal, cause.most_hops, cause.most_work)


def to_keep(message: Envelope) -> Cause:
    """Return the cause of a message for a word about it later on: without those who wait for its answer, up to 4 KB."""
    cause = message.cause
    if cause is None:
        return as_root(message)
    if cause.waiters is None:
        return cause
    return Cause(cause.hops, cause.root, cause.principal, cause.most_hops, cause.most_work)


def counter_of(error: HopLimitExceeded | WorkLimitExceeded) -> str:
    """Return the counter of what is refused or dropped for this."""
    return "over_hops" if isinstance(error, HopLimitExceeded) else "over_work"


def while_handled(message: Envelope) -> Cause:
    """Return the cause of what an attached agent's handler asks while it handles a message, and waits for."""
    cause = after(message)
    waiters = Waiters((*waiters_of(message), message.message_id)[-MOST_WAITERS:])
    return Cause(cause.hops, cause.root, cause.principal, cause.most_hops, cause.most_work, waiters)


def waiters_of(message: Envelope) -> tuple[bytes, ...]:
    """Return which handlers wait for the answer to a message, by the ids of what they handle."""
    cause = message.cause
    return () if cause is None or cause.waiters is None else cause.waiters.deliveries


def pass_waiters_on(handled: Envelope, messages: Iterable[Envelope]) -> None:
    """Let who waits for the answer to a message wait for what its turn asks, unless that turn has answered it."""
    waiters, token = waiters_of(handled), handled.reply_with
    if not waiters or token is None or any(message.in_reply_to == token for message in messages):
        return
    for message in messages:
        if message.cause is not None and message.reply_with is not None:
            message.cause = structs.replace(message.cause, waiters=Waiters(waiters))


def waits_for_itself(
    message: Envelope, under_way: Collection[bytes], others: Iterable[Envelope], concurrency: int
) -> bool:
    """Whether an agent cannot handle a message before it has handled it: all its handlers wait for such messages.

    under_way: the ids of what it handles. others: what else it has, under way or not. concurrency: how many it handles
    at a time.
    """
    waiting = {waiter for waiter in waiters_of(message) if waiter in under_way}
    if not waiting:
        return False
    for other in others:
        if len(waiting) >= concurrency:
            break
        waiting.update(waiter for waiter in waiters_of(other) if waiter in under_way)
    return len(waiting) >= concurrency


class Works:
    """What each root has caused on one shard. The roots of the latest work are known, at least 65,536 of them.

    So a root is forgotten only when as many others have worked since it last did, and would begin anew after that: its
    hops end it all the same.
    """

    def __init__(self, most_roots: int = MOST_ROOTS) -> None:
        self._most = most_roots
        self._now: dict[bytes, int] = {}
        self._before: dict[bytes, int] = {}

    def refusal(self, cause: Cause, weighs: int, most_hops: int) -> HopLimitExceeded | WorkLimitExceeded | None:
        """Count what a turn sends to agents, all under one cause; or return why it may not, and count nothing.

        weighs: 1 for each message, and 1 for each KiB of its contents. most_hops: what the agent allows itself.
        """
        hops = min(cause.most_hops or MOST_HOPS, most_hops)
        if cause.hops > hops:
            return HopLimitExceeded(cause.hops, hops)
        root, work = cause.root, cause.most_work or MOST_WORK
        done = self._now.get(root)
        if done is None:
            done = self._before.get(root, 0)
            if len(self._now) >= self._most:
                self._before, self._now = self._now, {}
        if done + weighs > work:
            self._now[root] = done
            return WorkLimitExceeded(done + weighs, work)
        self._now[root] = done + weighs
        return None
