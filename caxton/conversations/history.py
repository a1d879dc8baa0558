"""What several shards remember of a conversation, in the order in which it was said."""

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush

from caxton.conversations.summary import Summary
from caxton.ids import SESSION_BIT


def in_order(said: Iterable[Summary]) -> list[Summary]:
    """Return messages oldest first, by the clocks of their senders, which count milliseconds and may be behind.

    So what one party says stands in its own order, and an answer behind what it answers, whatever the clocks say. Of
    one millisecond, answers come as soon as they may, and clients speak before agents, who speak when they are spoken
    to. Where not all of this can be, because ids are made up or a clock was set back, the clocks alone say.
    """
    clocked = sorted(said, key=_by_clock)
    questions = {one.message_id: place for place, one in enumerate(clocked)}
    sorter: TopologicalSorter[int] = TopologicalSorter()
    last_of: dict[int, int] = {}
    for place, one in enumerate(clocked):
        before = (last_of.get(one.sender), _question(one, questions))
        sorter.add(place, *(earlier for earlier in before if earlier is not None and earlier != place))
        last_of[one.sender] = place
    try:
        sorter.prepare()
    except CycleError:
        return clocked
    told: dict[int, int] = {}  # by place, which of all it was
    ready: list[tuple[int, int, bool, int]] = []
    while sorter:
        for place in sorter.get_ready():
            one = clocked[place]
            question = _question(one, questions)
            # What was asked last is answered first: whoever asks others before he answers waits for their answers.
            asked = 0 if question is None else told.get(question, 0)
            answers = 1 if one.in_reply_to is None else -asked
            heappush(ready, (one.sent_at, answers, one.sender < SESSION_BIT, place))
        place = heappop(ready)[-1]
        told[place] = len(told)
        sorter.done(place)
    return [clocked[place] for place in told]


def _question(one: Summary, questions: dict[bytes, int]) -> int | None:
    return None if one.in_reply_to is None else questions.get(one.in_reply_to)


def _by_clock(one: Summary) -> tuple[int, bytes, int]:
    return one.sent_at, one.message_id, one.receiver
