"""What is checked besides the table: cancel, not-understood, correlation, deadlines, other lines, other views."""

from functools import partial

import msgspec
import pytest

from caxton.protocols import (
    BY_NAME,
    MACHINES,
    Position,
    Violation,
    Wrong,
    expire,
    ids_of,
    of_conversation,
    of_line,
    returned,
    standing,
    step,
)
from caxton.protocols.machine import BID_MS, CANCEL_MS, MAX_ANSWER_MS

REQUEST, CONTRACT_NET = BY_NAME["fipa-request"], BY_NAME["fipa-contract-net"]
ENGLISH, DUTCH = BY_NAME["fipa-auction-english"], BY_NAME["fipa-auction-dutch"]
RECRUITING, SUBSCRIBE = BY_NAME["fipa-recruiting"], BY_NAME["fipa-subscribe"]
NOW = 1_800_000_000_000
EACH = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)


def an_id(number):
    return (number << 64).to_bytes(16)


def opening(machine):
    return next(f"i {row.acts[0].act}" for row in machine.rows if "start" in row.at and row.by == 0)


# ------------------------------------------------------------------------------------------------ cancel
@EACH
def test_an_initiator_cancels_any_protocol(path, machine):
    """The participant's inform ends it; the participant itself cannot cancel."""
    line = path(machine, opening(machine))
    assert line.say("p", "cancel").wrong is Wrong.OUT_OF_TURN
    assert line.say("i", "cancel") is None
    assert line.say("i", "cancel").wrong is Wrong.REPEATED
    assert line.say("p", "inform") is None
    assert (line.kind, line.state) == ("cancelled", "cancelled")


def test_after_a_cancel_that_failed_the_line_goes_on(path):
    """A failure that answers the cancel is no failure of the request."""
    line = path(REQUEST, "i request, p agree, i cancel, p failure")
    assert line.state == "agreed"
    assert line.say("p", "inform") is None
    assert line.state == "done"


def test_a_result_that_crosses_a_cancel_is_the_result(path, message):
    """It names what it answers; the participant then answers the late cancel, which changes nothing."""
    line = path(REQUEST, "i request, p agree")
    sent = message("inform", 90, in_reply_to=ids_of(line.said[0])[:16])
    cancel = message("cancel", 91, reply_with=an_id(7))
    done = step(REQUEST, line.views[1], sent, NOW, sent=True).position
    mine = step(REQUEST, line.views[0], cancel, NOW, sent=True).position
    mine = step(REQUEST, mine, sent, NOW, sent=False).position
    done = step(REQUEST, done, cancel, NOW, sent=False).position
    assert standing(mine).state == standing(done).state == "done"
    assert step(REQUEST, done, message("cancel", 92), NOW, sent=False).wrong is Wrong.REPEATED
    late = message("failure", 93, in_reply_to=an_id(7))
    for view, is_sender in ((done, True), (mine, False)):
        after = step(REQUEST, view, late, NOW, sent=is_sender)
        assert standing(after.position).state == "done"
        assert step(REQUEST, after.position, late, NOW, sent=is_sender).wrong is Wrong.ENDED


def test_who_knows_of_the_end_cannot_cancel(path):
    """The initiator that has its answer has nothing to cancel."""
    assert path(REQUEST, "i request, p inform").say("i", "cancel").wrong is Wrong.ENDED


def test_who_has_cancelled_says_nothing_else(path):
    """A proposal that crosses the cancel is taken, and not accepted any more."""
    line = path(CONTRACT_NET, "i cfp, i cancel, p propose")
    assert line.state == "proposed"
    assert line.say("i", "accept-proposal").wrong is Wrong.OUT_OF_TURN


def test_a_cancel_that_nobody_answers_is_one(path):
    """After 30 s, or its reply_by."""
    line = path(REQUEST, "i request, p agree, i cancel")
    line.wait(CANCEL_MS)
    assert line.kind == "cancelled"
    line = path(REQUEST, "i request, p agree")
    assert line.say("i", "cancel", reply_by=NOW + 5) is None
    line.wait(5)
    assert line.kind == "cancelled"


def test_whatever_is_said_a_cancel_has_its_deadline(path):
    """An agree that crosses it does not make it wait for the result."""
    line = path(REQUEST, "i request, i cancel, p agree")
    line.wait(CANCEL_MS)
    assert line.kind == "cancelled"


def test_a_late_cancel_is_answered_once(path, message):
    """And is not said again after that."""
    done = path(REQUEST, "i request, p inform").views[1]
    after = step(REQUEST, done, message("cancel", 91), NOW, sent=False)
    after = step(REQUEST, after.position, message("failure", 92), NOW, sent=True)
    assert step(REQUEST, after.position, message("cancel", 93), NOW, sent=False).wrong is Wrong.REPEATED


# ------------------------------------------------------------------------------------------------ not-understood
@EACH
def test_who_was_spoken_to_may_not_understand(path, machine):
    """It ends the line as failed; who was told nothing cannot say so."""
    line = path(machine, opening(machine))
    assert line.say("i", "not-understood").wrong is Wrong.OUT_OF_TURN
    assert line.say("p", "not-understood") is None
    assert (line.kind, line.state) == ("failed", "not-understood")


def test_the_last_word_may_not_be_understood_either_once(path):
    """It does not change how the line ended."""
    line = path(REQUEST, "i request, p inform")
    assert line.say("i", "not-understood") is None
    assert line.state == "done"
    assert line.say("i", "not-understood").wrong is Wrong.REPEATED


# ------------------------------------------------------------------------------------------------ correlation
def test_an_answer_names_the_reply_with_or_the_id_of_what_it_answers(path, line):
    """Either, where a message has both; or nothing."""
    for named in (an_id(5), (1).to_bytes(16), None):
        one = line(REQUEST)
        assert one.say("i", "request", reply_with=an_id(5)) is None
        assert one.say("p", "agree", in_reply_to=named) is None
        assert one.answers == an_id(5), "what is filled in"
    one = path(REQUEST, "i request")
    assert one.say("p", "agree", in_reply_to=(1).to_bytes(16)) is None


@EACH
def test_an_in_reply_to_that_nobody_sent_is_a_violation(path, line, machine):
    """At any place of a line."""
    first = opening(machine).split()[1]
    assert line(machine).say("i", first, in_reply_to=an_id(9)).wrong is Wrong.UNKNOWN_REPLY
    one = path(machine, opening(machine))
    for who, role in (("i", 0), ("p", 1)):
        for act in machine.expected(one.views[0].state).get(role, ()):
            assert one.say(who, act, in_reply_to=an_id(9)).wrong is Wrong.UNKNOWN_REPLY


def test_a_cancel_of_something_else_is_a_violation(path):
    """It may name the message that it takes back."""
    line = path(REQUEST, "i request")
    assert line.say("i", "cancel", in_reply_to=an_id(9)).wrong is Wrong.UNKNOWN_REPLY
    assert line.say("i", "cancel", in_reply_to=(1).to_bytes(16)) is None


def test_a_bid_for_an_earlier_price_is_not_one_for_this(path):
    """It names the call that it answers."""
    line = path(ENGLISH, "i inform, i cfp, i cfp")
    assert line.say("p", "propose", in_reply_to=(2).to_bytes(16)).wrong is Wrong.UNKNOWN_REPLY
    assert line.say("p", "propose", in_reply_to=(3).to_bytes(16)) is None


def test_nobody_answers_itself(path):
    """An auctioneer's next call does not name its last one."""
    line = path(ENGLISH, "i inform")
    assert line.say("i", "cfp", in_reply_to=(1).to_bytes(16)).wrong is Wrong.UNKNOWN_REPLY


# ------------------------------------------------------------------------------------------------ deadlines
@EACH
def test_a_line_on_which_nobody_speaks_any_more_ends(path, machine):
    """With time alone, whatever was said."""
    line = path(machine, opening(machine))
    for _ in range(4):
        line.wait(MAX_ANSWER_MS)
    assert line.kind is not None
    assert line.views[0].deadline_ms == 0


def test_deadlines_that_follow_each_other_pass_in_one_step(path):
    """Whoever looks again after a week sees the end: a price that nobody bid, in an auction that was abandoned."""
    line = path(DUTCH, "i inform, i cfp")
    line.wait(7 * MAX_ANSWER_MS)
    assert (line.kind, line.state) == ("failed", "abandoned")


def test_a_proposal_after_the_deadline_is_late(path, line):
    """The deadline is the reply_by of the call, or 30 s."""
    one = line(CONTRACT_NET)
    assert one.say("i", "cfp", reply_by=NOW + 100) is None
    one.now_ms += 100
    assert one.say("p", "propose").wrong is Wrong.LATE
    one = path(CONTRACT_NET, "i cfp")
    one.now_ms += BID_MS - 1
    assert one.say("p", "propose") is None
    one = path(CONTRACT_NET, "i cfp")
    one.wait(BID_MS)
    assert (one.kind, one.state) == ("completed", "no-proposal")
    assert one.say("p", "propose").wrong is Wrong.ENDED


def test_whoever_asks_with_a_deadline_that_has_passed_is_late_itself(line):
    """And one that is too far away counts as a day."""
    assert line(REQUEST).say("i", "request", reply_by=NOW).wrong is Wrong.LATE
    one = line(REQUEST)
    assert one.say("i", "request", reply_by=NOW + 10 * MAX_ANSWER_MS) is None
    assert one.views[0].deadline_ms == NOW + MAX_ANSWER_MS


def test_bids_end_and_the_auction_goes_on(path):
    """A price that nobody bid in time: the auctioneer calls another, or ends it."""
    line = path(DUTCH, "i inform, i cfp")
    line.wait(BID_MS)
    assert (line.kind, line.state) == (None, "passed")
    assert line.say("p", "propose").wrong is Wrong.OUT_OF_TURN
    assert line.say("i", "cfp") is None
    line.wait(BID_MS)
    assert line.say("i", "inform") is None
    assert line.state == "lost"


def test_an_answer_has_its_own_time_after_another(path):
    """Who told something has as long again for the next; a broker has until the deadline of who asked."""
    line = path(SUBSCRIBE, "i subscribe, p agree")
    line.now_ms += 1_000
    assert line.say("p", "inform") is None
    assert line.views[0].deadline_ms == NOW + 1_000 + MAX_ANSWER_MS
    line = path(BY_NAME["fipa-brokering"], "i proxy, p inform")
    line.now_ms += 1_000
    assert line.say("p", "inform") is None
    assert line.views[0].deadline_ms == NOW + MAX_ANSWER_MS
    line.wait(MAX_ANSWER_MS)
    assert (line.kind, line.state) == ("completed", "answered")


# ------------------------------------------------------------------------------------------------ other lines
class Initiator:
    """One agent with a line to each of several participants, as it sees them itself."""

    def __init__(self, message, machine, *others):
        self.message = message
        self.machine, self.now_ms, self.joint = machine, NOW, None
        self.lines = dict.fromkeys(others)
        self.count = 0

    def say(self, other, who, act, **given):
        self.count += 1
        said = self.message(act, self.count, **given)
        found = step(self.machine, self.lines[other], said, self.now_ms, self.joint, sent=who == "i")
        if isinstance(found, Violation):
            return found.wrong
        self.lines[other], self.joint = found.position, found.joint
        return None


@pytest.fixture
def initiator(message):
    """Makes initiators: machine and participants are given."""
    return partial(Initiator, message)


def test_a_contract_is_awarded_once_all_have_answered(initiator):
    """Those who proposed or refused; several may be accepted."""
    net = initiator(CONTRACT_NET, "a", "b", "c")
    assert [net.say(other, "i", "cfp") for other in "abc"] == [None] * 3
    net.say("a", "p", "propose")
    assert net.say("a", "i", "accept-proposal") is Wrong.NOT_ALL_ANSWERED
    assert net.say("b", "p", "refuse") is None
    assert net.say("a", "i", "accept-proposal") is Wrong.NOT_ALL_ANSWERED
    net.say("c", "p", "propose")
    assert [net.say(other, "i", "accept-proposal") for other in "ac"] == [None] * 2
    assert net.say("b", "i", "accept-proposal") is Wrong.ENDED


def test_a_contract_is_awarded_at_the_deadline_whoever_is_silent(initiator):
    """The latest one, if they differ; somebody who cannot be reached has answered."""
    net = initiator(CONTRACT_NET, "a", "b")
    net.say("a", "i", "cfp", reply_by=NOW + 50)
    net.say("b", "i", "cfp", reply_by=NOW + 100)
    net.say("a", "p", "propose")
    net.now_ms += 99
    assert net.say("a", "i", "accept-proposal") is Wrong.NOT_ALL_ANSWERED
    net.now_ms += 1
    assert net.say("a", "i", "accept-proposal") is None
    net = initiator(CONTRACT_NET, "a", "b")
    net.say("a", "i", "cfp")
    net.say("b", "i", "cfp", reply_with=an_id(3))
    net.say("a", "p", "propose")
    gone = returned(CONTRACT_NET, net.lines["b"], an_id(3), net.joint)
    assert standing(gone.position).state == "undelivered"
    net.joint = gone.joint
    assert net.say("a", "i", "accept-proposal") is None


def test_who_does_not_understand_or_is_cancelled_is_not_waited_for(initiator):
    """Each of them has left the contract net."""
    net = initiator(CONTRACT_NET, "a", "b", "c")
    assert [net.say(other, "i", "cfp") for other in "abc"] == [None] * 3
    net.say("a", "p", "propose")
    net.say("b", "p", "not-understood")
    net.say("c", "i", "cancel")
    net.say("c", "p", "inform")
    assert net.joint.waiting == 0
    assert net.say("a", "i", "accept-proposal") is None


def test_one_bid_leads_in_each_round_and_one_bidder_wins(initiator):
    """An English auction's price is bid by one at a time."""
    auction = initiator(ENGLISH, "a", "b")
    for act in ("inform", "cfp"):
        assert [auction.say(other, "i", act) for other in "ab"] == [None] * 2
    assert [auction.say(other, "p", "propose") for other in "ab"] == [None] * 2
    assert auction.say("a", "i", "accept-proposal") is None
    assert auction.say("b", "i", "accept-proposal") is Wrong.ALREADY_CHOSEN
    assert auction.say("b", "i", "reject-proposal") is None
    assert [auction.say(other, "i", "cfp") for other in "ab"] == [None] * 2
    assert auction.say("b", "p", "propose") is None
    assert auction.say("b", "i", "accept-proposal") is None
    assert [auction.say(other, "i", "inform") for other in "ab"] == [None] * 2
    assert auction.say("b", "i", "request") is None
    assert auction.say("a", "i", "request") is Wrong.ALREADY_CHOSEN


def test_those_who_were_recruited_speak_first_and_nobody_else(initiator):
    """Once a recruiter was asked; what they answer is what the recruiter said."""
    asked = initiator(RECRUITING, "recruiter", "found", "stranger")
    assert asked.say("stranger", "p", "inform", in_reply_to=an_id(4)) is Wrong.STRANGER
    assert asked.say("recruiter", "i", "proxy") is None
    assert asked.say("found", "p", "agree", in_reply_to=an_id(4)) is None
    assert asked.say("found", "p", "inform", in_reply_to=an_id(4)) is None
    assert asked.say("found", "p", "failure", in_reply_to=an_id(4)) is None
    assert asked.say("found", "p", "inform") is Wrong.ENDED


# ------------------------------------------------------------------------------------------------ views
def test_a_price_that_crosses_a_bid_is_legal_to_receive_and_not_to_send(path, message):
    """The auctioneer answers a bid that it has; the bidder may hear the next price first."""
    line = path(ENGLISH, "i inform, i cfp, p propose")
    for act, state in (("cfp", "called"), ("inform", "lost")):
        said = message(act, 50)
        assert step(ENGLISH, line.views[0], said, NOW, sent=True).wrong is Wrong.OUT_OF_TURN
        assert standing(step(ENGLISH, line.views[1], said, NOW, sent=False).position).state == state


def test_what_did_not_arrive_ends_the_line_if_it_waits_for_the_answer(path):
    """And does not, if it is something else that was said."""
    line = path(CONTRACT_NET, "i cfp, p propose")
    for about, state in (((2).to_bytes(16), "undelivered"), ((1).to_bytes(16), "proposed"), (an_id(9), "proposed")):
        assert standing(returned(CONTRACT_NET, line.views[1], about).position).state == state
    ended = path(REQUEST, "i request, p inform").views[1]
    assert returned(REQUEST, ended, (1).to_bytes(16)).position == ended


def test_two_who_open_the_same_at_once_are_told_so(path, message):
    """Each of them is the initiator of a line on which the other asks."""
    line = path(REQUEST, "i request")
    assert step(REQUEST, line.views[0], message("request", 9), NOW, sent=False).wrong is Wrong.OUT_OF_TURN


@EACH
def test_a_position_is_small_and_comes_back_from_bytes(path, machine):
    """At most 140 bytes, whatever was named."""
    line = path(machine, opening(machine))
    assert line.say("i", "cancel", reply_with=an_id(1)) is None
    for view in line.views:
        packed = msgspec.msgpack.encode(view)
        assert msgspec.msgpack.decode(packed, type=Position) == view
        assert len(packed) <= 80
    most = Position(999, 1, 99, 999, 1 << 50, bytes(32), bytes(32), bytes(32), 31)
    assert len(msgspec.msgpack.encode(most)) <= 140


def test_nothing_lapses_before_its_time(path):
    """To the millisecond."""
    view = path(REQUEST, "i request").views[0]
    assert expire(REQUEST, view, view.deadline_ms - 1).position == view
    assert standing(expire(REQUEST, view, view.deadline_ms).position).state == "unanswered"


# ------------------------------------------------------------------------------------------------ standing
def test_of_two_views_of_a_line_the_later_one_is_right(path):
    """An end before what goes on, a later round before an earlier one."""
    early = standing(path(CONTRACT_NET, "i cfp").views[0])
    late = standing(path(CONTRACT_NET, "i cfp, p propose").views[0])
    over = standing(path(CONTRACT_NET, "i cfp, p refuse").views[0])
    assert of_line([early, late]) == of_line([late, early]) == late
    assert of_line([over, late]) == over
    again = standing(path(BY_NAME["fipa-iterated-contract-net"], "i cfp, p propose, i cfp").views[0])
    before = standing(path(BY_NAME["fipa-iterated-contract-net"], "i cfp, p propose").views[0])
    assert of_line([before, again]) == again


def test_a_conversation_goes_on_while_a_line_does_and_ends_with_its_best(path):
    """Whoever was rejected does not hide who has done it."""
    ends = ["i cfp, p refuse", "i cfp, p propose, i accept-proposal, p inform", "i cfp, p propose, i reject-proposal"]
    over = [standing(path(CONTRACT_NET, words).views[0]) for words in ends]
    assert of_conversation(over).state == "done"
    assert of_conversation([*over, standing(path(CONTRACT_NET, "i cfp").views[0])]).kind is None
    assert of_conversation([of_conversation(over[:2]), of_conversation(over[1:])]) == of_conversation(over)
