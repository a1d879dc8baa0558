"""What an initiator's lines have in common: the rules that look beyond one line, and what each step changes in it."""

from caxton.protocols.machine import Machine, Role, Row, Rule
from caxton.protocols.position import NOTHING_JOINT, Joint, Position
from caxton.protocols.violation import Wrong


def broken(rule: Rule, joint: Joint | None, rounds: int, now_ms: int) -> Wrong | None:
    """Return in which way the initiator's other lines forbid it, or None."""
    so_far = joint or NOTHING_JOINT
    if rule is Rule.ALL_ANSWERED:
        return Wrong.NOT_ALL_ANSWERED if so_far.waiting and now_ms < so_far.until_ms else None
    if rule is Rule.RECRUITED:
        return None if so_far.recruits else Wrong.STRANGER
    chosen = so_far.awarded if rule is Rule.ONE else so_far.chosen_round >= rounds
    return Wrong.ALREADY_CHOSEN if chosen else None


def joined(
    machine: Machine,
    joint: Joint | None,
    position: Position,
    place: int,
    deadline_ms: int,
    row: Row | None = None,
    rounds: int = 0,
) -> Joint | None:
    """Return what an initiator's lines come to when one of them goes from its position to the state at `place`.

    joint: what they came to, None for nothing so far. row: what was said, None for a deadline and the like.
    """
    if not machine.is_joint or position.role != Role.INITIATOR:
        return joint
    so_far = joint or NOTHING_JOINT
    collected = position.state >= 0 and machine.states[position.state].collects
    waiting = max(0, so_far.waiting - collected)
    until_ms = so_far.until_ms if waiting else 0
    if machine.states[place].collects:
        waiting, until_ms = waiting + 1, max(until_ms, deadline_ms)
    chosen_round, awarded, recruits = so_far.chosen_round, so_far.awarded, so_far.recruits
    if row is not None:
        chosen_round = rounds if row.rule is Rule.ONE_A_ROUND else chosen_round
        awarded = awarded or row.rule is Rule.ONE
        recruits = recruits or row.recruits
    return Joint(waiting, until_ms, chosen_round, awarded, recruits)
