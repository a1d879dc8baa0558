"""Auctions from the auctioneer's side, in one call (FIPA XC00031, XC00032)."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from caxton.acl.capability import Capability, Everyone
from caxton.acl.content import as_bytes
from caxton.acl.envelope import Envelope
from caxton.acl.message import Message
from caxton.acl.options import DEFAULT_LANE_OF_REQUEST, DEFAULT_OPTIONS, DeliveryOptions
from caxton.acl.performative import Performative
from caxton.client.calls.arguments import some_seconds
from caxton.client.calls.broadcast_calls import BroadcastCalls
from caxton.client.connection import Agent
from caxton.client.interactions import auction as rules
from caxton.client.interactions.auction import AuctionKind, AuctionResult, AuctionRound, Price, Terms
from caxton.client.interactions.bids import Bids
from caxton.errors import CaxtonError, ValidationError
from caxton.ids import AgentId, ConversationId


class AuctionCalls(BroadcastCalls):
    """`auction`."""

    async def auction(  # noqa: PLR0913 (by name, most with a default)
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
        terms = rules.checked_terms(kind, start, step, reserve)
        within_s = some_seconds(deadline_s)
        if options.idempotency_key is not None or options.receipt:
            raise ValidationError("options", "an auction takes neither an idempotency key nor a receipt")
        content, language = as_bytes(item, encoding)
        asked = dict(await self._each_of(to, rules.MOST_BIDDERS))
        reliability = options.reliability or DEFAULT_LANE_OF_REQUEST.reliability
        item_as_said = _Item(content, encoding, language)
        options = replace(options, reliability=reliability)
        with Bids(self._bid_room) as bids:
            sale = _Sale(terms, self._new_conversation(), asked, item_as_said, options, bids)
            try:
                return await self._held(sale, within_s)
            except asyncio.CancelledError:
                self._cancel(sale.others())
                raise

    async def _held(self, sale: "_Sale", within_s: float) -> AuctionResult:
        terms, asked, out = sale.terms, sale.asked, sale.out
        announced = await self.send_batch([sale.shows(agent_id, Performative.INFORM) for agent_id in asked])
        out |= {
            agent_id: result
            for agent_id, result in zip(asked, announced, strict=True)
            if isinstance(result, CaxtonError)
        }
        rounds: list[AuctionRound] = []
        leader: AgentId | None = None
        for price in terms.prices:
            called = [agent_id for agent_id in asked if agent_id not in out and agent_id != leader]
            bids = await self._round(sale, price, called, within_s)
            if called:
                rounds.append(AuctionRound(price, tuple(bid.sender for bid in bids if bid.sender is not None)))
            leader = bids[0].sender if bids else leader
            if rules.is_over(terms, bids, called):
                break
        result = rules.concluded(terms, sale.conversation_id, rounds, out)
        await self._close(sale, result)
        return result

    async def _round(
        self,
        sale: "_Sale",
        price: Price,
        called: list[AgentId],
        within_s: float,
    ) -> list[Message]:
        """Call a price, and tell who bid it whether it leads; returns the bids, and adds to who is out."""
        if not called:
            return []
        reply_by = time.time_ns() // 1_000_000 + round(within_s * 1_000)
        cfps = [sale.says(agent_id, Performative.CFP, b"%b" % str(price).encode(), reply_by) for agent_id in called]
        sale.called = called
        answers = await self._request_many(cfps, within_s, within_s, sale.bids)
        sale.called = []
        bids, gone = rules.sorted_bids(called, answers)
        sale.out |= gone
        told = [sale.answers(bid, is_first=bid is bids[0]) for bid in bids]
        told += [sale.answers(bid, is_first=False) for bid in sale.bids.turned_away]
        sale.bids.turned_away.clear()
        if told:
            await self.send_batch(told)
        return bids

    async def _close(self, sale: "_Sale", result: AuctionResult) -> None:
        """Tell everybody that it is over, and ask the winner of an English auction for what it bid."""
        is_english, winner = sale.terms.kind is AuctionKind.ENGLISH, result.winner
        price = b"" if result.price is None else str(result.price).encode()
        told = [agent for agent in sale.asked if agent not in result.out and (is_english or agent != winner)]
        ends = [sale.says(agent_id, Performative.INFORM, price) for agent_id in told]
        if is_english and winner is not None:
            ends.append(sale.shows(winner, Performative.REQUEST))
        if ends:
            await self.send_batch(ends)


class _Item(NamedTuple):
    """What is sold, as messages say it."""

    content: bytes
    encoding: str | None
    language: str | None


class _Sale:
    """What all messages of one auction have in common. asked: the bidders, with their names where they were named.

    out: those who take no further part, and why. called: whose bids are waited for. bids: what all of them answer.
    """

    def __init__(
        self,
        terms: Terms,
        conversation_id: ConversationId,
        asked: Mapping[AgentId, str | None],
        item: _Item,
        options: DeliveryOptions,
        bids: Bids,
    ) -> None:
        self.terms, self.conversation_id, self.asked, self.bids = terms, conversation_id, asked, bids
        self._item, self._options = item, options
        self.out: dict[AgentId, Message | CaxtonError] = {}
        self.called: Sequence[AgentId] = ()

    def others(self) -> list[Envelope]:
        """Return something that was said to each who still takes part and whose bid is not waited for."""
        left = [agent_id for agent_id in self.asked if agent_id not in self.out and agent_id not in self.called]
        return [self.says(agent_id, Performative.INFORM, b"").envelope for agent_id in left]

    def shows(self, agent_id: AgentId, performative: Performative) -> Message:
        """Return what the auctioneer says to a bidder of what is sold."""
        item = self._item
        return self.says(agent_id, performative, item.content, encoding=item.encoding, language=item.language)

    def says(
        self,
        agent_id: AgentId,
        performative: Performative,
        content: bytes,
        reply_by: int | None = None,
        *,
        encoding: str | None = None,
        language: str | None = None,
    ) -> Message:
        """Return what the auctioneer says to a bidder."""
        options = self._options
        if reply_by is not None:
            options = replace(options, expires_at=options.expires_at or reply_by)
        return Message(
            agent_id,
            content,
            performative=performative,
            language=language,
            encoding=encoding,
            protocol=self.terms.kind.protocol,
            conversation_id=self.conversation_id,
            reply_by=reply_by,
            receiver_name=self.asked[agent_id],
            delivery_options=options,
        )

    def answers(self, bid: Message, *, is_first: bool) -> Message:
        """Return the answer to a bid, by its reply_with, or, if it has none, by its own id."""
        return Message(
            bid.sender or 0,
            bid.content,
            performative=Performative.ACCEPT_PROPOSAL if is_first else Performative.REJECT_PROPOSAL,
            protocol=self.terms.kind.protocol,
            conversation_id=self.conversation_id,
            in_reply_to=bid.reply_with or bid.message_id,
            delivery_options=self._options,
        )
