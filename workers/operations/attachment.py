"""That a session runs the turns of an agent, alone or as one of a group."""

import asyncio
from collections.abc import Collection

from caxton.acl.order import HandlerOrder
from caxton.errors import AlreadyAttached, ResourceExhausted
from caxton.wire.calls import Exchange
from caxton.wire.delivery import Delivery
from workers.agents.group import MOST_MEMBERS, Group, Member
from workers.agents.mailbox import Entry
from workers.agents.registry import Agent


class Attachment:
    """Owned by `Attached`. member: of the agent's group; None while the session has the agent alone.

    latest: the last exchange, while it is under way. waiting: what it waits on for messages. hand: what it is about to
    be answered with, and nobody has heard of yet. before: the highest number of what it had besides. heard_ns: when the
    program was heard last. late: numbers of what was taken back from a program that was silent: their ends come too
    late. began: when what is sampled of what it was given was given, by the monotonic clock, in ns.
    """

    __slots__ = ("agent", "before", "began", "hand", "heard_ns", "late", "latest", "member", "session", "waiting")

    def __init__(self, agent: Agent, session: int, member: Member | None, now_ns: int) -> None:
        self.agent = agent
        self.session = session
        self.member = member
        self.latest: Exchange | None = None
        self.waiting: asyncio.Future[bool] | None = None
        self.hand: list[Delivery] = []
        self.before = 0
        self.heard_ns = now_ns
        self.late: set[int] = set()
        self.began: dict[int, int] = {}

    @property
    def group(self) -> Group | None:
        """The group that it is in."""
        return None if self.member is None else self.agent.group

    @property
    def numbers(self) -> Collection[int]:
        """What the session was given and has not ended, by the numbers of the deliveries, as it is now."""
        return self.agent.drawn if self.member is None else self.member.given

    @property
    def is_busy(self) -> bool:
        """True while it has something."""
        return len(self.numbers) > 0

    @property
    def asks(self) -> bool:
        """True while its question is open, and nothing is on its way to it."""
        return self.waiting is not None and not self.waiting.done() and not self.hand

    def enter(self, number: int, entry: Entry) -> None:
        """It is given a message."""
        agent = self.agent
        agent.drawn[number] = entry
        if self.member is not None and agent.group is not None:
            agent.group.give(self.member, number, entry[0])

    def take(self, number: int) -> Entry | None:
        """It has a delivery no more; returns what was given, None when it had none of this number."""
        agent = self.agent
        self.began.pop(number, None)
        if self.member is not None and (agent.group is None or not agent.group.take(self.member, number)):
            return None
        return agent.drawn.pop(number, None)

    def take_all(self) -> dict[int, Entry]:
        """It has nothing more; returns what it had."""
        if self.member is None:
            self.began.clear()
            return self.agent.drawn_out()
        entries = ((number, self.take(number)) for number in list(self.numbers))
        return {number: entry for number, entry in entries if entry is not None}

    def tell(self, *, look: bool) -> None:
        """End its wait: it is to look what there is, or there is nothing for it."""
        waiting, self.waiting = self.waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(look)


def check_free(agent: Agent, session: int, order: HandlerOrder | None) -> None:
    """Raise AlreadyAttached unless nobody else has an agent, or a group that keeps this order; ResourceExhausted."""
    name, group = agent.manifest.name, agent.group
    if group is None:
        if agent.attached in {0, session}:
            return
        if order is not None:
            raise AlreadyAttached(name, "another program has it alone, without group=True")
        raise AlreadyAttached(name)
    if group.order != order and group.members.keys() != {session}:
        if order is None:
            raise AlreadyAttached(name, f"a group of programs shares it, {len(group.members)} now")
        raise AlreadyAttached(name, f"a group shares it that has order={group.order!r}, and not {order!r}")
    if session not in group.members and len(group.members) >= MOST_MEMBERS:
        raise ResourceExhausted(f"programs in the group of agent {name}", MOST_MEMBERS)
