"""Which protocols are checked, and which are their users' own."""

import pytest

from caxton.errors import UnknownProtocol
from caxton.protocols import BY_NAME, MACHINES, is_checked, is_runtimes, machine_of


def test_every_machine_is_found_by_its_name():
    """And has a number of its own."""
    assert [machine_of(machine.name) for machine in MACHINES] == list(MACHINES)
    assert len({machine.number for machine in MACHINES}) == len(BY_NAME) == len(MACHINES)


@pytest.mark.parametrize("name", ["fipa-english-auction", "fipa-request ", "fipa-", "fipa-" + "x" * 250])
def test_a_name_of_fipas_that_is_none_is_refused_with_the_nearest(name):
    """It would go unchecked, and its sender believes otherwise."""
    with pytest.raises(UnknownProtocol, match="meant"):
        machine_of(name)


@pytest.mark.parametrize("name", ["caxton:receipt", "caxton:", "Caxton:Negotiation", "caxton:" + "x" * 248])
def test_a_name_that_only_the_runtime_says_is_refused_to_others(name):
    """The error says which of them are there to be used, and what to do."""
    with pytest.raises(UnknownProtocol, match=r"'caxton:negotiation'; leave it out"):
        machine_of(name)
    assert is_runtimes(name)
    assert is_checked(name)
    assert not is_runtimes("caxton:negotiation")


@pytest.mark.parametrize("name", ["haggle", "caxton", "my caxton:receipt", "FIPA-request", ""])
def test_any_other_name_is_its_users_own(name):
    """Nobody checks what they mean by it."""
    assert machine_of(name) is None
