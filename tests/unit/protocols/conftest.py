"""Two parties at the ends of a line, each with its own view of it."""

import pytest

from caxton.acl.envelope import Envelope, Rare
from caxton.acl.performative import Performative
from caxton.protocols import Step, Violation, expire, standing, step

NOW = 1_800_000_000_000
ENDS = {"i": 0, "p": 1}


def _message(act, number, reply_with=None, in_reply_to=None, reply_by=None):
    """A message as its sender's shard has it."""
    rare = None if reply_by is None else Rare(reply_by=reply_by)
    act = Performative(act)
    return Envelope(number.to_bytes(16), int(act), 1, 2, b"", reply_with, in_reply_to, rare=rare)


class Line:
    """A line on which nothing is under way: what one says, both see at once, and they see the same."""

    def __init__(self, machine, now_ms=NOW):
        self.machine, self.now_ms = machine, now_ms
        self.views = [None, None]
        self.joint = None
        self.said = []

    def say(self, who, act, **given):
        """Let `who`, "i" or "p", say something; returns the violation, or None when both views have it."""
        speaker = ENDS[who]
        said = _message(act, len(self.said) + 1, **given)
        steps = [
            step(self.machine, self.views[end], said, self.now_ms, None if end else self.joint, sent=end == speaker)
            for end in (0, 1)
        ]
        for found in steps:
            if isinstance(found, Violation):
                return found
        assert all(isinstance(found, Step) for found in steps)
        assert steps[1].joint is None, "only an initiator has other lines"
        self.joint, self.views = steps[0].joint, [found.position for found in steps]
        self.said.append(said)
        self.answers = steps[0].answers
        mine, theirs = self.views
        assert (mine.role, theirs.role) == (0, 1)
        assert (mine.state, mine.deadline_ms, mine.rounds) == (theirs.state, theirs.deadline_ms, theirs.rounds)
        return None

    def wait(self, ms):
        """Let time pass."""
        self.now_ms += ms
        for end, view in enumerate(self.views):
            found = expire(self.machine, view, self.now_ms, None if end else self.joint)
            self.views[end] = found.position
            if not end:
                self.joint = found.joint

    @property
    def state(self):
        """Where it stands."""
        return standing(self.views[0]).state

    @property
    def kind(self):
        """How it ended; None while it goes on."""
        return standing(self.views[0]).kind


@pytest.fixture
def message():
    """Makes messages: act and number are given."""
    return _message


@pytest.fixture
def line():
    """Makes lines: the machine is given."""
    return Line


@pytest.fixture
def path():
    """Makes a line on which something was said, with time between: "i request, 30 s, p agree"."""

    def walked(machine, words):
        one = Line(machine)
        for word in filter(None, words.split(", ")):
            if word == "30 s":
                one.wait(30_000)
                continue
            who, act = word.split()
            wrong = one.say(who, act)
            assert wrong is None, f"{word} of {words}: {wrong}"
        return one

    return walked
