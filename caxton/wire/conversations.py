"""What a client asks a shard about conversations; `caxton.conversations.view` makes one of what several answer."""

from typing import Annotated

import msgspec

from caxton.acl.conversation_limits import MAX_TIMEOUT_S
from caxton.acl.envelope import Id, UuidBytes
from caxton.conversations.view import ConversationView

# Views in an answer: with as many participants as there may be they come to 2 MB.
MAX_VIEWS = 200
FIRST = bytes(16)


class FindConversations(msgspec.Struct, array_like=True, tag=50, frozen=True):
    """Ask for conversations by their ids, those that have ended included; with their histories only if asked.

    Answered with `Conversations`, of those that this shard knows: first one of each id, that of whoever made the id or
    else of whoever used it first; behind them what others opened under the same ids, as far as an answer has room.
    """

    ids: Annotated[list[UuidBytes], msgspec.Meta(min_length=1, max_length=MAX_VIEWS)]
    with_history: bool = False


class ListConversations(msgspec.Struct, array_like=True, tag=51, frozen=True):
    """List conversations of this shard in the order of their ids, after `after`, without their histories.

    One of each id. agent: only those that it takes part in. archived: also those that have ended.
    """

    after: UuidBytes = FIRST
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_VIEWS)] = MAX_VIEWS
    agent: Id | None = None
    archived: bool = True


class AskConversationFigures(msgspec.Struct, array_like=True, tag=52, frozen=True):
    """Ask how many conversations there are, how long they are, and how many take part."""


class ResumeConversation(msgspec.Struct, array_like=True, tag=53, frozen=True):
    """Let a conversation go on that has ended, for `timeout_s` seconds, or for as long as it might last before.

    initiator: who opened it, 0 for all of this id. Answered with `Conversations`: of none where this shard knows none.
    """

    conversation: UuidBytes
    timeout_s: Annotated[int, msgspec.Meta(ge=0, le=MAX_TIMEOUT_S)] = 0
    initiator: Id = 0


class Conversations(msgspec.Struct, array_like=True, tag=54, frozen=True):
    """A page of conversations. more: there may be others behind the last of these."""

    views: Annotated[list[ConversationView], msgspec.Meta(max_length=MAX_VIEWS)]
    more: bool = False


class ConversationFigures(msgspec.Struct, array_like=True, tag=55, frozen=True):
    """Of one shard. A conversation is counted by the shard that saw it begin.

    active: those that go on; archived: those that have ended and are kept. created: all there were since the worker
    started, with those that it found in the file. durations_ms, messages: of all of these together, from the first to
    the last message. participants: how many of those that go on have so many participants. size, log_bytes: what they
    take in memory, about, and in the file, in bytes. evicted: those that expired because there was no room. stopped:
    those that came to a limit. strangers, unread: messages that were refused because of who sent them, or because the
    conversation had ended.
    """

    active: Id
    archived: Id
    created: Id
    durations_ms: Id
    messages: Id
    participants: dict[int, int]
    size: Id
    log_bytes: Id
    evicted: Id
    stopped: Id
    strangers: Id
    unread: Id
    violations: Id = 0


ConversationRequest = FindConversations | ListConversations | AskConversationFigures | ResumeConversation
ConversationResult = Conversations | ConversationFigures
