"""What may be meant by a name that there is not."""

import pytest

from caxton.cli import suggestions as room
from caxton.cli.suggestions import suggestion

MANY = [f"orders-of-tenant-{number:05}" for number in range(10_000)]


@pytest.mark.parametrize("word", ["orders-of-tenant-4217", "oders-of-tenant-04217", "orders-of-tennant-04217"])
def test_what_is_nearest_is_found_among_many(word):
    """Whatever was left out, or is too much."""
    assert "orders-of-tenant-04217" in suggestion(word, MANY)


def test_of_many_names_few_are_compared_as_a_whole(monkeypatch):
    """However many agents there are, and however long their names."""
    compared = []

    def get_close_matches(_, names, most):
        compared.extend(names)
        return names[:most]

    monkeypatch.setattr(room, "get_close_matches", get_close_matches)
    suggestion("orders-of-tenant-0421", MANY)
    assert len(compared) == room.MOST_COMPARED


def test_a_few_are_told_where_none_is_near():
    """And nothing where there are more."""
    assert suggestion("weather", ["tally", "echo"]) == "there are tally, echo"
    assert suggestion("weather", ["tally"]) == "there is tally"
    assert (suggestion("weather", MANY), suggestion("weather", [])) == ("", "")
