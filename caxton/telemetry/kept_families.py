"""What is kept: the books of the durable lane, dead letters, conversations."""

from collections.abc import Iterator

from caxton.store.ledger import Ledger
from caxton.telemetry.family import Family, Kind, counter, gauge, of_label
from caxton.wire.told import ConversationStats, DeadLetterStats

# Of the ledger: what only grows, and what is so now.
_GROWING = ("accepted", "arrived", "processed", "dead", "expired", "passed_on")
_PRESENT = ("pending", "in_flight")
_MS_PER_S = 1_000


def ledger_families(ledger: Ledger) -> Iterator[Family]:
    """Yield the figures of all shards together, ever, and whether they balance."""
    says = "messages of the durable lane, ever, as `caxton ledger` accounts for them"
    growing = {name: getattr(ledger.whole, name) for name in _GROWING}
    yield of_label("caxton_ledger_messages", Kind.COUNTER, says, "figure", growing)
    present = {name: getattr(ledger.whole, name) for name in _PRESENT}
    says = "messages of the durable lane that have not ended"
    yield of_label("caxton_ledger_open_messages", Kind.GAUGE, says, "figure", present)
    yield gauge("caxton_ledger_balanced", "1 if every message is accounted for, 0 if not", float(ledger.balanced))


def letter_families(letters: DeadLetterStats) -> Iterator[Family]:
    """Yield how many dead letters there are, and why."""
    yield of_label(
        "caxton_dead_letters", Kind.GAUGE, "dead letters, by their reasons", "reason", letters.messages_by_reason
    )
    yield gauge("caxton_dead_letters_limit", "dead letters that may be", letters.capacity)
    yield gauge("caxton_dead_letters_bytes", "contents of dead letters", letters.queue_size_bytes)
    age_ms = letters.oldest_message_age_ms
    yield gauge(
        "caxton_dead_letters_oldest_seconds", "since the oldest died; 0 when there is none", (age_ms or 0) / _MS_PER_S
    )
    yield counter(
        "caxton_dead_letters_evicted", "dead letters that made room for others of their agent, ever", letters.evicted
    )


def conversation_families(conversations: ConversationStats) -> Iterator[Family]:
    """Yield how many conversations there are and were."""
    yield counter(
        "caxton_conversations_created",
        "conversations since the workers started, with those that their files had",
        conversations.total_created,
    )
    yield gauge("caxton_conversations_archived", "ended, and kept for a while", conversations.total_archived)
    yield gauge("caxton_conversations_bytes", "what they take in memory, about", conversations.size_bytes)
    yield gauge(
        "caxton_conversation_messages_average", "messages of a conversation", conversations.average_message_count
    )
