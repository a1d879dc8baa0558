"""What an auctioneer decides: prices, bids, the end, and who has it."""

from decimal import Decimal

import pytest

from caxton.acl.envelope import Envelope
from caxton.acl.message import Message
from caxton.acl.performative import Performative
from caxton.client.interactions import auction as rules
from caxton.client.interactions.auction import AuctionRound, checked_terms
from caxton.errors import AgentNotFound, Timeout, ValidationError
from caxton.ids import AgentId, ConversationId

CONVERSATION = ConversationId(bytes(16))
ANNA, BERT, CARL = (AgentId(number) for number in (1, 2, 3))


def said(sender, performative=Performative.PROPOSE):
    return Message.of(Envelope(bytes([sender]) * 16, int(performative), sender, 1 << 63, b""))


def test_prices():
    """English ones rise, 99 at most; Dutch ones fall to the reserve, or to 0."""
    assert checked_terms("english", 5, 2, None).prices[:3] == [5, 7, 9]
    assert len(checked_terms("english", 5, 2, 6).prices) == rules.MOST_PRICES == 99
    assert checked_terms("dutch", 5, 2, None).prices == [5, 3, 1]
    assert checked_terms("dutch", Decimal("5.5"), Decimal("0.5"), 5).prices == [Decimal("5.5"), Decimal("5.0")]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("scottish", 1, 1, None), "not one of english, dutch"),
        (("english", 1.5, 1, None), "neither an int nor a Decimal"),
        (("english", True, 1, None), "neither an int nor a Decimal"),
        (("english", Decimal("nan"), 1, None), "no price"),
        (("english", -1, 1, None), "not a price"),
        (("english", 10**15 + 1, 1, None), "not a price"),
        (("english", 1, 0, None), "leads from no price"),
        (("dutch", 4, 1, 5), "below the reserve"),
    ],
)
def test_terms_that_are_none(given, says):
    """They are refused by the name of what is wrong."""
    with pytest.raises(ValidationError, match=says):
        checked_terms(*given)


def test_bids_are_told_from_all_else():
    """A propose is a bid, silence is a pass, and whatever else is said puts its bidder out."""
    bid, odd, gone = said(1), said(3, Performative.NOT_UNDERSTOOD), AgentNotFound("x")
    asked = [ANNA, BERT, CARL, AgentId(4)]
    assert rules.sorted_bids(asked, [bid, Timeout("x", 1.0), odd, gone]) == ([bid], {CARL: odd, AgentId(4): gone})


def test_the_end():
    """An English auction ends where nobody bids, a Dutch one where somebody does, and either with nobody to ask."""
    english, dutch = checked_terms("english", 1, 1, None), checked_terms("dutch", 1, 1, None)
    bids, called = [said(1)], [ANNA]
    assert [rules.is_over(english, each, called) for each in (bids, [])] == [False, True]
    assert [rules.is_over(dutch, each, called) for each in (bids, [])] == [True, False]
    assert [rules.is_over(terms, [], []) for terms in (english, dutch)] == [True, True]


@pytest.mark.parametrize(
    ("reserve", "rounds", "expected"),
    [
        (None, [], ("no_bidders", None, None, ())),
        (None, [AuctionRound(5, ())], ("no_bidders", None, None, ())),
        (7, [AuctionRound(6, (ANNA,)), AuctionRound(7, ())], ("not_sold", None, None, ())),
        (6, [AuctionRound(5, (BERT,)), AuctionRound(6, (ANNA,)), AuctionRound(7, ())], ("sold", ANNA, 6, ())),
        (None, [AuctionRound(5, (BERT, ANNA)), AuctionRound(6, ())], ("sold_after_tie", BERT, 5, (BERT, ANNA))),
    ],
)
def test_who_has_it(reserve, rounds, expected):
    """The first of those who bid the last price that anybody bid, unless it is below the reserve."""
    result = rules.concluded(checked_terms("english", 5, 1, reserve), CONVERSATION, rounds, {})
    assert (result.outcome, result.winner, result.price, tuple(result.tied)) == expected
