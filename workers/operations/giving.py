"""What waits for an attached agent is given to whoever runs its turns, and what is not ended waits again."""

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from time import monotonic_ns

from caxton.acl.envelope import is_over
from caxton.errors import ProgramLost
from caxton.wire.calls import FULL_DELIVERIES_BYTES
from caxton.wire.delivery import Delivery
from workers.agents.deal import Asker, Deal
from workers.agents.group import Group
from workers.agents.mailbox import Entry
from workers.agents.registry import Agent, Hold
from workers.agents.window import Window
from workers.durable.lane import DurableLane
from workers.operations.attachment import Attachment
from workers.queues.claims import Claims
from workers.queues.dispatcher import Dispatcher
from workers.queues.pressure import Pressure
from workers.turns.routes import Routes
from workers.turns.turn import Turns


class Giving:
    """Puts what is given into the hand of an attachment, whose exchange takes it from there.

    last: the number of the last delivery of all.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        pressure: Pressure,
        routes: Routes,
        turns: Turns,
        durable: DurableLane,
        claims: Claims,
    ) -> None:
        self._dispatcher = dispatcher
        self._pressure = pressure
        self._routes = routes
        self._turns = turns
        self._durable = durable
        self._claims = claims
        self.last = 0

    def give(self, agent: Agent, askers: Collection[Attachment]) -> None:
        """Give what waits for an agent to those who ask; who has the agent alone is the only one of them."""
        if agent.holds & (Hold.PAUSED | Hold.BROKEN | Hold.FAILED):
            return
        for each in askers:
            each.before = max(each.numbers, default=0)
        if agent.group is not None:
            self._deal(agent, agent.group, {each.session: each for each in askers})
            return
        for each in askers:
            self._give_alone(agent, each)

    def put_back(self, agent: Agent, given: dict[int, Entry], unbegun: AbstractSet[int] = frozenset()) -> None:
        """What was given and did not end waits again, in order, in front; of the volatile lane what was not begun."""
        waiting = []
        for number, entry in given.items():
            message, delivery = entry[0], entry[4]
            if number in unbegun:
                if delivery is not None:
                    delivery.deliveries -= 1  # it was not even begun
            elif delivery is None:  # it may have been handled, and is never given twice
                self.leave(agent)
                self._routes.a_pass.counts["discarded"] += 1
                self._routes.fail(message, ProgramLost(agent.label))
                continue
            waiting.append(entry)
        if waiting:
            self._dispatcher.put_back(agent, waiting)

    def leave(self, agent: Agent) -> None:
        """A message that was given has ended: its place in the mailbox is free."""
        self._dispatcher.leave(agent, 1, self._pressure.room)

    def _give_alone(self, agent: Agent, attachment: Attachment) -> None:
        asked = attachment.latest
        if asked is None:
            return
        held = [entry[0] for entry in agent.drawn.values()]
        while not attachment.hand:
            window = Window(asked.order, asked.concurrency, asked.most, held)
            if window.is_shut:
                break
            most_bytes = min(FULL_DELIVERIES_BYTES, window.bytes)
            entries = self._dispatcher.draw(agent, asked.most, most_bytes, window.admits)
            if not entries:
                break
            for entry in entries:
                self._hand(attachment, entry)

    def _deal(self, agent: Agent, group: Group, askers: dict[int, Attachment]) -> None:
        is_alone = len(group.members) == 1
        while True:
            waiting = 0 if agent.mailbox is None else agent.mailbox.depth - len(agent.drawn)
            share = group.share(waiting, askers)
            asking = [
                Asker(
                    each.member, each.latest, [agent.drawn[n][0] for n in each.member.given], share, is_alone=is_alone
                )
                for each in askers.values()
                if each.member is not None and each.latest is not None
            ]
            deal = Deal(group, asking)
            entries = self._dispatcher.draw(agent, deal.most, deal.bytes, deal.admits) if deal.most else []
            for entry, member in zip(entries, deal.hands, strict=True):
                self._hand(askers[member.session], entry)
            if not entries or any(each.hand for each in askers.values()):
                return

    def _hand(self, attachment: Attachment, entry: Entry) -> None:
        """Put a message into a hand, unless it is withheld."""
        if self._is_withheld(attachment.agent, entry):
            return
        self.last += 1
        attachment.enter(self.last, entry)
        message, delivery, asked = entry[0], entry[4], attachment.latest
        tries = 1 if delivery is None else delivery.deliveries
        if message.rare is not None and message.rare.trace_context is not None:
            attachment.began[self.last] = monotonic_ns()
        wants_seal = asked is not None and asked.wants_seals
        seal = self._claims.seal(attachment.session, message) if wants_seal else None
        attachment.hand.append(Delivery(self.last, tries, message, seal))

    def _is_withheld(self, agent: Agent, entry: Entry) -> bool:
        """Let what is too old expire, and what comes behind a retry of its pair wait there; count a try of the rest."""
        message, _, _, expires_ns, delivery, _ = entry
        durable = self._durable
        is_late = (
            expires_ns <= durable.journal.now_ns
            or (message.rare is not None and is_over(message.rare, durable.journal.wall_ms))
            if delivery is None
            else durable.attempts.is_late(agent, delivery)
        )
        if is_late:
            self.leave(agent)
            self._turns.expire(agent, message, delivery)
            return True
        if self._waits_behind(agent, entry):
            return True
        if delivery is not None:
            delivery.deliveries += 1
        return False

    def _waits_behind(self, agent: Agent, entry: Entry) -> bool:
        waits = entry[4] is not None and agent.waits_aside(entry[0].sender)
        if waits:
            agent.set_aside(entry)
        return waits
