import fnmatch
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.errors import AccessDenied
from caxton.gateway.access.grant import Grant
from caxton.links.principals import checked_principal
from caxton.tokens.role import Role
from caxton.tokens.token import Token, checked_patterns


def grant(role=Role.VIEWER, agents=("*",)):
    return Grant(Token("1f" * 8, "ci", role, checked_patterns(agents), bytes(32), 5))


def denied(call, *args):
    with pytest.raises(AccessDenied) as error:
        call(*args)
    return error.value


@pytest.mark.parametrize("needed", Role)
@pytest.mark.parametrize("role", Role)
def test_a_role_lets_pass_what_it_includes(role, needed):
    """For every pair of roles, about one agent, about all, and in lists."""
    found = grant(role)
    if role.includes(needed):
        found.allows(needed)
        found.allows(needed, "tally")
        found.allows_some(needed)
        return
    text = f"this takes the role {needed}, and this token has the role {role}; "
    assert str(denied(found.allows, needed)).startswith(text)
    assert str(denied(found.allows, needed, "tally")).startswith(text)
    assert str(denied(found.allows_some, needed)).startswith(text)


def test_a_token_is_for_its_agents_alone():
    """What is about all agents takes a token for all; what is refused names the agent, on one line."""
    found = grant(Role.ADMIN, ["shop-*", "till"])
    found.allows(Role.ADMIN, "shop-1")
    found.allows(Role.ADMIN, "till")
    found.allows_some(Role.ADMIN)
    assert not found.is_for_all
    error = denied(found.allows, Role.VIEWER, "bank\x1b[2J")
    assert str(error).startswith(r"this token is not for the agent 'bank\x1b[2J'; ")
    assert (error.needed, error.role, error.agent) == ("viewer", "admin", "bank\x1b[2J")
    assert str(denied(found.allows, Role.VIEWER)).startswith("this is about all agents, and this token is for some")
    assert str(denied(found.allows, Role.VIEWER, "")).startswith("this token is not for the agent ''")


@given(st.lists(st.text("ab*", min_size=1, max_size=5), min_size=1, max_size=4), st.text("abc", max_size=7))
def test_patterns_fit_as_those_of_a_shell_do(agents, name):
    """`*` is any text, also none; a token covers what one of its patterns fits, and lets pass just that."""
    found = grant(Role.VIEWER, agents)
    expected = any(fnmatch.fnmatchcase(name, pattern) for pattern in agents)

    assert found.covers(name) == expected
    if expected:
        found.allows(Role.VIEWER, name)
    else:
        denied(found.allows, Role.VIEWER, name)


@given(st.text("é\u0301ea", min_size=1, max_size=6))
def test_no_form_of_a_name_goes_round_a_pattern(name):
    """Whichever of Unicode's forms a name or a pattern is written in, they mean the same agent."""
    forms = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}

    assert all(grant(agents=[one]).covers(other) for one in forms for other in forms)


@pytest.mark.parametrize("character", "?[]!\\.+^$")
def test_only_a_star_is_special(character):
    """Whatever else stands in a pattern stands for itself."""
    found = grant(agents=[f"a{character}b"])
    assert found.covers(f"a{character}b")
    assert not found.covers("acb")


def test_a_principal_is_one_that_a_session_can_act_for():
    """It is no user's of this machine, and a runtime takes it as it is."""
    assert checked_principal(grant().principal) == "token:1f1f1f1f1f1f1f1f"
