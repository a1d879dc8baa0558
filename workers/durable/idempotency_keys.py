"""Idempotency keys: a message that comes again with the same key is not delivered again, but gets the same answer."""

from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b

import msgspec

from caxton.acl.envelope import AUTOMATIC, DURABLE, Envelope
from caxton.acl.failure import report
from caxton.acl.performative import Performative
from caxton.delivery.causes import after, to_keep
from caxton.errors import AlreadyAccepted, AnswerNotKept, CaxtonError, IdempotencyKeyReused, ResourceExhausted
from caxton.ids import AgentId, UuidSource
from caxton.store.commit import KeyRow
from workers.commit.journal import Journal
from workers.queues.shares import Shares, named

# Design, section 3: kept 10 minutes with its answer, bounded. By the served time: whoever sets the wall clock, no key
# is forgotten early, nor kept for ever.
KEPT_MS = 600_000
MOST_KEYS = 100_000
# Of these, what one agent may have: who sends to one with ever new keys closes the way to this agent alone.
MOST_OF_AGENT = MOST_KEYS // 2
# And what one principal may have that is not the runtime's owner, also while it is alone: keys outlive who comes later.
MOST_OF_PRINCIPAL = MOST_KEYS // 2
# Of answers that are kept; at it no new key is taken. Answers of the owner's requests under way may go beyond.
MOST_ANSWER_BYTES = 64 << 20
# And of these, what one principal has that is not the owner; there will be none of its requests under way beyond that.
MOST_ANSWER_BYTES_OF_PRINCIPAL = MOST_ANSWER_BYTES // 2
# Requests that wait for the answer to one key, and in all. Of each only what its answer needs is kept, some 500 bytes.
MOST_WAITERS = 1_024
MOST_WAITERS_IN_ALL = 32_768
# In the place of an answer: there will be none.
NO_ANSWER = b""
_FAILURE = int(Performative.FAILURE)
_decode = msgspec.msgpack.Decoder(Envelope).decode
_encode = msgspec.msgpack.Encoder().encode
# In a stored key, before the digest of what was sent with it, and around a principal: UTF-8 has no such byte.
_MARK = b"\xff"
_DIGEST_BYTES = 16
_Key = tuple[int, bytes]


class IdempotencyKeys:
    """Known keys by receiver and name, oldest first. What is owed to those who asked again is in `due`.

    A name is what a principal calls a key, so nobody meets the key of another one. With it the digest of what was sent
    is stored: keys that were written before there was one have none, and are known whatever comes with them.
    here: how many sessions each principal has.
    """

    def __init__(self, journal: Journal, ids: UuidSource, here: Mapping[str, int]) -> None:
        self._journal = journal
        self._ids = ids
        self._known: dict[_Key, KeyRow] = {}
        # The message that a key was taken for, by its id; of keys that come from the file nobody knows it.
        self._owners: dict[_Key, bytes] = {}
        # Who asked again before there was an answer: lost with this worker, so clients ask the next one.
        self._waiting: dict[_Key, list[Envelope]] = {}
        self._waiters = 0
        # How many keys each agent has.
        self._of_agent: Counter[int] = Counter()
        self._answer_bytes = 0
        # Keys, and bytes of answers, by principal.
        self.shares = (
            Shares(here, MOST_KEYS, MOST_OF_PRINCIPAL),
            Shares(here, MOST_ANSWER_BYTES, MOST_ANSWER_BYTES_OF_PRINCIPAL),
        )
        self.due: list[Envelope] = []

    def restore(self, rows: list[KeyRow]) -> None:
        """Know what the file holds."""
        latest_ms = self._journal.served.now_ms + KEPT_MS
        for row in sorted(rows, key=lambda row: row.expires_ms):
            key = row.receiver, _split(row.key)[0]
            self._known[key] = row
            if row.expires_ms > latest_ms:  # on the wall clock: that is how keys were written at first
                self._known[key] = row._replace(expires_ms=latest_ms)
                self._journal.commit.keys[row.receiver, row.key] = self._known[key]
        self._of_agent = Counter(receiver for receiver, _ in self._known)
        self._answer_bytes = sum(len(row.answer or b"") for row in rows)
        for key, row in self._known.items():
            self._charge(key, 1, len(row.answer or b""))

    def in_use(self) -> tuple[int, int]:
        """Return how many keys are known now, and how many bytes their answers have."""
        self._expire()
        return len(self._known), self._answer_bytes

    def admit(self, message: Envelope) -> tuple[CaxtonError | None, bool]:
        """Return why a message is refused, or None; and whether it is seen to.

        One whose key is known is refused with AlreadyAccepted, so that its sender knows; a request gets its answer too,
        or AnswerNotKept when there is none. One that says something else than the first is refused with
        IdempotencyKeyReused.
        """
        key = _key_of(message)
        if key is None:
            return None, False
        self._expire()
        row = self._known.get(key)
        if row is None:
            no_room = self._take_new(key, message)
            return no_room, no_room is not None
        if _split(row.key)[1] not in {b"", _digest(message)}:
            return IdempotencyKeyReused.of(str(AgentId(message.receiver))), True
        if message.reply_with is not None:
            refused = self._ask_again(row, key, message)
            if refused is not None:
                return refused, True
        self._journal.counts["duplicates"] += 1
        return AlreadyAccepted(str(AgentId(message.receiver))), True

    def answered(self, handled: Envelope, messages: list[Envelope]) -> None:
        """An agent handled a message and sent these: one of them may be the answer that its key is to keep.

        Without one nobody waits any longer: an answer of a later turn goes to who asked first, and to nobody else.
        """
        key = _key_of(handled)
        if key is None or handled.reply_with is None:
            return
        row = self._known.get(key)
        answer = next((m for m in messages if m.in_reply_to == handled.reply_with), None)
        if row is None:
            return
        if answer is None:
            self._keep(key, row._replace(answer=NO_ANSWER))
            self._tell_of_none(key)
            return
        encoded = _encode(answer)
        self._keep(key, row._replace(answer=encoded if self._has_room(key, len(encoded)) else NO_ANSWER))
        self.due += [self._copy(answer, message) for message in self._take_waiting(key)]

    def answered_with_error(self, handled: Envelope, error: CaxtonError) -> None:
        """An agent answered with an error of its own: that is the answer which its key is to keep."""
        self.answered(handled, [self._failure(handled, error)])

    def failed(self, message: Envelope) -> list[Envelope]:
        """A message came to nothing: its key is free. Returns who waited for its answer, and is to be told."""
        key = _key_of(message)
        if key is None:
            return []
        if key not in self._known or self._owners.get(key, message.message_id) != message.message_id:
            return []
        waited = self._take_waiting(key)
        self._forget(key)
        return waited

    def _take_new(self, key: _Key, message: Envelope) -> ResourceExhausted | None:
        """Know a key that comes for the first time; returns why not."""
        no_share = self._share_refusal(_principal_of(key))
        if no_share is not None:
            return no_share
        if len(self._known) >= MOST_KEYS:
            return ResourceExhausted("idempotency keys in ten minutes", MOST_KEYS)
        if self._of_agent[message.receiver] >= MOST_OF_AGENT:
            agent = AgentId(message.receiver)
            return ResourceExhausted(f"idempotency keys of agent {agent} in ten minutes", MOST_OF_AGENT)
        if self._answer_bytes >= MOST_ANSWER_BYTES:
            return ResourceExhausted("bytes of answers to idempotency keys in ten minutes", MOST_ANSWER_BYTES)
        self._of_agent[message.receiver] += 1
        self._charge(key, 1, 0)
        self._owners[key] = message.message_id
        expires_ms = self._journal.served.now_ms + KEPT_MS
        answer = NO_ANSWER if message.reply_with is None else None
        self._keep(key, KeyRow(message.receiver, key[1] + _MARK + _digest(message), expires_ms, answer))
        return None

    def _share_refusal(self, principal: str) -> ResourceExhausted | None:
        """Return why a principal gets no new key: it has its share of them, or of the bytes of answers; or None."""
        keys, answers = self.shares
        whose = f"idempotency keys of {named(principal)} in ten minutes"
        if keys.refuses(principal):
            self._journal.counts["full_principal"] += 1
            return ResourceExhausted(whose, keys.share(principal))
        if answers.refuses(principal):
            self._journal.counts["full_principal"] += 1
            return ResourceExhausted(f"bytes of answers to {whose}", answers.share(principal))
        return None

    def _has_room(self, key: _Key, size: int) -> bool:
        """Whether an answer is kept: all of the owner's are, and of another principal what it may have."""
        principal = _principal_of(key)
        if not principal or self.shares[1].has(principal) + size <= MOST_ANSWER_BYTES_OF_PRINCIPAL:
            return True
        self._journal.counts["full_principal"] += 1
        return False

    def _charge(self, key: _Key, count: int, answer_bytes: int) -> None:
        principal = _principal_of(key)
        keys, answers = self.shares
        keys.add(principal, count)
        answers.add(principal, answer_bytes)

    def _ask_again(self, row: KeyRow, key: _Key, message: Envelope) -> CaxtonError | None:
        """Answer who asks again, or let it wait for the answer; returns why not: there is none, or too many wait."""
        if row.answer is not None:
            if row.answer == NO_ANSWER:
                return AnswerNotKept(str(AgentId(message.receiver)))
            self.due.append(self._copy(_decode(row.answer), message))
            return None
        waiting = self._waiting.setdefault(key, [])
        if len(waiting) >= MOST_WAITERS:
            return ResourceExhausted("requests with one idempotency key", MOST_WAITERS)
        if self._waiters >= MOST_WAITERS_IN_ALL:
            return ResourceExhausted("requests with idempotency keys that wait for answers", MOST_WAITERS_IN_ALL)
        self._waiters += 1
        waiting.append(msgspec.structs.replace(message, content=b"", rare=None, cause=to_keep(message)))
        return None

    def _take_waiting(self, key: _Key) -> list[Envelope]:
        waited = self._waiting.pop(key, [])
        self._waiters -= len(waited)
        return waited

    def _tell_of_none(self, key: _Key) -> None:
        """Nobody will answer who asked again."""
        error = AnswerNotKept(str(AgentId(key[0])))
        self.due += [self._failure(message, error) for message in self._take_waiting(key)]

    def _keep(self, key: _Key, row: KeyRow) -> None:
        before = self._known.get(key, row)
        more = len(row.answer or b"") - (0 if before is row else len(before.answer or b""))
        self._answer_bytes += more
        self._charge(key, 0, more)
        self._known[key] = row
        self._journal.commit.keys[row.receiver, row.key] = row
        self._journal.urgent = True

    def _expire(self) -> None:
        now_ms = self._journal.served.now_ms
        while self._known:
            key, row = next(iter(self._known.items()))
            if row.expires_ms > now_ms:
                return
            self._forget(key)

    def _forget(self, key: _Key) -> None:
        row = self._known.pop(key)
        self._of_agent[row.receiver] -= 1
        if not self._of_agent[row.receiver]:
            del self._of_agent[row.receiver]
        self._answer_bytes -= len(row.answer or b"")
        self._charge(key, -1, -len(row.answer or b""))
        self._owners.pop(key, None)
        self._tell_of_none(key)
        self._journal.commit.keys.pop((row.receiver, row.key), None)
        self._journal.commit.keys_gone.append((row.receiver, row.key))

    def _failure(self, asked: Envelope, error: CaxtonError) -> Envelope:
        """Return what tells who asked that an error is the answer."""
        return Envelope(
            self._ids.next(),
            _FAILURE,
            asked.receiver,
            asked.sender,
            report(error),
            None,
            asked.reply_with,
            asked.conversation_id,
            self._journal.wall_ms,
            asked.level,
            flags=AUTOMATIC | DURABLE,
        )

    def _copy(self, answer: Envelope, asked: Envelope) -> Envelope:
        """Return the answer as it goes to somebody who asked again: the same message each time that this one asks."""
        return msgspec.structs.replace(
            answer,
            message_id=_id_of_copy(answer.message_id, asked.message_id),
            receiver=asked.sender,
            in_reply_to=asked.reply_with,
            conversation_id=asked.conversation_id,
            cause=after(asked),
            flags=(answer.flags & AUTOMATIC) | DURABLE,
        )


def _key_of(message: Envelope) -> _Key | None:
    """Return the receiver and the name of a message's key, None when it has none."""
    rare = message.rare
    if rare is None or rare.idempotency_key is None:
        return None
    name = rare.idempotency_key.encode("utf-8", "surrogatepass")
    if message.cause is not None and message.cause.principal:
        name = _MARK + message.cause.principal.encode() + _MARK + name
    return message.receiver, name


def _principal_of(key: _Key) -> str:
    """Return whose a key is, "" for the runtime's owner."""
    name = key[1]
    return name[1:].partition(_MARK)[0].decode() if name[:1] == _MARK else ""


def _digest(message: Envelope) -> bytes:
    """Return by what a message is known again that says the same. A send may be followed by a request."""
    return blake2b(message.content, digest_size=_DIGEST_BYTES).digest()


def _split(stored: bytes) -> tuple[bytes, bytes]:
    """Return the name of a stored key and the digest with it, empty when there is none."""
    at = len(stored) - _DIGEST_BYTES - len(_MARK)
    return (stored[:at], stored[-_DIGEST_BYTES:]) if at >= 0 and stored[at : at + 1] == _MARK else (stored, b"")


def _id_of_copy(answer: bytes, asked: bytes) -> bytes:
    """Return an id for the answer to who asked: a UUID of the answer's time, by which a second copy is recognised."""
    tail = bytearray(blake2b(answer + asked, digest_size=8).digest())
    tail[0] = tail[0] & 0x3F | 0x80  # the variant of a UUID
    return answer[:8] + tail
