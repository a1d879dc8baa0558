"""`caxton.client.calls.auction_calls` without a loop, as `docs/sync_calls.py` writes it: nothing to be edited."""

from collections.abc import Sequence

from caxton.acl.capability import Capability, Everyone
from caxton.acl.options import DEFAULT_OPTIONS, DeliveryOptions
from caxton.client.connection import Agent
from caxton.client.interactions import auction as rules
from caxton.client.interactions.auction import AuctionKind, AuctionResult, Price
from caxton.sync.calls.broadcast_calls import BroadcastCalls


class AuctionCalls(BroadcastCalls):
    """`auction`."""

    def auction(  # noqa: PLR0913 (by name, most with a default)
        self,
        item: object,
        to: Sequence[Agent] | Capability | Everyone,
        *,
        start: Price,
        step: Price,
        reserve: Price | None = None,
        kind: str = AuctionKind.ENGLISH,
        deadline_s: float = rules.ROUND_S,
        encoding: str | None = None,
        options: DeliveryOptions = DEFAULT_OPTIONS,
    ) -> AuctionResult:
        """Auction something off among agents, by rising prices ("english") or falling ones ("dutch").

        Each gets an inform with `item`, and for each price a cfp whose content is that number; who wants it for that
        answers by propose within `deadline_s`, and who says nothing passes. english: from `start` up by `step` while
        anybody but who leads bids; the last bid has it, unless it is below `reserve`. dutch: down by `step` until
        somebody bids, to `reserve` or 0. Of several bids for a price the first in the order of `to` counts. A bid is
        accepted or rejected at once; the end is an inform to all but the winner of a Dutch auction, its content the
        price that won or nothing, and in an English one a request for the item to the winner. At most 99 prices are
        called. encoding: "json" or "msgpack" for an item that is a value and no bytes.

        to: as in `contract_net`. Volatile unless the options say otherwise. What agents fail on is a part of the
        result, and so is what has no room, as there. Raises ValidationError for prices that are none, no agents, more
        than 1,000 or one twice, and SerializationError; NoCapableAgents, ResourceExhausted; NetworkError when the
        runtime is gone.
        """
        return self._run(
            self._client.auction(
                item,
                to,
                start=start,
                step=step,
                reserve=reserve,
                kind=kind,
                deadline_s=deadline_s,
                encoding=encoding,
                options=options,
            )
        )
