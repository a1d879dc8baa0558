"""One asks another to find others: a broker passes on what they answer, a recruiter lets them answer themselves."""

from caxton.acl.performative import Performative as Act
from caxton.protocols.machine import Answers, Machine, Role, Row, Rule, State

INITIATOR, PARTICIPANT = Role.INITIATOR, Role.PARTICIPANT
# What those who were found may say, in whichever protocol they were spoken to.
_REPLIES = (
    Act.INFORM,
    Act.CONFIRM,
    Act.DISCONFIRM,
    Act.AGREE,
    Act.REFUSE,
    Act.PROPOSE,
    Act.ACCEPT_PROPOSAL,
    Act.REJECT_PROPOSAL,
)

_ASKED = State("asked", "the participant has been asked and has said nothing yet", awaits=PARTICIPANT)
_AGREED = State("agreed", "the participant has agreed, and looks for others", awaits=PARTICIPANT)
_REFUSED = State("refused", "the participant will not look for others", kind="completed")
_FAILED = State("failed", "nobody was found, or what was found could not be reached", kind="failed")

BROKERING = Machine(
    10,
    "fipa-brokering",
    "SC00033",
    "Brokering",
    "who wants others to be found and spoken to",
    "the broker, who finds them, speaks to them and passes on what they answer",
    (
        _ASKED,
        _AGREED,
        State("passed-on", "the broker has spoken to those it found", awaits=PARTICIPANT, keeps_deadline=True),
        State("answering", "answers come, by the broker", PARTICIPANT, "answered", keeps_deadline=True),
        _REFUSED,
        _FAILED,
        State("answered", "the time for answers is over, and there were some", kind="completed"),
    ),
    (
        Row(("start",), INITIATOR, (Act.PROXY,), "asked", asks=True),
        Row(("asked",), PARTICIPANT, (Act.REFUSE,), "refused", Answers.OPENING),
        Row(("asked",), PARTICIPANT, (Act.AGREE,), "agreed", Answers.OPENING),
        Row(("asked", "agreed"), PARTICIPANT, (Act.INFORM,), "passed-on", Answers.OPENING),
        Row(("passed-on", "answering"), PARTICIPANT, _REPLIES, "answering", Answers.OPENING),
        Row(("asked", "agreed", "passed-on", "answering"), PARTICIPANT, (Act.FAILURE,), "failed", Answers.OPENING),
    ),
)

RECRUITING = Machine(
    11,
    "fipa-recruiting",
    "SC00034",
    "Recruiting",
    "who wants others to be found, who then speak to it",
    "the recruiter, who finds them; then each of these, with a line of its own",
    (
        _ASKED,
        _AGREED,
        State("answering", "one who was found speaks for itself", PARTICIPANT, "answered"),
        _REFUSED,
        _FAILED,
        State("answered", "one who was found has said what it had to say", kind="completed"),
        State("recruited", "the recruiter has spoken to those it found", kind="completed"),
    ),
    (
        Row(("start",), INITIATOR, (Act.PROXY,), "asked", asks=True, recruits=True),
        Row(("asked",), PARTICIPANT, (Act.REFUSE,), "refused", Answers.OPENING),
        Row(("asked",), PARTICIPANT, (Act.AGREE,), "agreed", Answers.OPENING),
        Row(("asked", "agreed"), PARTICIPANT, (Act.INFORM,), "recruited", Answers.OPENING),
        Row(("asked", "agreed"), PARTICIPANT, (Act.FAILURE,), "failed", Answers.OPENING),
        Row(("start",), PARTICIPANT, _REPLIES, "answering", Answers.ANYTHING, rule=Rule.RECRUITED),
        Row(("answering",), PARTICIPANT, _REPLIES, "answering", Answers.ANYTHING),
        Row(("start",), PARTICIPANT, (Act.FAILURE,), "failed", Answers.ANYTHING, rule=Rule.RECRUITED),
        Row(("answering",), PARTICIPANT, (Act.FAILURE,), "failed", Answers.ANYTHING),
    ),
)
