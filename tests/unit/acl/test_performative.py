"""The 22 acts."""

import pytest

from caxton.acl.performative import ACTS, Performative

FIPA = [
    "accept-proposal",
    "agree",
    "cancel",
    "cfp",
    "confirm",
    "disconfirm",
    "failure",
    "inform",
    "inform-if",
    "inform-ref",
    "not-understood",
    "propagate",
    "propose",
    "proxy",
    "query-if",
    "query-ref",
    "refuse",
    "reject-proposal",
    "request",
    "request-when",
    "request-whenever",
    "subscribe",
]


def test_the_acts_are_those_of_fipa_in_the_order_of_their_numbers():
    """The number travels, so the order is part of the wire."""
    assert len(FIPA) == 22
    assert list(ACTS) == FIPA
    assert [int(performative) for performative in Performative] == list(range(22))


@pytest.mark.parametrize("act", FIPA)
def test_every_act_comes_back_by_its_name(act):
    """And by the number that travels."""
    performative = Performative.parse(act)
    assert performative.act == act
    assert Performative(int(performative)) is performative


@pytest.mark.parametrize("find", [Performative.parse, Performative])
def test_a_query_is_one_that_asks_for_what_is_so(find):
    """Of FIPA's two queries, query-ref; it prints under its own name."""
    assert find("query") is Performative.QUERY_REF
    assert str(find("query")) == "query-ref"


@pytest.mark.parametrize("act", ["", "Inform", "inform_if", "tell", " inform", "7"])
def test_another_act_is_refused_with_the_known_ones(act):
    """The spelling is FIPA's and no other."""
    with pytest.raises(ValueError, match="known are accept-proposal, agree"):
        Performative.parse(act)


@pytest.mark.parametrize("performative", list(Performative), ids=str)
def test_an_act_prints_as_fipa_writes_it(performative):
    """In text it is its name, and in every other place the number that it always was."""
    assert str(performative) == f"{performative}" == performative.act
    assert f"{performative:>20}" == performative.act.rjust(20)
    assert f"{int(performative)}" == repr(int(performative))
    assert Performative(performative.act) is Performative(performative.name) is performative


@pytest.mark.parametrize("value", ["tell", "", " inform", 22, None])
def test_what_is_no_act_is_none(value):
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="valid Performative"):
        Performative(value)
