import pytest

from caxton.gateway.hosts import Hosts

LOCAL = Hosts("127.0.0.1", 8080, ["caxton.example"])


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "caxton.example", "Caxton.Example:443"]
)
def test_it_is_called_by_its_address_or_by_names_that_were_given(host):
    """A name that was given has any port: a proxy in front has its own."""
    assert LOCAL.refuses([host.encode()], []) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.0.0.1:8080.evil.example",
        "localhost:8080@evil.example",
        "caxton.example.evil",
        "caxton.example:",
        "caxton.example:8x",
        "",
        "127.1:8080",
        "[::1]:8080",
        "\xe4:8080",
    ],
)
def test_any_other_name_is_misdirected(host):
    """So no page of another site gets here by a name of its own that leads to this address."""
    assert LOCAL.refuses([host.encode("latin-1")], []).status == 421


@pytest.mark.parametrize("hosts", [[], [b"localhost:8080", b"localhost:8080"]])
def test_a_request_has_one_host(hosts):
    """None, or two, is no request."""
    assert LOCAL.refuses(hosts, []).status == 400


@pytest.mark.parametrize(
    ("origin", "refused"),
    [
        ("http://127.0.0.1:8080", False),
        ("http://localhost:8080", False),
        ("https://caxton.example", False),
        ("https://evil.example", True),
        ("http://localhost:3000", True),
        ("null", True),
        ("file://localhost:8080", True),
    ],
)
def test_a_page_asks_only_where_it_came_from(origin, refused):
    """Pages of other origins, also those of this machine's other ports, ask nothing here."""
    problem = LOCAL.refuses([b"localhost:8080"], [origin.encode()])
    assert (problem is not None and problem.status == 403) is refused


def test_version_6_has_brackets_and_other_machines_no_localhost():
    """Only who listens at this machine alone is called localhost."""
    assert Hosts("::1", 80, []).refuses([b"[::1]"], []) is None
    assert Hosts("10.0.0.1", 80, []).refuses([b"10.0.0.1"], []) is None
    assert Hosts("10.0.0.1", 80, []).refuses([b"localhost"], []).status == 421
