from caxton.errors import BY_NAME, AgentNotFound, SecurityError
from caxton.gateway.statuses import STATUSES, status_of


def test_every_error_has_a_status():
    """The table has the whole tree of errors, and nothing else."""
    tree = {kind for kind in BY_NAME.values() if kind.__module__.startswith("caxton.errors")}
    assert tree == {*STATUSES}


def test_every_status_says_that_something_is_wrong():
    """No error is told as if all were well."""
    assert [kind.__name__ for kind, status in STATUSES.items() if not 400 <= status < 600] == []


def test_a_kind_that_the_table_does_not_have_is_told_as_what_it_is_a_kind_of():
    """Such as one of another package."""

    class Revoked(SecurityError):
        pass

    assert status_of(Revoked("gone")) == status_of(SecurityError("gone")) == 403
    assert status_of(AgentNotFound("x")) == 404
