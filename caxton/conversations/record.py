"""What one shard knows of one conversation. Pure: times come in, and nobody is asked."""

import msgspec

from caxton.acl.envelope import MAX_HOPS, Cause, Envelope, Opening, Rare
from caxton.conversations.lines import LINE_BYTES, Lines
from caxton.conversations.state import State
from caxton.conversations.summary import MAX_KEPT_CONTENT, Remembered, Summary, remembered, summary_of
from caxton.conversations.view import ConversationView
from caxton.delivery.causes import to_keep

# What a record takes in memory, and each message that it remembers, in bytes, with what each follows from: an estimate,
# with the parties of a few. With 32 of a history, and as many more before it is cut, that is 52 KB.
RECORD_BYTES, REMEMBERED_BYTES = 1_600, 780
# Places for messages that a record begins with; they double until there are two histories.
FIRST_PLACES = 4
# Of a conversation whose first message asks for none.
NO_LIMITS = Opening()


class Record(msgspec.Struct, gc=False, eq=False):
    """One conversation as this shard saw it. No collector looks at it: nothing in it leads back to it.

    initiator: who opened it. opened_ms, last_ms: by the wall clock, since 1970; due_ms: when it expires, on the clock
    of whoever holds the record. parties: who takes part, and whether each has spoken. messages, size, turns: counted
    here; turns are messages to agents, counted only where each message is looked at; turns_before, size_before: those
    before it was resumed last. history: how many messages it remembers; places: how many it has room for now.
    watched: True where each message has to be looked at, for a limit, a protocol or an end. stop: the limit that it
    came to, and what that is. lines: where its protocols stand, None where none is looked at. begun_here: this shard
    saw it begin, and counts it. unsaved: messages that the file does not have yet; None where it is to have none. base:
    the row that the file's knowledge of it begins with, 0 for none. saved_messages and so on: what the file has.
    changed: what is no count is other than the file has it. weighed: what whoever holds it takes it to weigh. counted:
    how many of its parties, from the first, are counted as in a conversation that is active. key: what whoever holds it
    finds it by, its id where no other has that. is_shared: others have opened one of the same id, so that each message
    is looked at for whose it is. ended_ms: when it ended, on the clock of whoever holds it. told:
    what messages to other shards say of it, None before the first one. cause: of a message in it that was looked at,
    the last one where each is; None where nobody is told of its end.
    """

    conversation_id: bytes
    initiator: int
    opened_ms: int
    timeout_s: int
    limits: Opening
    history: int
    parties: dict[int, bool] = {}
    recent: list[Remembered] = []
    due_ms: int = 0
    last_ms: int = 0
    messages: int = 0
    size: int = 0
    turns: int = 0
    turns_before: int = 0
    size_before: int = 0
    places: int = FIRST_PLACES
    state: State = State.INITIATED
    detail: str = ""
    stop: tuple[str, int] | None = None
    resumed: int = 0
    protocol: str | None = None
    lines: Lines | None = None
    watched: bool = False
    begun_here: bool = False
    unsaved: list[Remembered] | None = None
    base: int = 0
    saved_messages: int = 0
    saved_size: int = 0
    saved_turns: int = 0
    changed: bool = False
    weighed: int = 0
    counted: int = 0
    key: bytes = b""
    is_shared: bool = False
    ended_ms: int = -1
    told: Rare | None = None
    cause: Cause | None = None

    def __post_init__(self) -> None:
        self.key = self.conversation_id
        self.last_ms = self.opened_ms
        self.parties[self.initiator] = False
        self.watched = self.limits is not NO_LIMITS and self.is_limited

    @property
    def is_limited(self) -> bool:
        """Whether it has limits of its own that each message is looked at for, or keeps contents."""
        limits = self.limits
        return bool(limits.hops or limits.turns or limits.size or limits.keeps_contents)

    @property
    def is_open(self) -> bool:
        """Whether it has a line that has not ended."""
        return self.lines is not None and self.lines.open > 0

    @property
    def weight(self) -> int:
        """What it takes in memory, about, in bytes."""
        lines = 0 if self.lines is None else LINE_BYTES * len(self.lines.positions)
        kept = MAX_KEPT_CONTENT if self.limits.keeps_contents else 0
        return RECORD_BYTES + self.places * (REMEMBERED_BYTES + kept) + 64 * max(0, len(self.parties) - 4) + lines

    def note(self, message: Envelope, now_ms: int) -> bool:
        """Count a message, and remember it. Returns whether the record has grown, and weighs more or less now."""
        self.messages += 1
        self.last_ms = now_ms
        self.size += len(message.content)
        recent = self.recent
        recent.append(remembered(message, with_content=self.limits.keeps_contents))
        return len(recent) > self.places and self._grow()

    def save(self) -> None:
        """Let the last message that was noted go into the file with the next commit."""
        if self.unsaved is None:
            self.unsaved = []
        if self.recent:
            self.unsaved.append(self.recent[-1])
        if len(self.unsaved) > 2 * self.history:
            del self.unsaved[: -self.history or None]

    def speaks(self, party: int) -> bool:
        """Somebody says something. Returns whether the conversation is other than before."""
        if self.parties.get(party):
            return False
        self.parties[party] = True
        if party != self.initiator and self.state is State.INITIATED:
            self.state = State.IN_PROGRESS
        self.changed = True
        return True

    def join(self, party: int) -> None:
        """Let somebody take part."""
        if party not in self.parties:
            self.parties[party] = False
            self.changed = True

    def beyond(self, hops: int, size: int) -> tuple[str, int] | None:
        """Return the limit that one more message to an agent would be beyond, and what it is; or None."""
        limits = self.limits
        if limits.hops and hops > limits.hops:
            return "hops", min(limits.hops, MAX_HOPS)
        if limits.turns and self.turns - self.turns_before >= limits.turns:
            return "turns", limits.turns
        if limits.size and self.size - self.size_before + size > limits.size:
            return "bytes", limits.size
        return None

    def follows(self, message: Envelope) -> None:
        """What will be said of its end follows from this message, if anybody is told of it."""
        if self.limits is not NO_LIMITS and (self.is_limited or self.limits.timeout_s):
            self.cause = to_keep(message)

    def share(self) -> None:
        """Others have opened one of the same id: whose a message is has to be looked at."""
        self.is_shared = self.watched = True

    def end(self, state: State, detail: str = "") -> None:
        """Let it end so. What is said in it from now on is looked at, and refused, until somebody resumes it."""
        self.state, self.detail = state, detail
        self.watched = self.changed = True

    def resume(self, due_ms: int) -> None:
        """Let it go on, until `due_ms`; what it is limited by besides time begins anew."""
        answered = any(spoke for party, spoke in self.parties.items() if party != self.initiator)
        self.state = State.IN_PROGRESS if answered else State.INITIATED
        self.detail, self.stop = "", None
        self.resumed += 1
        self.turns_before, self.size_before = self.turns, self.size
        self.due_ms = due_ms
        self.told = None
        self.watched = self.is_shared or self.is_limited or self.protocol is not None
        self.changed = True

    def finish(self) -> None:
        """All its lines have ended: their outcome is its own."""
        if self.lines is not None:
            stands = self.lines.standing
            self.end(State.FAILED if stands.kind == "failed" else State.COMPLETED, stands.state)

    def expire(self) -> None:
        """It lasts no longer: it has expired, unless all its lines have ended."""
        if self.lines is None or self.lines.open:
            self.end(State.EXPIRED)
        else:
            self.finish()

    @property
    def _told_state(self) -> State:
        """What the shards' states are joined of: an end by its protocol follows from where all their lines stand."""
        ended_by_lines = self.lines is not None and self.stop is None and self.state in {State.COMPLETED, State.FAILED}
        return State.IN_PROGRESS if ended_by_lines else self.state

    def last(self, most: int) -> tuple[Summary, ...]:
        """Return the last messages of it, oldest first, at most so many."""
        keeps = self.limits.keeps_contents
        some = self.recent[-min(most, self.history) :] if most and self.history else []
        return tuple(summary_of(one, with_content=keeps) for one in some)

    def view(self, shard: int, expires_at: int, *, history: bool, is_archived: bool) -> ConversationView:
        """Return it as this shard tells it. expires_at: its end by the wall clock."""
        return ConversationView(
            self.conversation_id,
            self.initiator,
            tuple(sorted(self.parties)),
            int(self._told_state),
            self.detail,
            self.messages,
            self.size,
            self.opened_ms,
            self.last_ms,
            expires_at,
            self.protocol,
            self.resumed,
            self.limits,
            self.last(self.history) if history else (),
            (shard,),
            is_archived,
            None if self.lines is None or not self.lines.positions else self.lines.standing,
        )

    def _grow(self) -> bool:
        """Make room for as many messages again, or forget the oldest; returns whether it weighs another number now."""
        most = 2 * self.history
        if self.places < most:
            self.places = min(2 * self.places, most)
            return True
        del self.recent[: len(self.recent) - self.history]
        return False
