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


@pytest.mark.parametrize(
    ("target", "refused"),
    [
        ("/v1/agents", False),
        ("//evil.example/v1/agents", False),
        ("*", False),
        ("http://localhost:8080/v1/agents", False),
        ("HTTPS://LOCALHOST:8080/", False),
        ("http://localhost:8080?a=/b", False),
        ("http://evil.example/v1/agents", True),
        ("http://127.0.0.1:8080/v1/agents", True),
        ("http://localhost:8081/", True),
        ("http://localhost/", True),
        ("http://evil.example?@localhost:8080/", True),
        ("http://me@localhost:8080/", True),
        ("http://localhost:8080.evil.example/", True),
        ("http:///", True),
        ("ftp://localhost:8080/", True),
        ("localhost:8080", True),
    ],
)
def test_a_target_with_a_host_has_the_same_one(target, refused):
    """A path names none, also one of two slashes."""
    problem = LOCAL.refuses([b"localhost:8080"], [], target.encode())
    assert (problem is not None and problem.status == 421) is refused


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


EVERYWHERE = Hosts("0.0.0.0", 8080, ["caxton"])  # noqa: S104 (nothing listens here)


@pytest.mark.parametrize("host", ["10.1.2.3:8080", "127.0.0.1:18080", "[fd00::1]:8080", "10.1.2.3", "caxton:8080"])
def test_who_listens_at_all_addresses_is_called_by_any(host):
    """With any port, since another one may be published; and by names that were given."""
    assert EVERYWHERE.refuses([host.encode()], []) is None
    assert EVERYWHERE.refuses([host.encode()], [f"http://{host}".encode()]) is None


@pytest.mark.parametrize("host", ["evil.example", "localhost:8080", "10.1.2.3.evil.example", "10.1.2:80", "[::1", ""])
def test_a_name_that_leads_to_one_of_them_is_no_address(host):
    """That is how a page of another site would get here."""
    assert EVERYWHERE.refuses([host.encode()], []).status == 421


def test_pages_of_other_addresses_ask_nothing():
    """An address that a request calls is no leave for pages of all others."""
    assert EVERYWHERE.refuses([b"10.1.2.3:8080"], [b"http://6.6.6.6:8080"]).status == 403
