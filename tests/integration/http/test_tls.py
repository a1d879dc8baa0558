"""The gateway with TLS: who trusts its authority comes in, and with a certificate where that is asked for."""

import asyncio
import json
import os
import socket
import ssl

import httpx
import pytest
import trustme
from typer.testing import CliRunner

import caxton
import caxton.testing
from caxton.cli.main import app


class Files:
    """An authority, and what it has issued, in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = trustme.CA()
        self.ca = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.ca))
        self.cert, self.key = folder / "server.crt", folder / "server.key"
        self.issue()
        self.mine = folder / "mine.pem"
        self.mine.write_bytes(self.authority.issue_cert("somebody").private_key_and_cert_chain_pem.bytes())

    def issue(self):
        """Have another certificate for the server."""
        made = self.authority.issue_cert("127.0.0.1", "localhost")
        for path, content in ((self.key, made.private_key_pem.bytes()), (self.cert, made.cert_chain_pems[0].bytes())):
            new = path.with_suffix(".new")
            new.touch(mode=0o600)
            new.write_bytes(content)
            os.replace(new, path)  # noqa: PTH105 (as tools that renew certificates do)

    @property
    def options(self):
        return ["--http", "127.0.0.1:0", "--http-cert", str(self.cert), "--http-key", str(self.key)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return Files(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def served(files):
    """A runtime that serves HTTP with TLS."""
    with caxton.testing.runtime(options=[*files.options, "--metrics", "127.0.0.1:0"]) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def token_of(served):
    with caxton.connect_sync(served.runtime_dir) as client:
        return client.create_token("tls", "admin").token


async def test_the_client_and_the_command_line_come_in(served, url, files, token_of, echo_wasm):
    """With the authority's certificate in a file; the command line takes it from the environment, too."""
    async with caxton.connect(url, token=token_of, ca=files.ca) as client:
        await client.deploy("echo", echo_wasm)
        assert (await client.request("echo", b"hello")).content == b"hello"
    environment = {"CAXTON_URL": url, "CAXTON_TOKEN": token_of, "CAXTON_CA": str(files.ca)}
    listed = await asyncio.to_thread(CliRunner(env=environment).invoke, app, ["agent", "list", "-o", "json"])

    assert url.startswith("https://127.0.0.1:")
    assert [agent["name"] for agent in json.loads(listed.stdout)] == ["echo"]


async def test_who_does_not_trust_its_authority_asks_nothing(url, token_of, tmp_path):
    """The token stays here; the error says how to name an authority."""
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    for ca in (None, other):
        async with caxton.connect(url, token=token_of, ca=ca) as client:
            with pytest.raises(caxton.errors.SecurityError, match="--ca"):
                await client.agents()


async def test_a_name_that_the_certificate_does_not_have_is_not_believed(served, url, files, token_of):
    """Whoever could lead a name astray would have the token."""
    elsewhere = url.replace("127.0.0.1", "127.0.0.2")
    async with caxton.connect(elsewhere, token=token_of, ca=files.ca) as client:
        with pytest.raises((caxton.errors.SecurityError, caxton.errors.RuntimeNotFound)):
            await client.agents()


def test_metrics_are_told_with_tls(served, files, token_of):
    """The same certificate is that of both."""
    metrics = next(event["metrics"] for event in served.events if event["event"] == "ready")
    context = ssl.create_default_context(cafile=str(files.ca))
    answer = httpx.get(metrics, headers={"Authorization": f"Bearer {token_of}"}, verify=context, timeout=60.0)

    assert (metrics.partition(":")[0], answer.status_code) == ("https", 200)


def test_who_speaks_no_tls_is_cut_off(url):
    """And nobody else is held up by it."""
    host, port = url.removeprefix("https://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as plain:
        plain.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            while plain.recv(1_000):
                pass
        except ConnectionResetError:
            pass
    assert httpx.get(url + "/health", verify=False, timeout=60.0).status_code == 200  # noqa: S501 (what is asked is who answers)


async def test_a_certificate_that_is_renewed_is_shown_from_then_on(served, url, files, token_of):
    """Without a restart; who is connected stays connected."""

    def shown():
        host, port = url.removeprefix("https://").split(":")
        return ssl.get_server_certificate((host, int(port)), ca_certs=str(files.ca))

    context = ssl.create_default_context(cafile=str(files.ca))
    pid = (await served.event("gateway_ready"))["pid"]
    with httpx.Client(
        base_url=url, verify=context, headers={"Authorization": f"Bearer {token_of}"}, timeout=60.0
    ) as stays:
        before = stays.get("/ready").status_code
        first = shown()
        files.issue()

        async def renewed():
            return shown() != first

        await caxton.testing.eventually(renewed)
        after = stays.get("/ready").status_code

    assert (before, after) == (200, 200)
    assert [event["pid"] for event in served.events if event["event"] == "gateway_ready"] == [pid]


async def test_who_asks_has_a_certificate_where_that_is_wanted(tmp_path):
    """Besides a token: neither is enough alone."""
    files = Files(tmp_path)
    options = [*files.options, "--http-client-ca", str(files.ca)]
    with caxton.testing.runtime(options=options) as served, caxton.connect_sync(served.runtime_dir) as here:
        url = next(event["http"] for event in served.events if event["event"] == "ready")
        token = here.create_token("tls", "viewer").token
        async with caxton.connect(url, token=token, ca=files.ca, cert=files.mine) as client:
            assert await client.agents() == []
        async with caxton.connect(url, token=token, ca=files.ca) as client:
            with pytest.raises((caxton.errors.NetworkError, caxton.errors.RuntimeNotFound)):
                await client.agents()
        async with caxton.connect(url, token="cx_" + "A" * 43, ca=files.ca, cert=files.mine) as client:
            with pytest.raises(caxton.errors.TokenRefused):
                await client.agents()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--http-cert", "{cert}"], "it is nothing without --http-key"),
        (["--http-client-ca", "{ca}"], "it is nothing without --http-cert and --http-key"),
        (["--http-cert", "{cert}", "--http-key", "{mine}.missing"], "No such file"),
        (["--http-cert", "{cert}", "--http-key", "{cert}"], "others may read or write it"),
        (["--http-cert", "{key}", "--http-key", "{key}"], "cannot be read"),
    ],
)
def test_what_cannot_be_served_is_told_at_the_start(files, tmp_path, options, said):
    """Before anything is started, with the option that is wrong."""
    files.cert.chmod(0o644)
    given = [option.format(cert=files.cert, key=files.key, ca=files.ca, mine=files.mine) for option in options]
    directories = ["--runtime-dir", str(tmp_path / "run"), "--data-dir", str(tmp_path / "data")]
    done = CliRunner(env={"CAXTON_URL": ""}).invoke(app, ["serve", "--http", "127.0.0.1:0", *given, *directories])

    assert (done.exit_code, done.stdout) == (1, "")
    assert said in done.stderr
    assert not (tmp_path / "run").exists()
