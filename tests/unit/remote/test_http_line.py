"""The line to a gateway, where others answer: too much, too late, something else, or nothing."""

import gzip
import os
import zlib

import pytest

import caxton
from caxton.agents.manifest import Encoding
from caxton.errors import ConfigurationError, InvalidMessageFormat, NetworkError, RuntimeNotFound, Timeout, UnknownError
from caxton.remote import http_line
from caxton.remote.address import Address
from caxton.remote.client import RemoteClient
from caxton.remote.connection import MOST_NAMES
from caxton.remote.http_line import HttpLine
from caxton.wire.calls import AgentView

TOKEN = "cx_" + "a" * 43


def head(length, status=200):
    return b"HTTP/1.1 %d x\r\ncontent-length: %d\r\n\r\n" % (status, length)


async def test_an_answer_is_so_long_and_no_longer(serve, monkeypatch):
    """What is more is not read to its end."""
    monkeypatch.setattr(http_line, "MAX_ANSWER_BYTES", 4)
    for body, error in ((b"1234", None), (b"12345", NetworkError)):
        url, _ = await serve(head(len(body)), body)
        line = HttpLine(Address.of(url, TOKEN))
        if error is None:
            assert await line.get("/", int) == 1234
        else:
            with pytest.raises(error, match="4 bytes"):
                await line.get("/", int)
        await line.close()


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize(
    ("packing", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), (" GZIP ", gzip.compress)]
)
async def test_an_answer_that_was_packed_is_refused(serve, packing, pack, status):
    """A little of it may become more than there is memory; it is asked for plain."""
    packed = pack(b"12345")
    url, asked = await serve(
        b"HTTP/1.1 %d x\r\ncontent-encoding: %s\r\ncontent-length: %d\r\n\r\n"
        % (status, packing.encode(), len(packed)),
        packed,
    )
    line = HttpLine(Address.of(url, TOKEN))
    with pytest.raises(NetworkError, match=packing.strip().lower()):
        await line.get("/", int)
    with pytest.raises(NetworkError, match=packing.strip().lower()):
        await anext(line.events("/"))
    await line.close()

    assert all(b"accept-encoding: identity\r\n" in request.lower() for request in asked)


async def test_an_answer_that_says_it_is_plain_is_read(serve):
    """That is an encoding, too."""
    url, _ = await serve(b"HTTP/1.1 200 x\r\ncontent-encoding: Identity\r\ncontent-length: 1\r\n\r\n", b"1")
    line = HttpLine(Address.of(url, TOKEN))
    assert await line.get("/", int) == 1
    await line.close()


async def test_who_does_not_answer_is_not_waited_for(serve):
    """The time is for all of it."""
    url, _ = await serve(closes=False)
    line = HttpLine(Address.of(url, TOKEN))
    with pytest.raises(Timeout):
        await line.post("/", dict, {}, timeout_s=0.05)
    await line.close()


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ((b"",), NetworkError),
        ((b"SSH-2.0-x\r\n",), NetworkError),
        ((head(10), b"1"), NetworkError),
        ((head(1), b"{"), InvalidMessageFormat),
        ((head(2), b"[]"), InvalidMessageFormat),
        ((b"HTTP/1.1 302 x\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",), NetworkError),
        ((head(13, 418), b'{"code": "a"}'), UnknownError),
    ],
)
async def test_who_is_no_gateway_is_an_error(serve, parts, error):
    """A redirect is not followed: the token is for nobody else."""
    url, asked = await serve(*parts)
    line = HttpLine(Address.of(url, TOKEN))
    with pytest.raises(error):
        await line.get("/", dict)
    await line.close()

    assert len(asked) == 1


async def test_neither_proxies_nor_passwords_come_from_the_environment(serve, monkeypatch, tmp_path):
    """A token goes to whom it was given for."""
    url, asked = await serve(head(2), b"{}")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setitem(os.environ, "NETRC", str(netrc))
    monkeypatch.setitem(os.environ, "HTTP_PROXY", "http://127.0.0.1:1")
    line = HttpLine(Address.of(url, TOKEN))
    await line.get("/", dict)
    await line.close()

    assert f"Bearer {TOKEN}".encode() in asked[0]


async def test_events_that_break_off_are_an_error(serve):
    """Only the event `end` is one."""
    url, _ = await serve(
        b"HTTP/1.1 200 x\r\ncontent-type: text/event-stream\r\n\r\n: hello\n\nevent: line\ndata: 1\n\n"
    )
    line = HttpLine(Address.of(url, TOKEN))
    events = line.events("/")
    first = await anext(events)
    with pytest.raises(NetworkError):
        await anext(events)
    await line.close()

    assert first == ("line", b"1")


async def test_nobody_there_is_told_so():
    """Then nothing was asked."""
    line = HttpLine(Address.of("http://127.0.0.1:1", TOKEN))
    with pytest.raises(RuntimeNotFound):
        await line.get("/", dict)
    await line.close()


def test_files_that_are_no_certificates_are_told(tmp_path):
    """Before anything is asked."""
    file = tmp_path / "ca.pem"
    file.write_text("nothing")
    for given in ({"ca": file}, {"ca": tmp_path / "missing"}, {"cert": file}):
        with pytest.raises(ConfigurationError, match="PEM"):
            HttpLine(Address.of("https://caxton.example", TOKEN, **given))


async def test_so_many_names_are_remembered_and_no_more():
    """The one that was told longest ago is asked again."""
    client = RemoteClient(Address.of("https://caxton.example", TOKEN))
    for number in range(MOST_NAMES + 1):
        name = f"agent-{number}"
        client._known(AgentView(number + 2, name, "running", 0, Encoding.CONTENT, (), {}, b"", False, 0, {}))

    assert client.id_of(f"agent-{MOST_NAMES}") == MOST_NAMES + 2
    assert client.id_of("agent-1") == 3
    with pytest.raises(caxton.errors.Unsupported):
        client.id_of("agent-0")
