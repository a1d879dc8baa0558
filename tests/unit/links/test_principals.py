"""For whom a session may say that it acts."""

import pytest

from caxton.acl.envelope import MAX_PRINCIPAL
from caxton.errors import SecurityError, ValidationError
from caxton.links.principals import acts_for

LONGEST = "ä" * MAX_PRINCIPAL


@pytest.mark.parametrize("claimed", ["", "uid:7"])
@pytest.mark.parametrize("may_claim", [True, False])
def test_a_session_may_act_for_its_own_user(claimed, may_claim):
    """That is the runtime's owner, who travels as no text, whatever the runtime lets others do."""
    assert acts_for(claimed, 7, may_claim=may_claim) == ""


@pytest.mark.parametrize("claimed", ["alice", LONGEST, "user 5 (of a gateway)"])
def test_others_where_the_runtime_lets_it(claimed):
    """A principal is printable text of at most a hundred characters, and refused where nobody may claim any."""
    assert acts_for(claimed, 7, may_claim=True) == claimed
    with pytest.raises(SecurityError, match="--gateway-principals"):
        acts_for(claimed, 7, may_claim=False)


def test_a_name_is_one_however_it_is_written():
    """A principal is known by the composed form of its name, as an agent is, and so has one mark and one share."""
    assert acts_for("Ame\u0301lie", 7, may_claim=True) == acts_for("Am\u00e9lie", 7, may_claim=True) == "Am\u00e9lie"
    assert acts_for("a\u0308" * MAX_PRINCIPAL, 7, may_claim=True) == LONGEST


@pytest.mark.parametrize("claimed", [" alice", "alice ", " "])
def test_blanks_at_its_ends_make_no_other_principal(claimed):
    """What looks like another one's name is refused."""
    with pytest.raises(ValidationError, match="blanks at its ends"):
        acts_for(claimed, 7, may_claim=True)


@pytest.mark.parametrize("claimed", ["uid:8", "uid:", "uid:07"])
def test_nobody_acts_for_another_user_of_the_machine(claimed):
    """Names of users are reserved, also where principals may be claimed."""
    with pytest.raises(SecurityError, match="uid:7 cannot act for"):
        acts_for(claimed, 7, may_claim=True)


@pytest.mark.parametrize("claimed", [LONGEST + "x", "a\nb", "\ud800", "\0", b"alice", None, 5], ids=ascii)
def test_what_is_no_name_is_refused(claimed):
    """Too long, unprintable, or no text."""
    with pytest.raises(ValidationError, match="principal"):
        acts_for(claimed, 7, may_claim=True)
