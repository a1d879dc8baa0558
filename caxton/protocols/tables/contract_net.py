"""Several are asked for proposals, and some of these are accepted: contract net, once or in rounds."""

from caxton.acl.performative import Performative as Act
from caxton.protocols.machine import BID_MS, Answers, Machine, Role, Row, Rule, State

INITIATOR, PARTICIPANT = Role.INITIATOR, Role.PARTICIPANT

_STATES = (
    State("called", "the participant may propose", PARTICIPANT, "no-proposal", BID_MS, collects=True),
    State("proposed", "the initiator has the proposal, and decides", INITIATOR, "undecided"),
    State("accepted", "the participant does what it has proposed", PARTICIPANT),
    State("no-proposal", "the participant proposed nothing in time", kind="completed"),
    State("refused", "the participant will not propose", kind="completed"),
    State("undecided", "the initiator never decided", kind="failed"),
    State("rejected", "the initiator does not want the proposal", kind="completed"),
    State("failed", "the participant was accepted, and failed", kind="failed"),
    State("done", "the participant was accepted, and has done it", kind="completed"),
)
_ROWS = (
    Row(("start",), INITIATOR, (Act.CFP,), "called", asks=True),
    Row(("called",), PARTICIPANT, (Act.REFUSE,), "refused", Answers.ASKED),
    Row(("called",), PARTICIPANT, (Act.PROPOSE,), "proposed", Answers.ASKED, asks=True),
    Row(("proposed",), INITIATOR, (Act.REJECT_PROPOSAL,), "rejected", Answers.ASKED),
    Row(("proposed",), INITIATOR, (Act.ACCEPT_PROPOSAL,), "accepted", Answers.ASKED, asks=True, rule=Rule.ALL_ANSWERED),
    Row(("accepted",), PARTICIPANT, (Act.INFORM,), "done", Answers.ASKED),
    Row(("accepted",), PARTICIPANT, (Act.FAILURE,), "failed", Answers.ASKED),
)

CONTRACT_NET = Machine(
    6,
    "fipa-contract-net",
    "SC00029",
    "Contract net",
    "who has a task to give",
    "who may propose to do it",
    _STATES,
    _ROWS,
)

ITERATED_CONTRACT_NET = Machine(
    7,
    "fipa-iterated-contract-net",
    "SC00030",
    "Iterated contract net",
    "who has a task to give, and asks again for better proposals",
    "who may propose to do it",
    _STATES,
    (*_ROWS, Row(("proposed",), INITIATOR, (Act.CFP,), "called", Answers.ASKED, asks=True, next_round=True)),
)
