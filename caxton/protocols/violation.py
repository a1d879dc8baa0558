"""What a message gets that does not fit: what was wrong with it, and what would have fitted."""

from dataclasses import dataclass
from enum import StrEnum

from caxton.acl.performative import ACTS
from caxton.errors import ProtocolViolation
from caxton.protocols.machine import START, Machine, Role


class Wrong(StrEnum):
    """In which way a message does not fit."""

    OUT_OF_TURN = "it is not the turn for it"
    ENDED = "this part of the conversation has ended"
    LATE = "its deadline has passed"
    UNKNOWN_REPLY = "its in_reply_to names nothing that it could answer"
    REPEATED = "it was said before"
    OTHER_PROTOCOL = "this part of the conversation follows another protocol"
    ROUNDS = "there were as many rounds as there may be"
    NOT_ALL_ANSWERED = "others still have time to answer"
    ALREADY_CHOSEN = "somebody else was chosen"
    STRANGER = "whoever says it was never asked"


@dataclass(frozen=True, slots=True)
class Violation:
    """A message that does not fit its protocol. The line stays as it was.

    role: of the agent whose view it is. state: its name, "start" before anything was said.
    """

    protocol: str
    role: str
    state: str
    performative: str
    expected: str
    wrong: Wrong

    def error(self) -> ProtocolViolation:
        """Return the error that says so."""
        return ProtocolViolation(
            self.protocol, self.role, self.state, self.performative, self.expected, str(self.wrong)
        )


def violation(machine: Machine, role: Role, place: int, performative: int, wrong: Wrong) -> Violation:
    """Describe a message that does not fit in the state at `place`, -1 for the start."""
    name = START if place < 0 else machine.states[place].name
    return Violation(machine.name, str(role), name, ACTS[performative], expected(machine, place), wrong)


def expected(machine: Machine, place: int) -> str:
    """Say what fits in a state, such as "agree or refuse from the participant, or cancel from the initiator"."""
    if place >= 0 and machine.states[place].kind is not None:
        return "nothing more"
    says = [f"{_either([act.act for act in acts])} from the {role}" for role, acts in machine.expected(place).items()]
    if place >= 0:
        says.append(f"cancel from the {Role.INITIATOR}")
    return ", or ".join(says)


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
