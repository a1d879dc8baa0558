"""Programs that share an agent: who of them has what, and who is to have what comes next. Without I/O and clocks."""

from collections import OrderedDict
from collections.abc import Collection

from caxton.acl.envelope import Envelope
from caxton.acl.order import HandlerOrder, Key, comes_back, key_beside

# Programs of one group: a question of each waits here, and all of them are looked at for a message.
MOST_MEMBERS = 64
# Conversations whose member is known, of all groups of a shard: some 250 bytes each.
MOST_HOMES = 65_536


class Homes:
    """Which member of its group a conversation is at home with, for all groups of a shard.

    Those that were used last are known. A group that has more than its share makes room with its own.
    """

    def __init__(self) -> None:
        self._of: dict[Group, OrderedDict[bytes, int]] = {}
        self.count = 0

    def find(self, group: "Group", conversation: bytes | None) -> int:
        """Return the session that a conversation is at home with, 0 for none; it may have gone."""
        own = self._of.get(group)
        return 0 if own is None or conversation is None else own.get(conversation, 0)

    def note(self, group: "Group", conversation: bytes, session: int) -> None:
        """A conversation is at home with a session from now on."""
        own = self._of.get(group)
        if own is None:
            own = self._of[group] = OrderedDict()
        if conversation not in own:
            if self.count >= MOST_HOMES:
                self._make_room(own)
            self.count += 1
        own[conversation] = session
        own.move_to_end(conversation)

    def forget(self, group: "Group") -> None:
        """There is no such group any more."""
        self.count -= len(self._of.pop(group, ()))

    def _make_room(self, own: OrderedDict[bytes, int]) -> None:
        fullest = own if len(own) * len(self._of) >= MOST_HOMES else max(self._of.values(), key=len)
        fullest.popitem(last=False)
        self.count -= 1


class Member:
    """A program of a group. given: what it has not ended, by delivery: key and id. last: the last delivery it got.

    is_there: whether conversations wait for it: it was heard of, and does not leave. credit: how many keys it handles
    at once.
    """

    __slots__ = ("credit", "given", "is_there", "last", "session")

    def __init__(self, session: int) -> None:
        self.session = session
        self.given: dict[int, tuple[Key, bytes]] = {}
        self.last = 0
        self.is_there = True
        self.credit = 0


class Group:
    """The programs that share an agent, by session. order: what they keep between them, as each does in itself.

    Of a key that has something under way the next goes to the same member, so that no two are handled at once, or out
    of order. So does the next of a conversation, as long as that member is there. But what comes back, for which
    something under way waits, is for whoever can handle it now.
    """

    def __init__(self, order: HandlerOrder, homes: Homes) -> None:
        self.members: dict[int, Member] = {}
        self.order: HandlerOrder = order
        self._homes = homes
        # Who has something of a key under way, and how much of it.
        self._holders: dict[Key, tuple[Member, int]] = {}
        # The ids of what all of them have under way.
        self._ids: set[bytes] = set()

    def join(self, session: int) -> Member:
        """Let a session be a member, if it is none."""
        member = self.members.get(session)
        if member is None:
            member = self.members[session] = Member(session)
        return member

    def leave(self, session: int) -> None:
        """A session is no member any more. What it was given has been taken from it before."""
        self.members.pop(session, None)
        if not self.members:
            self._homes.forget(self)

    @property
    def credit(self) -> int:
        """How many keys all of them handle at once."""
        return max(1, sum(member.credit for member in self.members.values()))

    def share(self, waiting: int, asking: Collection[int]) -> int:
        """Return how many of the messages that wait each of those who ask may have.

        A member with free credit that does not ask just now will do so in a moment, and is to find its part.
        """
        coming = sum(
            member.is_there and len(member.given) < member.credit
            for session, member in self.members.items()
            if session not in asking
        )
        return -(-waiting // (len(asking) + coming)) if coming else waiting

    def key_of(self, message: Envelope) -> Key:
        """Return what two messages have in common that only one member may have at a time."""
        return key_beside(self.order, message, self._ids)

    def comes_back(self, message: Envelope) -> bool:
        """Whether a member waits for what becomes of a message: behind what that one has it might never end."""
        return comes_back(message, self._ids)

    def bound_to(self, key: Key, message: Envelope) -> Member | None:
        """Return the only member who may have a message now, None when any may."""
        holder = self._holders.get(key)
        return self.home_of(message) if holder is None else holder[0]

    def home_of(self, message: Envelope) -> Member | None:
        """Return the member that a message's conversation is at home with, while that one is there."""
        home = self.members.get(self._homes.find(self, message.conversation_id))
        return home if home is not None and home.is_there else None

    def give(self, member: Member, number: int, message: Envelope) -> None:
        """A member has a message, by the number of its delivery."""
        key = self.key_of(message)
        _, count = self._holders.get(key, (member, 0))
        self._holders[key] = member, count + 1
        member.last = number
        if message.conversation_id is not None and not self.comes_back(message):
            self._homes.note(self, message.conversation_id, member.session)
        member.given[number] = key, message.message_id
        self._ids.add(message.message_id)

    def take(self, member: Member, number: int) -> bool:
        """A member has a delivery no more; False when it had none of this number."""
        given = member.given.pop(number, None)
        if given is None:
            return False
        key, message_id = given
        self._ids.discard(message_id)
        _, count = self._holders[key]
        if count > 1:
            self._holders[key] = member, count - 1
        else:
            del self._holders[key]
        return True
