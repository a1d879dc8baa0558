"""Who of a group is given which message: the one with the most free credit, unless it belongs to somebody."""

from collections.abc import Collection
from operator import attrgetter

from caxton.acl.envelope import Envelope
from caxton.acl.order import Key
from caxton.wire.calls import FULL_DELIVERIES_BYTES, Exchange
from workers.agents.group import Group, Member
from workers.agents.window import Window


class Asker:
    """A member that asks for messages. held: what it has. share: how many it may have of those that wait.

    is_alone: it has no others to share with.

    Beside others a program has no more ahead than it handles at once: what waits with it waits, though others be idle.
    """

    def __init__(
        self, member: Member, asked: Exchange, held: Collection[Envelope], share: int, *, is_alone: bool
    ) -> None:
        ahead = asked.most if is_alone else min(asked.most, asked.concurrency)
        self.member = member
        self._window = Window(asked.order, asked.concurrency, ahead, held)
        self.most = 0 if self._window.is_shut else min(asked.most, share)
        self.bytes = min(FULL_DELIVERIES_BYTES, self._window.bytes)
        self._is_empty = True
        # Least for whom the next message is: credit that is free counts first, then who has had nothing for longest.
        self.rank = len(held) - asked.concurrency, member.last

    @property
    def is_free(self) -> bool:
        """Whether it handles one message more at once."""
        return self._window.is_free

    def takes(self, message: Envelope) -> bool:
        """Let it have a message, unless that is too much; the first one may be of any size."""
        size = len(message.content)
        if self.most <= 0 or (size > self.bytes and not self._is_empty) or not self._window.admits(message):
            return False
        self.most -= 1
        self.bytes -= size
        self._is_empty = False
        self.rank = self.rank[0] + 1, self.rank[1]
        return True


class Deal:
    """Made anew for each drawing, from those who ask. hands: who is given each message that was admitted, in order.

    What nobody can have now is passed over, with all of its key.
    """

    def __init__(self, group: Group, askers: Collection[Asker]) -> None:
        self._group = group
        self._askers = {asker.member.session: asker for asker in askers if asker.most > 0}
        self._passed: set[Key] = set()
        self._dealt: dict[Key, Asker] = {}
        self._homes: dict[bytes, Asker] = {}
        self.hands: list[Member] = []

    @property
    def most(self) -> int:
        """How many messages may be given in all."""
        return sum(asker.most for asker in self._askers.values())

    @property
    def bytes(self) -> int:
        """How many bytes of contents."""
        return sum(asker.bytes for asker in self._askers.values())

    def admits(self, message: Envelope) -> bool:
        """Return whether somebody is given this message; then it counts as given."""
        key = self._group.key_of(message)
        if key in self._passed:
            return False
        asker = self._taker(key, message)
        if asker is None:
            self._passed.add(key)
            return False
        self._dealt[key] = asker
        if message.conversation_id is not None and not self._group.comes_back(message):
            self._homes[message.conversation_id] = asker
        self.hands.append(asker.member)
        return True

    def _taker(self, key: Key, message: Envelope) -> Asker | None:
        """Return who takes a message: who has its key, or its conversation, or else who has the most free credit.

        What comes back is taken by who can handle it now, and by who has its conversation if that one can.
        """
        if self._group.comes_back(message):
            home = self._group.home_of(message)
            free = sorted((each for each in self._askers.values() if each.is_free), key=attrgetter("rank"))
            free.sort(key=lambda each: each.member is not home)
            return next((each for each in free if each.takes(message)), None)
        asker = self._dealt.get(key)
        if asker is None:
            bound = self._group.bound_to(key, message)
            if bound is not None:
                asker = self._askers.get(bound.session)
            elif message.conversation_id in self._homes:
                asker = self._homes[message.conversation_id]
            else:
                best = sorted(self._askers.values(), key=attrgetter("rank"))
                return next((each for each in best if each.takes(message)), None)
        return asker if asker is not None and asker.takes(message) else None
