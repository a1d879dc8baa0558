import pytest

from caxton.config.gateway import MAX_NAMES, GatewaySettings, Place, Tls, read_address, read_names, url_of
from caxton.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("localhost:0", "127.0.0.1", 0),
        ("[::1]:80", "::1", 80),
        ("10.0.0.1:65535", "10.0.0.1", 65_535),
    ],
)
def test_an_address_is_read(text, address, port):
    """An IP address, or localhost, with a port."""
    assert read_address(text) == (address, port)


@pytest.mark.parametrize(
    "text",
    ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "caxton.example:80", "::1:80", "1.2.3.4:65536"],
)
def test_what_is_no_address_is_refused(text):
    """Names are not resolved: what they mean may change while a runtime serves."""
    with pytest.raises(ConfigurationError, match="--http"):
        read_address(text)


def test_other_machines_need_a_proxy():
    """Tokens are not to travel as plain text, so an address that others reach is refused unless a proxy has TLS."""
    with pytest.raises(ConfigurationError, match="--http-behind-proxy"):
        GatewaySettings(http=Place("10.0.0.1", 80))
    with pytest.raises(ConfigurationError, match=r"--metrics: 10\.0\.0\.1"):
        GatewaySettings(metrics=Place("10.0.0.1", 80))
    assert GatewaySettings(http=Place("10.0.0.1", 80), behind_proxy=True).places == {"--http": ("10.0.0.1", 80)}


def test_other_machines_may_come_with_tls():
    """Then nobody on the way reads tokens."""
    assert GatewaySettings(http=Place("192.0.2.1", 8443), tls=Tls("a.crt", "a.key")).tls.client_ca is None


@pytest.mark.parametrize("given", [("c", None, None), (None, "k", None), (None, None, "a"), ("c", None, "a")])
def test_a_certificate_and_its_key_go_together(given):
    """And authorities of those who ask are nothing without them."""
    with pytest.raises(ConfigurationError, match="nothing without"):
        Tls.of(*given)
    assert Tls.of(None, None, None) is None
    assert Tls.of("c", "k", "a") == Tls("c", "k", "a")


def test_a_certificate_is_for_something_that_is_served():
    """Also where the gateway only exports traces."""
    with pytest.raises(ConfigurationError, match="nothing is served with it: there is no --http and no --metrics"):
        GatewaySettings(tls=Tls("a.crt", "a.key"), otlp=True)


def test_metrics_have_a_port_of_their_own():
    """The same one for both is a mistake, unless it is any that is free."""
    one = Place("127.0.0.1", 8080)
    with pytest.raises(ConfigurationError, match=r"--metrics: http://127\.0\.0\.1:8080 is where HTTP is served"):
        GatewaySettings(http=one, metrics=one)
    assert GatewaySettings(http=Place("127.0.0.1", 0), metrics=Place("127.0.0.1", 0)).places


def test_metrics_that_need_no_token_are_told_anywhere():
    """No token travels then, and whoever says so means everybody; HTTP beside them needs a proxy all the same."""
    assert GatewaySettings(metrics=Place("10.0.0.1", 9090), metrics_open=True).places
    with pytest.raises(ConfigurationError, match=r"--http: 10\.0\.0\.1"):
        GatewaySettings(http=Place("10.0.0.1", 80), metrics=Place("10.0.0.1", 9090), metrics_open=True)


def test_names_are_in_lower_case_and_once():
    """Hosts are compared without regard to case."""
    assert read_names("Caxton.Example, caxton.example,b") == ("caxton.example", "b")


@pytest.mark.parametrize("text", ["a:80", "-a", "a b", "http://a", ",".join(f"n{n}" for n in range(MAX_NAMES + 1))])
def test_what_is_no_list_of_names_is_refused(text):
    """Without ports, and not too many."""
    with pytest.raises(ConfigurationError, match="--http-names"):
        read_names(text)


def test_an_address_of_version_6_has_brackets_in_its_url():
    """As every URL has it."""
    assert url_of("::1", 80) == "http://[::1]:80"
