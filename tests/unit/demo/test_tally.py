"""When every word was counted."""

import pytest

from caxton.demo.tally import Tally
from caxton.errors import InvalidMessageFormat


@pytest.mark.parametrize(
    ("tally", "texts", "complete"),
    [
        (Tally(), 0, True),
        (Tally(3, 2, 10, 10), 2, True),
        (Tally(3, 2, 10, 9), 2, False),
        (Tally(3, 1, 10, 10), 2, False),
        (Tally(3, 1, 10, 12), 2, False),
    ],
    ids=["nothing sent", "all counted", "a word is missing", "a text is missing", "words of a text under way"],
)
def test_is_complete_when_every_word_of_every_text_is_counted(tally, texts, complete):
    """It is complete when the splitters came to the end of every text and the counters counted what they sent."""
    assert tally.complete(texts) is complete


@pytest.mark.parametrize("tally", [Tally(3, 3, 10, 10), Tally(3, 2, 10, 11)], ids=["a text", "a word"])
def test_counting_twice_is_an_error(tally):
    """More texts than were sent, or more words than the splitters sent, are no result."""
    with pytest.raises(InvalidMessageFormat):
        tally.complete(2)
