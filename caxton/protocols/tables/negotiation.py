"""Two bargain: a proposal, and counter-proposals in turn, until one accepts or rejects what the other proposed last."""

from caxton.acl.performative import Performative as Act
from caxton.protocols.machine import Answers, Machine, Role, Row, State

INITIATOR, PARTICIPANT = Role.INITIATOR, Role.PARTICIPANT

NEGOTIATION = Machine(
    12,
    "caxton:negotiation",
    "ours",
    "Negotiation",
    "who proposes first",
    "who accepts, rejects, or proposes something else",
    (
        State("offered", "the participant has the initiator's latest proposal", awaits=PARTICIPANT),
        State("countered", "the initiator has the participant's latest proposal", awaits=INITIATOR),
        State("rejected", "one of the two has ended it", kind="completed"),
        State("agreed", "one of the two has accepted what the other proposed last", kind="completed"),
    ),
    (
        Row(("start",), INITIATOR, (Act.PROPOSE,), "offered", asks=True),
        Row(("offered",), PARTICIPANT, (Act.PROPOSE,), "countered", Answers.ASKED, asks=True, next_round=True),
        Row(("countered",), INITIATOR, (Act.PROPOSE,), "offered", Answers.ASKED, asks=True, next_round=True),
        Row(("offered",), PARTICIPANT, (Act.ACCEPT_PROPOSAL,), "agreed", Answers.ASKED),
        Row(("countered",), INITIATOR, (Act.ACCEPT_PROPOSAL,), "agreed", Answers.ASKED),
        Row(("offered",), PARTICIPANT, (Act.REJECT_PROPOSAL,), "rejected", Answers.ASKED),
        Row(("countered",), INITIATOR, (Act.REJECT_PROPOSAL,), "rejected", Answers.ASKED),
    ),
    max_rounds=50,
)
