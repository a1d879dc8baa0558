"""The echo agent."""

from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.binary(max_size=20_000), max_size=5))
def test_answers_with_what_it_got(start, contents):
    """Every content comes back as it was, whatever came before it."""
    echo = start("echo")
    assert [echo.handle(content) for content in contents] == contents


def test_answers_the_largest_message(start):
    """A message of the default limit, 1 MiB, comes back whole, and a small one after it too."""
    echo = start("echo")
    large = bytes(range(256)) * 4096
    assert echo.handle(large) == large
    assert echo.handle(b"small") == b"small"
