"""Prices are called until somebody has it: English auctions, where they rise, and Dutch ones, where they fall."""

from caxton.acl.performative import Performative as Act
from caxton.protocols.machine import BID_MS, Answers, Machine, Role, Row, Rule, State

INITIATOR, PARTICIPANT = Role.INITIATOR, Role.PARTICIPANT

_ANNOUNCED = State("announced", "the participant knows of the auction; no price was called yet", INITIATOR, "abandoned")
_CALLED = State("called", "the participant may bid the price that was called", PARTICIPANT, "passed", BID_MS)
_PASSED = State("passed", "the time to bid the price is over, and the participant did not", INITIATOR, "abandoned")
_BID = State("bid", "the initiator has the bid, and says whether it leads", INITIATOR, "abandoned")
_ABANDONED = State("abandoned", "the initiator said no more", kind="failed")
_LOST = State("lost", "the auction is over; somebody else has it, or nobody", kind="completed")

ENGLISH_AUCTION = Machine(
    8,
    "fipa-auction-english",
    "XC00031",
    "English auction",
    "the auctioneer, who calls rising prices",
    "a bidder",
    (
        _ANNOUNCED,
        _CALLED,
        State(
            "called-leading", "a higher price was called while it led; it may bid again", PARTICIPANT, "leading", BID_MS
        ),
        _PASSED,
        _BID,
        State("outbid", "its bid was rejected: somebody else leads", INITIATOR, "abandoned"),
        State("leading", "its bid was accepted: it leads", INITIATOR, "abandoned"),
        State(
            "closed",
            "the auction is over, and it may have won: the winner is asked for what it bid",
            INITIATOR,
            "ended",
        ),
        _ABANDONED,
        _LOST,
        State("ended", "the auction is over, and nobody asked it for what it bid", kind="completed"),
        State("won", "it has it, and is asked for what it bid", kind="completed"),
    ),
    (
        Row(("start",), INITIATOR, (Act.INFORM,), "announced"),
        Row(("announced", "called", "passed", "outbid"), INITIATOR, (Act.CFP,), "called", asks=True, next_round=True),
        Row(("leading", "called-leading"), INITIATOR, (Act.CFP,), "called-leading", asks=True, next_round=True),
        Row(("bid",), INITIATOR, (Act.CFP,), "called", asks=True, next_round=True, crossing=True),
        Row(("called", "called-leading"), PARTICIPANT, (Act.PROPOSE,), "bid", Answers.ASKED, asks=True),
        Row(("bid",), INITIATOR, (Act.REJECT_PROPOSAL,), "outbid", Answers.ASKED),
        Row(("bid",), INITIATOR, (Act.ACCEPT_PROPOSAL,), "leading", Answers.ASKED, rule=Rule.ONE_A_ROUND),
        Row(("announced", "called", "passed", "outbid"), INITIATOR, (Act.INFORM,), "lost"),
        Row(("bid",), INITIATOR, (Act.INFORM,), "lost", crossing=True),
        Row(("leading", "called-leading"), INITIATOR, (Act.INFORM,), "closed"),
        Row(("closed",), INITIATOR, (Act.REQUEST,), "won", rule=Rule.ONE),
    ),
)

DUTCH_AUCTION = Machine(
    9,
    "fipa-auction-dutch",
    "XC00032",
    "Dutch auction",
    "the auctioneer, who calls falling prices",
    "a bidder",
    (
        _ANNOUNCED,
        _CALLED,
        _PASSED,
        _BID,
        State("outbid", "its bid was rejected: somebody else was first", INITIATOR, "abandoned"),
        _ABANDONED,
        _LOST,
        State("won", "its bid was accepted: it has it", kind="completed"),
    ),
    (
        Row(("start",), INITIATOR, (Act.INFORM,), "announced"),
        Row(("announced", "called", "passed", "outbid"), INITIATOR, (Act.CFP,), "called", asks=True, next_round=True),
        Row(("bid",), INITIATOR, (Act.CFP,), "called", asks=True, next_round=True, crossing=True),
        Row(("called",), PARTICIPANT, (Act.PROPOSE,), "bid", Answers.ASKED, asks=True),
        Row(("bid",), INITIATOR, (Act.REJECT_PROPOSAL,), "outbid", Answers.ASKED),
        Row(("bid",), INITIATOR, (Act.ACCEPT_PROPOSAL,), "won", Answers.ASKED, rule=Rule.ONE_A_ROUND),
        Row(("announced", "called", "passed", "outbid"), INITIATOR, (Act.INFORM,), "lost"),
        Row(("bid",), INITIATOR, (Act.INFORM,), "lost", crossing=True),
    ),
)
