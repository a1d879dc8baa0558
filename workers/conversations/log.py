"""What the file knows of conversations: a row for each commit that added something, folded before they are too many.

A row is needed for as long as a conversation that is kept begins in it. Rows go from the oldest on; the conversations
that still need one are written anew, whole, when all rows together are too large.
"""

from collections import OrderedDict
from collections.abc import Callable

from caxton.conversations import delta
from caxton.conversations.exchange import Exchange, Kept
from caxton.conversations.record import Record
from caxton.store.commit import Commit, ConversationRow
from caxton.store.recovered import ConversationDeltas

# Of all rows of a shard, in bytes and number, before the oldest are folded.
MOST_LOG_BYTES = 64 << 20
MOST_LOG_ROWS = 65_536
# Conversations that are written anew at a time.
MOST_FOLDED = 1_024


class _Row:
    """A row of the file. based: conversations that the file knows from this row on, and perhaps no longer."""

    __slots__ = ("based", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.based: list[Kept] = []


class ConversationLog:
    """Gathers what the next commit is to say of conversations. number: a number that no row of the file ever had.

    size: bytes of all rows. folded: conversations that were written anew.
    """

    def __init__(self, number: Callable[[], int]) -> None:
        self._number = number
        self._touched: dict[Kept, None] = {}
        self._rows: OrderedDict[int, _Row] = OrderedDict()
        self.size = self.folded = 0

    def __len__(self) -> int:
        return len(self._rows)

    def touch(self, record: Kept) -> None:
        """The file is to know of a conversation with the next commit."""
        self._touched[record] = None

    def save(self, record: Record) -> None:
        """The last message that was noted goes into the file with the next commit."""
        record.save()
        self._touched[record] = None

    def save_end(self, record: Kept) -> None:
        """What the file knows of a conversation is to be so there too."""
        if record.flags if type(record) is Exchange else record.base or record.unsaved is not None:  # type: ignore[union-attr] # a record
            self._touched[record] = None

    def grown(self, before: Kept, record: Record) -> None:
        """A conversation has become a record: what the file knows of it, or is to know, is that one's."""
        if before in self._touched:
            del self._touched[before]
            self._touched[record] = None
        if before.base:
            before.base = 0
            self._rows[record.base].based.append(record)

    def forget(self, record: Kept) -> None:
        """Nobody keeps a conversation any longer: the file need not."""
        self._touched.pop(record, None)
        record.base = 0

    def close(self, commit: Commit) -> None:
        """Let the commit say what is new."""
        if self._touched:
            touched, self._touched = list(self._touched), {}
            self._write(commit, touched, whole=False)

    def tend(self, commit: Commit) -> None:
        """Let the oldest rows go: those that nothing needs, and more of them while all are too large."""
        folded = 0
        while self._rows:
            number, row = next(iter(self._rows.items()))
            needed = [record for record in row.based if record.base == number]
            if needed:
                row.based = needed
                if (self.size <= MOST_LOG_BYTES and len(self._rows) <= MOST_LOG_ROWS) or folded >= MOST_FOLDED:
                    return
                folded += len(needed)
                self._fold(commit, needed)
            del self._rows[number]
            self.size -= row.size
            commit.conversations_gone.append(number)

    def restore(self, rows: list[ConversationDeltas], history: int) -> list[Record]:
        """Know of the rows that the file has, and return the conversations in them. history: messages of each."""
        known = delta.Known(history)
        for number, size, deltas in rows:
            self._rows[number] = _Row(size)
            self.size += size
            for one in deltas:
                record, begins = known.take(one)
                if record is not None and begins:
                    record.base = number
        records = known.records
        for record in records:
            self._rows[record.base].based.append(record)
        return sorted(records, key=lambda record: (record.due_ms, record.conversation_id, record.initiator))

    def _fold(self, commit: Commit, records: list[Kept]) -> None:
        self.folded += len(records)
        for record in records:
            self._touched.pop(record, None)
            record.base = 0
        self._write(commit, records, whole=True)

    def _write(self, commit: Commit, records: list[Kept], *, whole: bool) -> None:
        number, raw = self._number(), delta.encode(records, whole=whole)
        row = self._rows[number] = _Row(len(raw))
        self.size += len(raw)
        commit.conversations.append(ConversationRow(number, len(records), raw))
        for record in records:
            if not record.base:
                record.base = number
                row.based.append(record)
