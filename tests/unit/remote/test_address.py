"""URLs of gateways, and tokens, before anything is asked."""

import pytest

from caxton.errors import ConfigurationError
from caxton.remote.address import MAX_URL, Address, checked_url, is_url

TOKEN = "cx_" + "a" * 43


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("https://Caxton.Example:8443/", "https://caxton.example:8443"),
        ("HTTPS://caxton.example/below/it//", "https://caxton.example/below/it"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_a_url_is_asked_as_it_is_meant(given, asked):
    """Without a slash at its end; plain HTTP to this machine is fine."""
    assert checked_url(given, insecure_http=False) == asked


@pytest.mark.parametrize(
    "given",
    [
        "http://192.0.2.1",
        "http://caxton.example",
        "http://localhost.example",
        "http://127.0.0.1.example",
        "ftp://127.0.0.1",
        "https://user:secret@caxton.example",
        "https://caxton.example?token=x",
        "https://caxton.example#x",
        "https://",
        "https://caxton.example:99999",
        "https://[::1",
        "https://caxton.exa mple",
        "https://caxton.example\r\nX: y",
        "https://cäxton.example",
        "https://" + "x" * MAX_URL,
    ],
)
def test_what_is_no_url_of_a_gateway_is_refused(given):
    """So is one that would carry a token as plain text to another machine."""
    with pytest.raises(ConfigurationError):
        checked_url(given, insecure_http=False)


def test_a_url_has_so_many_characters_and_no_more():
    """The longest one is asked."""
    longest = "https://x/" + "y" * (MAX_URL - 10)
    assert checked_url(longest, insecure_http=False) == longest
    with pytest.raises(ConfigurationError):
        checked_url(longest + "y", insecure_http=False)


def test_plain_http_goes_to_another_machine_when_told():
    """Whoever has another safe way there says so."""
    assert checked_url("http://192.0.2.1:8080", insecure_http=True) == "http://192.0.2.1:8080"


@pytest.mark.parametrize("token", [None, "", "two words", "line\r\nend", "ä", "x" * 5_000])
def test_what_is_no_token_is_refused_and_not_told(token):
    """It would be a header of its own, or nobody's."""
    with pytest.raises(ConfigurationError) as refused:
        Address.of("https://caxton.example", token)

    assert not token or token not in str(refused.value)


def test_a_token_is_in_no_repr():
    """A traceback that shows an address shows where, and not with what."""
    assert TOKEN not in repr(Address.of("https://caxton.example", TOKEN))


@pytest.mark.parametrize(("where", "is_one"), [("https://x", True), ("HTTP://x", True), ("/run", False), (7, False)])
def test_urls_are_told_from_directories(where, is_one):
    """By how they begin."""
    assert is_url(where) is is_one
