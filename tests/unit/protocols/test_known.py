"""Which protocols are checked, and which are their users' own."""

import pytest

from caxton.errors import UnknownProtocol
from caxton.protocols import BY_NAME, MACHINES, machine_of


def test_every_machine_is_found_by_its_name():
    """And has a number of its own."""
    assert [machine_of(machine.name) for machine in MACHINES] == list(MACHINES)
    assert len({machine.number for machine in MACHINES}) == len(BY_NAME) == len(MACHINES)


@pytest.mark.parametrize("name", ["fipa-english-auction", "fipa-request ", "fipa-", "fipa-" + "x" * 250])
def test_a_name_of_fipas_that_is_none_is_refused_with_the_nearest(name):
    """It would go unchecked, and its sender believes otherwise."""
    with pytest.raises(UnknownProtocol, match="meant"):
        machine_of(name)


@pytest.mark.parametrize("name", ["haggle", "caxton:receipt", "FIPA-request", ""])
def test_any_other_name_is_its_users_own(name):
    """Nobody checks what they mean by it."""
    assert machine_of(name) is None
