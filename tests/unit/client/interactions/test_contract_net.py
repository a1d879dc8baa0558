"""What the initiator of a contract net decides: who is in, who wins, and what each is told."""

from decimal import Decimal

import msgspec
import pytest

from caxton.acl.envelope import Envelope, Rare
from caxton.acl.message import Message
from caxton.acl.options import DEFAULT_OPTIONS, DeliveryOptions
from caxton.acl.performative import Performative
from caxton.client.interactions import contract_net as net
from caxton.errors import Timeout, ValidationError
from caxton.ids import AgentId


def proposal(content, sender=9, performative=Performative.PROPOSE, **fields):
    return Message.of(Envelope(bytes([sender]) * 16, int(performative), sender, 1 << 63, content, **fields))


def test_proposals_are_told_from_all_else():
    """A propose is in; a refuse, an inform and an error are what the others said."""
    bid, no, odd, late = proposal(b"1"), proposal(b"", 8, Performative.REFUSE), proposal(b"", 7, 7), Timeout("x", 1.0)
    asked = [AgentId(number) for number in (9, 8, 7, 6)]
    assert net.sorted_answers(asked, [bid, no, odd, late]) == ([bid], {8: no, 7: odd, 6: late})


@pytest.mark.parametrize(
    ("choose", "best"),
    [("lowest", [b"2", b"2.0"]), ("highest", [b"10"]), ("first", [b"10"])],
)
def test_a_choice_by_name(choose, best):
    """Numbers are compared as such, equals are all returned, and what is no number is passed over."""
    contents = [b"10", b"2", b"2.0", b"nan", b"\xff", b"cheap", b"1" * 101, b"-infinity"]
    proposals = [proposal(content, place) for place, content in enumerate(contents, 1)]
    assert [each.content for each in net.best(choose, proposals)] == best


def test_prices_in_other_encodings_are_numbers_too():
    """A number in msgpack is none in ASCII, and a decimal is text in both encodings."""
    values = [8, 7, 7.0, Decimal("7.00"), -1j, True, [1], float("nan"), b"1", "cheap"]
    packed = [proposal(msgspec.msgpack.encode(each, enc_hook=str), rare=Rare(encoding="msgpack")) for each in values]
    assert net.best("lowest", packed) == packed[1:4]
    in_json = [proposal(msgspec.json.encode(each), rare=Rare(encoding="json")) for each in (8, Decimal("7.00"), 7)]
    assert net.best("lowest", in_json) == in_json[1:]
    assert net.best("lowest", [proposal(b"\xc1", rare=Rare(encoding="msgpack"))]) == []


def test_no_price_is_no_winner():
    """Where nobody says a number nobody wins by price."""
    assert net.best("lowest", [proposal(b"cheap")]) == []


def test_a_choice_of_ones_own():
    """A function may return one proposal, several that are equal, or none."""
    first, second = proposal(b"a", 1), proposal(b"b", 2)
    assert net.best(lambda proposals: proposals[1], [first, second]) == [second]
    assert net.best(lambda proposals: (proposals[1], proposals[0]), [first, second]) == [second, first]
    assert net.best(lambda _: None, [first, second]) == []
    assert net.best(lambda _: [], [first, second]) == []


def test_what_was_not_proposed_cannot_win():
    """A choice of something else, also of one that looks the same, is refused."""
    given = proposal(b"a")
    for choice in (proposal(b"a"), [given, "x"]):
        with pytest.raises(ValidationError, match="none of the proposals"):
            net.best(lambda _, choice=choice: choice, [given])


@pytest.mark.parametrize("choose", ["cheapest", 5, None])
def test_what_chooses_nothing_is_refused(choose):
    """A misspelt choice is told before anything is sent."""
    with pytest.raises(ValidationError, match="lowest, highest, first"):
        net.check_choice(choose)


def test_each_bidder_is_told():
    """The winner's acceptance says what was proposed, the others' rejection why; both answer the proposal."""
    rare = Rare(protocol=net.PROTOCOL, ontology="cheese")
    bid = proposal(b"7", reply_with=b"r" * 16, conversation_id=b"c" * 16, rare=rare)
    accept = net.accepted(bid, DEFAULT_OPTIONS)
    assert (accept.receiver, accept.content, accept.performative) == (9, b"7", Performative.ACCEPT_PROPOSAL)
    assert (bytes(accept.in_reply_to), bytes(accept.conversation_id)) == (b"r" * 16, b"c" * 16)
    assert (accept.protocol, accept.ontology) == (net.PROTOCOL, "cheese")
    reject = net.rejected(proposal(b"8", 5), DEFAULT_OPTIONS)
    assert (reject.receiver, reject.content, reject.reply_with) == (5, net.NOT_SELECTED, None)
    assert bytes(reject.in_reply_to) == b"\x05" * 16
    assert reject.delivery_options.reliability == "at_most_once"
    durable = net.rejected(bid, DeliveryOptions(reliability="at_least_once"))
    assert durable.delivery_options.reliability == "at_least_once"
