"""One asks, the other answers: request, query, request-when, propose, subscribe."""

from caxton.acl.performative import Performative as Act
from caxton.protocols.machine import Answers, Machine, Role, Row, State

INITIATOR, PARTICIPANT = Role.INITIATOR, Role.PARTICIPANT
_ASKED = State("asked", "the participant has been asked and has said nothing yet", awaits=PARTICIPANT)
_AGREED = State("agreed", "the participant has agreed to do it", awaits=PARTICIPANT)
_REFUSED = State("refused", "the participant will not do it", kind="completed")
_FAILED = State("failed", "the participant agreed, or tried, and failed", kind="failed")
_DONE = State("done", "the participant has done it, or has given its answer", kind="completed")


def _answered(*acts: Act) -> tuple[Row, ...]:
    """Return the rows of a question: refuse or agree, then failure or inform. Who is quick need not agree first."""
    return (
        Row(("start",), INITIATOR, acts, "asked", asks=True),
        Row(("asked",), PARTICIPANT, (Act.REFUSE,), "refused", Answers.OPENING),
        Row(("asked",), PARTICIPANT, (Act.AGREE,), "agreed", Answers.OPENING),
        Row(("asked", "agreed"), PARTICIPANT, (Act.INFORM,), "done", Answers.OPENING),
        Row(("asked", "agreed"), PARTICIPANT, (Act.FAILURE,), "failed", Answers.OPENING),
    )


REQUEST = Machine(
    1,
    "fipa-request",
    "SC00026",
    "Request",
    "who wants something done",
    "who does it",
    (_ASKED, _AGREED, _REFUSED, _FAILED, _DONE),
    _answered(Act.REQUEST),
)

QUERY = Machine(
    2,
    "fipa-query",
    "SC00027",
    "Query",
    "who wants to know whether something is so (query-if), or what is so (query-ref)",
    "who knows it",
    (_ASKED, _AGREED, _REFUSED, _FAILED, _DONE),
    _answered(Act.QUERY_IF, Act.QUERY_REF),
)

REQUEST_WHEN = Machine(
    3,
    "fipa-request-when",
    "SC00028",
    "Request when",
    "who wants something done as soon as something else is so",
    "who waits for that, and does it",
    (_ASKED, _AGREED, _REFUSED, _FAILED, _DONE),
    (
        Row(("start",), INITIATOR, (Act.REQUEST_WHEN,), "asked", asks=True),
        Row(("asked",), PARTICIPANT, (Act.REFUSE,), "refused", Answers.OPENING),
        Row(("asked",), PARTICIPANT, (Act.AGREE,), "agreed", Answers.OPENING),
        Row(("agreed",), PARTICIPANT, (Act.INFORM,), "done", Answers.OPENING),
        Row(("agreed",), PARTICIPANT, (Act.FAILURE,), "failed", Answers.OPENING),
    ),
)

PROPOSE = Machine(
    4,
    "fipa-propose",
    "SC00036",
    "Propose",
    "who offers to do something",
    "who wants it done, or not",
    (
        State("proposed", "the participant has the offer and has said nothing yet", awaits=PARTICIPANT),
        State("rejected", "the participant does not want it", kind="completed"),
        State("accepted", "the participant wants it", kind="completed"),
    ),
    (
        Row(("start",), INITIATOR, (Act.PROPOSE,), "proposed", asks=True),
        Row(("proposed",), PARTICIPANT, (Act.REJECT_PROPOSAL,), "rejected", Answers.OPENING),
        Row(("proposed",), PARTICIPANT, (Act.ACCEPT_PROPOSAL,), "accepted", Answers.OPENING),
    ),
)

SUBSCRIBE = Machine(
    5,
    "fipa-subscribe",
    "SC00035",
    "Subscribe",
    "who wants to know of something, and of each change of it",
    "who tells it",
    (
        _ASKED,
        State(
            "subscribed", "the participant tells what it has to tell, until the initiator cancels", awaits=PARTICIPANT
        ),
        _REFUSED,
        _FAILED,
    ),
    (
        Row(("start",), INITIATOR, (Act.SUBSCRIBE,), "asked", asks=True),
        Row(("asked",), PARTICIPANT, (Act.REFUSE,), "refused", Answers.OPENING),
        Row(("asked",), PARTICIPANT, (Act.AGREE,), "subscribed", Answers.OPENING),
        Row(("asked", "subscribed"), PARTICIPANT, (Act.INFORM,), "subscribed", Answers.OPENING),
        Row(("asked", "subscribed"), PARTICIPANT, (Act.FAILURE,), "failed", Answers.OPENING),
    ),
)
