"""Calls for what this process logged."""

from caxton.wire.records import ReadRecords, RecordPage
from workers.loop.shard import Shard


class RecordCalls:
    """Answers `ReadRecords`; where nothing is kept there is nothing to tell."""

    def __init__(self, shard: Shard) -> None:
        self._records = shard.watching.records
        self._own = shard.incarnation

    def answer(self, asked: ReadRecords) -> RecordPage:
        """Return a page of records."""
        if self._records is None:
            return RecordPage(self._own, 0, 0, more=False, records=[])
        after = asked.after if asked.incarnation == self._own else 0
        page = self._records.behind(after, asked.limit)
        return RecordPage(self._own, page.last, page.missed, page.more, page.records)
