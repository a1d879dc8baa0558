"""Parties that say anything, joined by wires that delay, lose and repeat, with hostile words on them."""

import re

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from caxton.acl.envelope import Envelope, Rare
from caxton.acl.performative import ACTS, Performative
from caxton.protocols import BY_NAME, Violation, expire, ids_of, returned, step
from caxton.protocols.machine import MAX_ANSWER_MS

# What may be said on a line, written down once more and otherwise: what the initiator says is in capitals.
LANGUAGES = {
    "fipa-request": "Q(r|a?[if]?)",
    "fipa-query": "Y(r|a?[if]?)",
    "fipa-request-when": "W(r|a[if]?)?",
    "fipa-propose": "P[yn]?",
    "fipa-subscribe": "S(r|f|a?i*f?)",
    "fipa-contract-net": "C(r|p(N|Z[if]?)?)?",
    "fipa-iterated-contract-net": "C(pC)*(r|p(N|Z[if]?)?)?",
    "fipa-auction-english": "I(C(p[ZN]?)?)*(IQ?)?",
    "fipa-auction-dutch": "I(C(pN?)?)*(I|CpZ)?",
    "fipa-brokering": "B(r|a?f?|a?i[idkarpyn]*f?)",
    "fipa-recruiting": "B(r|a?[if]?)",
    "caxton:negotiation": "P(pP)*([yn]|p[ZN]?)?",
}
LETTERS = {
    "request": "q",
    "query-if": "y",
    "query-ref": "y",
    "request-when": "w",
    "propose": "p",
    "subscribe": "s",
    "cfp": "c",
    "inform": "i",
    "proxy": "b",
    "refuse": "r",
    "agree": "a",
    "failure": "f",
    "accept-proposal": "y",
    "reject-proposal": "n",
    "confirm": "k",
    "disconfirm": "d",
}
CANCEL, NOT_UNDERSTOOD = int(Performative.CANCEL), int(Performative.NOT_UNDERSTOOD)
ANSWERED = {int(Performative.INFORM), int(Performative.FAILURE)}
WHO = st.sampled_from([(0, True), (0, False), (1, True), (1, False), (2, True), (2, False)])


class View:
    """One end of a line: what its shard knows, and what a reader of all that was taken for legal would know."""

    def __init__(self):
        self.position, self.deadline_ms = None, 0
        self.taken, self.cancels, self.text, self.is_closed = [], set(), "", False

    def take(self, message, by_initiator):
        self.taken.append((message, by_initiator))
        if message.performative == CANCEL:
            self.cancels |= {message.message_id, message.reply_with}
        elif message.performative == NOT_UNDERSTOOD:
            self.is_closed = True
        elif message.performative in ANSWERED and not by_initiator and message.in_reply_to in self.cancels:
            self.is_closed |= message.performative == Performative.INFORM
        else:
            assert not self.is_closed, "after a line was cancelled, or not understood, nothing is legal"
            letter = LETTERS[ACTS[message.performative]]
            if by_initiator:
                letter = "Z" if message.performative == Performative.ACCEPT_PROPOSAL else letter.upper()
            self.text += letter


class Wires(RuleBasedStateMachine):
    """An initiator with three participants; every message passes the shards of both."""

    @initialize(name=st.sampled_from(sorted(LANGUAGES)))
    def begin(self, name):
        self.machine, self.name = BY_NAME[name], name
        self.now_ms, self.count, self.joint = 1_800_000_000_000, 0, None
        self.views = [(View(), View()) for _ in range(3)]
        self.wires = {(line, to): [] for line in range(3) for to in (0, 1)}

    def see(self, line, end, message, *, sent):
        """One shard checks a message; returns whether it took it for legal."""
        view = self.views[line][end]
        joint = None if end else self.joint
        found = step(self.machine, view.position, message, self.now_ms, joint, sent=sent)
        if isinstance(found, Violation):
            assert found.expected
            return False
        by_initiator = (end == 0) == sent
        if not end:
            self.check_joint(line, message, by_initiator)
            self.joint = found.joint
        if message.in_reply_to is None:
            message.in_reply_to = found.answers
        view.position = found.position
        view.take(message, by_initiator)
        return True

    def check_joint(self, line, message, by_initiator):
        """Nobody is awarded a contract while others may still propose: by what the initiator itself has seen."""
        is_award = by_initiator and message.performative == Performative.ACCEPT_PROPOSAL
        if not is_award or "contract-net" not in self.name:
            return
        for other, (view, _) in enumerate(self.views):
            if other != line and view.text.endswith("C") and not view.is_closed:
                assert view.position.deadline_ms <= self.now_ms, f"{other} may still propose"

    @rule(
        who=WHO,
        nth=st.integers(0, 8),
        act=st.sampled_from(sorted(Performative)),
        names=st.sampled_from(["nothing", "nothing", "the other's last", "its own", "nobody's"]),
        reply_by=st.none() | st.integers(-1_000, 60_000),
        has_reply_with=st.booleans(),
        checked=st.sampled_from([True, True, True, False]),
    )
    def say(self, who, nth, act, names, reply_by, has_reply_with, checked):
        """Often what fits, else anything. Unchecked is what comes from a client: it has no shard of its own."""
        line, is_initiator = who
        end = 0 if is_initiator else 1
        view = self.views[line][end]
        fits = self.machine.expected(-1 if view.position is None else view.position.state)
        fitting = [*fits.get(end, ()), Performative.CANCEL, Performative.NOT_UNDERSTOOD]
        self.count += 1
        said = [m for m, by_initiator in view.taken if by_initiator == (names == "its own") ^ (end == 1)]
        named = {"nothing": None, "nobody's": bytes(15) + b"\xff"}.get(names, said[-1].message_id if said else None)
        message = Envelope(
            self.count.to_bytes(16),
            int(fitting[nth] if nth < len(fitting) else act),
            1,
            2,
            b"",
            (self.count + 10_000).to_bytes(16) if has_reply_with else None,
            named,
            rare=None if reply_by is None else Rare(reply_by=self.now_ms + reply_by),
        )
        # Whoever speaks first in recruiting may be one who was found: not here, where both roles are given.
        may_open = is_initiator and (self.name != "fipa-recruiting" or message.performative == Performative.PROXY)
        if (may_open or view.position is not None) and (not checked or self.see(line, end, message, sent=True)):
            self.wires[line, 1 - end].append(message)

    @rule(who=WHO, nth=st.integers(0, 3))
    def talk(self, who, nth):
        """One says what fits, and the other has it at once if nothing is before it on the wire."""
        self.say(who, nth, Performative.INFORM, "nothing", None, True, True)
        self.deliver((who[0], not who[1]), 1)

    @rule(who=WHO, times=st.integers(1, 3))
    def deliver(self, who, times):
        line, to_initiator = who
        end = 0 if to_initiator else 1
        wire = self.wires[line, end]
        for _ in range(min(times, len(wire))):
            arrived = wire.pop(0)
            view = self.views[line][end]
            if isinstance(arrived, bytes):
                if view.position is not None:
                    found = returned(self.machine, view.position, arrived, None if end else self.joint)
                    view.position = found.position
                    self.joint = self.joint if end else found.joint
            elif view.position is None and to_initiator:
                pass  # whom nobody asked is no participant
            elif not self.see(line, end, arrived, sent=False):
                self.wires[line, 1 - end].append(ids_of(arrived)[:16])

    @rule(who=WHO)
    def lose(self, who):
        del self.wires[who[0], int(who[1])][:1]

    @rule(who=WHO)
    def repeat(self, who):
        wire = self.wires[who[0], int(who[1])]
        wire[:0] = wire[:1]

    @rule(ms=st.sampled_from([1, 900, 29_000, 30_000, 1_000_000, MAX_ANSWER_MS]))
    def wait(self, ms):
        self.now_ms += ms

    @rule(who=WHO)
    def keep_deadlines(self, who):
        self.expire(who[0], int(who[1]))

    def expire(self, line, end):
        view = self.views[line][end]
        if view.position is not None:
            found = expire(self.machine, view.position, self.now_ms, None if end else self.joint)
            view.position = found.position
            self.joint = self.joint if end else found.joint

    @invariant()
    def nothing_illegal_was_taken_for_legal(self):
        for line in getattr(self, "views", ()):
            for view in line:
                assert not view.text or re.fullmatch(LANGUAGES[self.name], view.text), view.text

    @invariant()
    def whoever_is_waited_for_is_counted(self):
        if getattr(self, "joint", None) is not None:
            collects = [self.machine.states[view.position.state].collects for view, _ in self.views if view.position]
            assert self.joint.waiting == sum(collects)

    def teardown(self):
        """Every line ends, given time."""
        for _ in range(5):
            self.now_ms = getattr(self, "now_ms", 0) + MAX_ANSWER_MS
            for line in range(len(getattr(self, "views", ()))):
                self.expire(line, 0)
                self.expire(line, 1)
        for line in getattr(self, "views", ()):
            for view in line:
                assert view.position is None or not view.position.deadline_ms


TestWires = Wires.TestCase
TestWires.settings = settings(max_examples=settings().max_examples, stateful_step_count=50)
