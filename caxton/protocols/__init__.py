"""FIPA's interaction protocols: machines that are tables, one checker that walks them, and what it says of a misfit.

One line is what one agent and one other party say in one conversation, as that agent sees it. `step` takes a line's
`Position` and a message to a `Step` or a `Violation`; `expire` and `returned` tell it of deadlines and of messages that
came to nothing. All of it is pure. docs/protocols.md draws the tables.
"""

from caxton.protocols.asides import cancelled_for
from caxton.protocols.checker import expire, returned, step
from caxton.protocols.correlation import ids_of, names
from caxton.protocols.known import BY_NAME, BY_NUMBER, MACHINES, is_checked, is_runtimes, machine_of
from caxton.protocols.machine import MAX_ROUNDS, Answers, Machine, Role, Row, Rule, State
from caxton.protocols.position import SOUGHT, Joint, Position, Step
from caxton.protocols.standing import Standing, of_conversation, of_line, standing
from caxton.protocols.violation import Violation, Wrong, violation

__all__ = [
    "BY_NAME",
    "BY_NUMBER",
    "MACHINES",
    "MAX_ROUNDS",
    "SOUGHT",
    "Answers",
    "Joint",
    "Machine",
    "Position",
    "Role",
    "Row",
    "Rule",
    "Standing",
    "State",
    "Step",
    "Violation",
    "Wrong",
    "cancelled_for",
    "expire",
    "ids_of",
    "is_checked",
    "is_runtimes",
    "machine_of",
    "names",
    "of_conversation",
    "of_line",
    "returned",
    "standing",
    "step",
    "violation",
]
