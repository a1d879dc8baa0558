"""A conversation as it is told: what one shard saw of it, and the join of what all of them saw."""

from functools import reduce
from typing import Annotated

import msgspec

from caxton.acl.conversation_limits import MAX_PARTICIPANTS, ConversationLimits
from caxton.acl.envelope import Id, Opening, Text, UuidBytes
from caxton.conversations.history import in_order
from caxton.conversations.state import State
from caxton.conversations.summary import Summary
from caxton.ids import AgentId, ConversationId
from caxton.protocols import Standing, of_conversation

# Summaries that the views of all shards have together: what is older is left out.
MOST_TOLD = 1_000


class ConversationView(msgspec.Struct, array_like=True, frozen=True):
    """One conversation. Times are in ms since 1970; `messages` and `size` (bytes of contents) count all there were.

    initiator: who opened it. members: who takes part, the initiator among them. state_number, detail: how it stands,
    and its outcome or error. history: its last messages, oldest first, where it was asked for. resumed: how often it
    was. shards: those that know of it. is_archived: it has ended, and what is here is kept for a while. standing: where
    what its protocols look at stands, None where they look at nothing.
    """

    conversation: UuidBytes
    initiator: Id
    members: Annotated[tuple[Id, ...], msgspec.Meta(max_length=64 * (MAX_PARTICIPANTS + 1))]
    state_number: Annotated[int, msgspec.Meta(ge=0, le=4)]
    detail: Text
    messages: Id
    size: Id
    opened_at: Id
    last_activity: Id
    expires_at: Id
    protocol: Text | None = None
    resumed: Id = 0
    limits_given: Opening = Opening()
    history: tuple[Summary, ...] = ()
    shards: tuple[Id, ...] = ()
    is_archived: bool = False
    standing: Standing | None = None

    @property
    def id(self) -> ConversationId:
        """Its id."""
        return ConversationId(self.conversation)

    @property
    def participants(self) -> tuple[AgentId, ...]:
        """Who takes part, in the order of ids; never nobody."""
        return tuple(AgentId(member) for member in self.members)

    @property
    def state(self) -> str:
        """How it stands: initiated, in progress, completed, failed or expired."""
        return self._state.told

    @property
    def outcome(self) -> str | None:
        """What came of it, when it is completed."""
        return self._detail if self._state is State.COMPLETED else None

    @property
    def error(self) -> str | None:
        """Why it failed, when it did."""
        return self._detail if self._state is State.FAILED else None

    @property
    def limits(self) -> ConversationLimits:
        """The limits that it was opened with."""
        return ConversationLimits.of(self.limits_given)

    @property
    def _ended(self) -> Standing | None:
        """Where its protocols have come to their end, unless it came to another before."""
        known = self.standing if self.standing is not None and self.standing.is_known else None
        return known if known is not None and known.is_over and self.state_number < State.EXPIRED else None

    @property
    def _state(self) -> State:
        if self._ended is None:
            return State(self.state_number)
        return State.FAILED if self._ended.kind == "failed" else State.COMPLETED

    @property
    def _detail(self) -> str:
        return self.detail if self._ended is None else self._ended.state


def join(one: ConversationView, other: ConversationView) -> ConversationView:
    """Return what two shards, or groups of them, saw of a conversation, as one. The order of joins does not matter.

    Whoever was resumed more often knows better how it stands; else the higher state holds.
    """
    first = min(one, other, key=lambda v: (v.opened_at, v.initiator, v.protocol or "", _limits_order(v)))
    stands = max(one, other, key=lambda v: (v.resumed, v.state_number, v.detail))
    return ConversationView(
        one.conversation,
        first.initiator,
        tuple(sorted({*one.members, *other.members})),
        stands.state_number,
        stands.detail,
        one.messages + other.messages,
        one.size + other.size,
        first.opened_at,
        max(one.last_activity, other.last_activity),
        max(one.expires_at, other.expires_at),
        max(one.protocol or "", other.protocol or "") or None,
        stands.resumed,
        first.limits_given,
        _history(one.history, other.history),
        tuple(sorted({*one.shards, *other.shards})),
        one.is_archived and other.is_archived,
        _standing(one.standing, other.standing),
    )


def _standing(one: Standing | None, other: Standing | None) -> Standing | None:
    if one is None or other is None:
        return one or other
    return of_conversation((one, other))


def join_all(views: list[ConversationView]) -> ConversationView:
    """Return the views of all shards that know of a conversation as one; there is at least one."""
    return reduce(join, views)


def _history(one: tuple[Summary, ...], other: tuple[Summary, ...]) -> tuple[Summary, ...]:
    if not one or not other:
        return one or other
    return tuple(in_order((*one, *other))[-MOST_TOLD:])


def _limits_order(view: ConversationView) -> tuple[int, ...]:
    return tuple(map(int, msgspec.structs.astuple(view.limits_given)))
