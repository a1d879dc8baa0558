"""Files of TLS: what is wrong with them is told by name, and they are read again when they have changed."""

import datetime as dt
import os
import ssl
from pathlib import Path

import pytest
import trustme

from caxton.config.gateway import Tls
from caxton.errors import ConfigurationError
from caxton.transport import tls
from caxton.transport.tls import ChangingContext, context_of

LONG_AGO = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture
def write(authority, tmp_path):
    """Write a certificate and its key; returns the files."""

    def made(name="server", issued=None):
        leaf = authority.issue_cert("localhost") if issued is None else issued
        cert, key = tmp_path / f"{name}.crt", tmp_path / f"{name}.key"
        cert.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
        key.touch(mode=0o600)
        key.write_bytes(leaf.private_key_pem.bytes())
        return Tls(str(cert), str(key))

    return made


def shake_hands(server, authority, chain=None):
    """Let a client that trusts an authority meet a server; returns the certificate that it is shown."""
    client = ssl.create_default_context()
    authority.configure_trust(client)
    if chain is not None:
        chain.configure_cert(client)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    far = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    near = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(8):
        for end in (far, near):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return far.getpeercert(binary_form=True)


def test_a_server_has_what_is_in_its_files(write, authority):
    """Whoever trusts its authority believes it; older protocols than TLS 1.2 are not spoken."""
    context = context_of(write())

    assert shake_hands(context, authority)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_who_asks_shows_a_certificate_where_that_is_wanted(write, authority, tmp_path):
    """One of the authorities that were named, and no other."""
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    files = write()
    context = context_of(Tls(files.cert, files.key, str(ca)))

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert shake_hands(context, authority, authority.issue_cert("somebody"))
    for chain in (None, trustme.CA().issue_cert("somebody")):
        with pytest.raises(ssl.SSLError):
            shake_hands(context, authority, chain)


def _other_key(files, write):
    return Tls(files.cert, write("other").key)


def _mode(files, write):
    os.chmod(files.key, 0o644)  # noqa: PTH101 (what is tested is a mode)
    return files


def _no_pem(files, write):
    with open(files.cert, "w") as opened:  # noqa: PTH123 (the files are named by text)
        opened.write("hello")
    return files


def _no_key(files, write):
    return Tls(files.cert, files.cert + ".missing")


def _no_cert(files, write):
    return Tls(files.cert + ".missing", files.key)


def _no_authority(files, write):
    return Tls(files.cert, files.key, files.cert + ".missing")


def _leaf_for_authority(files, write):
    return Tls(files.cert, files.key, files.key)


@pytest.mark.parametrize(
    ("spoil", "option", "why"),
    [
        (_other_key, "--http-key", "not the key of the certificate"),
        (_no_pem, "--http-cert", "cannot be read"),
        (_no_key, "--http-key", "No such file"),
        (_no_cert, "--http-cert", "No such file"),
        (_no_authority, "--http-client-ca", "No such file"),
        (_leaf_for_authority, "--http-client-ca", "cannot be read"),
    ],
)
def test_what_is_wrong_is_told_with_the_file(write, spoil, option, why):
    """By the option that names it."""
    with pytest.raises(ConfigurationError, match=why) as refused:
        context_of(spoil(write(), write))

    assert refused.value.what.startswith(option)


def test_a_certificate_that_is_replaced_while_it_is_read_is_told(write, monkeypatch):
    """As any other that cannot be used: whoever looks after its files is not ended by it."""
    files, load = write(), tls._load

    def then_replaced(context, files):
        load(context, files)
        Path(files.cert).write_text("half of one")

    monkeypatch.setattr(tls, "_load", then_replaced)
    with pytest.raises(ConfigurationError, match="--http-cert"):
        context_of(files)


def test_a_key_that_others_may_read_is_refused(write):
    """With what to do about it; whoever has it could pretend to be the gateway."""
    with pytest.raises(ConfigurationError, match=r"mode 644.*chmod 600"):
        context_of(_mode(write(), write))


def test_a_certificate_that_is_over_is_refused(write, authority):
    """Nobody would believe it."""
    over = authority.issue_cert("localhost", not_before=LONG_AGO, not_after=LONG_AGO + dt.timedelta(days=1))
    with pytest.raises(ConfigurationError, match="certificate has expired"):
        context_of(write(issued=over))


def test_a_certificate_that_has_not_begun_is_refused(write, authority):
    """The same, at the other end."""
    begins = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
    early = authority.issue_cert("localhost", not_before=begins, not_after=begins + dt.timedelta(days=1))
    with pytest.raises(ConfigurationError, match="not yet valid"):
        context_of(write(issued=early))


def test_files_that_have_changed_are_read_again(write, authority):
    """Connections from then on get what is in them; what cannot be used is told once, and changes nothing."""
    files = write()
    context = ChangingContext(files, 100)
    first = shake_hands(context, authority)
    unchanged = context.look()
    write()
    changed = context.look()
    second = shake_hands(context, authority)
    _no_pem(files, write)
    with pytest.raises(ConfigurationError):
        context.look()

    assert (unchanged, changed, context.look()) == (False, True, False)
    assert first != second == shake_hands(context, authority)


def test_so_many_handshakes_and_no_more(write):
    """Who comes beyond them is sent away, until another one has gone."""
    refused = []
    context = ChangingContext(write(), 2, lambda: refused.append(1))

    def begin():
        return context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)

    held = [begin(), begin()]
    with pytest.raises(OSError, match="too many"):
        begin()
    held.pop()
    assert begin()
    assert refused == [1]
