"""What each principal has at the door of what all share: a part, so that others get through."""

import asyncio
from collections.abc import Iterator

from caxton.delivery.levels import Level
from caxton.errors import ResourceExhausted
from caxton.gateway.counts import Counts
from caxton.gateway.limits import MAX_OWN_BODIES_BYTES, MAX_OWN_MESSAGES, MAX_OWN_REQUESTS, MAX_OWN_STREAMS


class Share:
    """One principal's. requests: under way, streams aside. Whatever is taken is given back.

    messages: of batches under way. line: where its large bodies stand, so that one is worked on at a time.
    """

    __slots__ = ("_counts", "body_bytes", "line", "messages", "principal", "requests", "streams")

    def __init__(self, counts: Counts, principal: str) -> None:
        self._counts = counts
        self.principal = principal
        self.requests = 0
        self.streams = 0
        self.body_bytes = 0
        self.messages = 0
        self.line = asyncio.Lock()

    def take_request(self) -> None:
        """Begin a request; raises ResourceExhausted."""
        if self.requests >= MAX_OWN_REQUESTS:
            what = "requests at once with one token"
            self._refuse("too many at once of one token", "token_requests", what, MAX_OWN_REQUESTS)
        self.requests += 1

    def take_stream(self) -> None:
        """Make a request a stream; raises ResourceExhausted."""
        if self.streams >= MAX_OWN_STREAMS:
            what = "streams at once with one token"
            self._refuse("too many streams of one token", "token_streams", what, MAX_OWN_STREAMS)
        self.streams += 1
        self.requests -= 1

    def take_bytes(self, size: int) -> None:
        """Read so much of a body; raises ResourceExhausted."""
        if self.body_bytes + size > MAX_OWN_BODIES_BYTES:
            what = "room for the bodies of one token's requests"
            self._refuse("bodies at once of one token", "token_body_bytes", what, MAX_OWN_BODIES_BYTES)
        self.body_bytes += size

    def take_messages(self, count: int) -> None:
        """Work on so many messages of a batch; raises ResourceExhausted."""
        if self.messages + count > MAX_OWN_MESSAGES:
            what = "messages of batches and contract nets at once with one token"
            self._refuse("messages at once of one token", "token_messages", what, MAX_OWN_MESSAGES)
        self.messages += count

    def give_back(self, read: int, messages: int, *, is_stream: bool) -> None:
        """A request has ended."""
        self.body_bytes -= read
        self.messages -= messages
        if is_stream:
            self.streams -= 1
        else:
            self.requests -= 1

    def levels(self) -> Iterator[Level]:
        """Yield how full it is."""
        yield Level("token_requests", self.requests, MAX_OWN_REQUESTS, self.principal)
        yield Level("token_streams", self.streams, MAX_OWN_STREAMS, self.principal)
        yield Level("token_body_bytes", self.body_bytes, MAX_OWN_BODIES_BYTES, self.principal)
        yield Level("token_messages", self.messages, MAX_OWN_MESSAGES, self.principal)

    def _refuse(self, reason: str, bound: str, what: str, limit: int) -> None:
        self._counts.refuse(reason, bound, limit, self.principal)
        raise ResourceExhausted(what, limit)


class Shares:
    """Keeps the share of each principal that has a request under way."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._of: dict[str, Share] = {}

    def __len__(self) -> int:
        return len(self._of)

    def levels(self) -> Iterator[Level]:
        """Yield how full each of them is."""
        for share in self._of.values():
            yield from share.levels()

    def of(self, principal: str) -> Share:
        """Return the share of a principal."""
        return self._of.setdefault(principal, Share(self._counts, principal))

    def forget_if_unused(self, principal: str) -> None:
        """Forget one that has nothing."""
        share = self._of.get(principal)
        if share is not None and not (share.requests or share.streams):
            del self._of[principal]
