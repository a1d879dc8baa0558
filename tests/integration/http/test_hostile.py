"""Whatever is sent, the answer is a problem or a clean close; nothing leaks, and the next one is answered."""

import json
import socket
from urllib.parse import urlsplit

import pytest

from caxton.gateway.limits import MAX_BODY_BYTES, MAX_HEAD_BYTES, MAX_MESSAGES, MAX_PAGE

DEEP = b"[" * 100_000
JSON = {"Content-Type": "application/json"}
# Method, path, headers, body, and what is answered.
CASES = {
    "no route": ("GET", "/v2", {}, b"", 404),
    "a path of dots": ("GET", "/v1/%2e%2e/%2e%2e/etc/passwd", {}, b"", 404),
    "a slash in a name": ("GET", "/v1/agents/a%2Fb", {}, b"", 404),
    "a zero byte in a name": ("GET", "/v1/agents/%00", {}, b"", 422),
    "a name that is not UTF-8": ("GET", "/v1/agents/%ff", {}, b"", 404),
    "a name of controls": ("GET", "/v1/agents/%1b%5b31m", {}, b"", 422),
    "a name that is too long": ("GET", f"/v1/agents/{'a' * 900}", {}, b"", 422),
    "an agent that is a client": ("POST", "/v1/agents/8000000000000001/pause", {}, b"", 404),
    "the id of nobody": ("GET", "/v1/agents/0000000000000000", {}, b"", 404),
    "all agents as one": ("DELETE", "/v1/agents/ffffffffffffffff", {}, b"", 404),
    "a method that is none": ("BREW", "/v1/agents", {}, b"", 400),
    "a method of another route": ("PATCH", "/v1/agents/echo", {}, b"", 405),
    "an unknown parameter": ("GET", "/v1/agents?colour=red", {}, b"", 422),
    "a page of nothing": ("GET", "/v1/agents?limit=0", {}, b"", 400),
    "a page that is no number": ("GET", "/v1/agents?limit=1e9", {}, b"", 400),
    "a cursor of another list": ("GET", "/v1/dead-letters?after=echo", {}, b"", 422),
    "a cursor that is no id": ("GET", "/v1/conversations?after=x", {}, b"", 400),
    "an unknown reason": ("GET", "/v1/dead-letters?reason=x", {}, b"", 422),
    "an unknown level": ("GET", "/v1/agents/echo/logs?level=loud", {}, b"", 422),
    "a timeout without end": ("POST", "/v1/messages?timeout_s=inf", JSON, b'{"receiver_name": "echo"}', 400),
    "no body": ("POST", "/v1/messages", JSON, b"", 400),
    "no type": ("POST", "/v1/messages", {}, b"{}", 415),
    "another type": ("POST", "/v1/messages", {"Content-Type": "text/plain"}, b"{}", 415),
    "no JSON": ("POST", "/v1/messages", JSON, b"{", 400),
    "half a character": ("POST", "/v1/messages", JSON, b'{"receiver_name": "\xc3"}', 400),
    "no object": ("POST", "/v1/messages", JSON, b"[]", 400),
    "depths of JSON": ("POST", "/v1/messages", JSON, DEEP, 400),
    "depths of a choice": ("POST", "/v1/dead-letters/purge", JSON, DEEP, 400),
    "an unknown field": ("POST", "/v1/messages", JSON, b'{"receiver_name": "echo", "colour": 1}', 400),
    "an unknown choice": ("POST", "/v1/dead-letters/purge", JSON, b'{"all": true}', 400),
    "a receiver that is a list": ("POST", "/v1/messages", JSON, b'{"receiver": []}', 400),
    "nobody to send to": ("POST", "/v1/messages", JSON, b'{"content": "x"}', 400),
    "a sender of another": ("POST", "/v1/messages", JSON, b'{"receiver_name": "nobody", "sender": "01"}', 400),
    "a content of halves": ("POST", "/v1/messages", JSON, b'{"receiver_name": "echo", "content": "\\ud800"}', 400),
    "options that are none": ("POST", "/v1/messages", JSON, b'{"receiver_name": "echo", "delivery_options": 5}', 400),
    "an act that does not begin its protocol": (
        "POST",
        "/v1/messages/request",
        JSON,
        b'{"receiver_name": "echo", "protocol": "fipa-query"}',
        422,
    ),
    "a batch that is none": ("POST", "/v1/messages/batch", JSON, b'{"messages": {}}', 400),
    "a batch of numbers": ("POST", "/v1/messages/batch", JSON, b'{"messages": [1]}', 400),
    "a key for a batch": ("POST", "/v1/messages/batch", JSON | {"Idempotency-Key": "a"}, b'{"messages": []}', 422),
    "a form without a boundary": ("POST", "/v1/agents", {"Content-Type": "multipart/form-data"}, b"x", 400),
    "a form of other parts": (
        "POST",
        "/v1/agents",
        {"Content-Type": "multipart/form-data; boundary=b"},
        b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n--b--\r\n',
        400,
    ),
    "a form in a charset that there is not": (
        "POST",
        "/v1/agents",
        {"Content-Type": "multipart/form-data; boundary=b"},
        b'--b\r\nContent-Disposition: form-data; name="agent"\r\nContent-Type: a/b; charset=z\r\n\r\ny\r\n--b--\r\n',
        400,
    ),
    "a form that is no text": (
        "POST",
        "/v1/agents",
        {"Content-Type": "multipart/form-data; boundary=b"},
        b'--b\r\nContent-Disposition: form-data; name="agent"\r\n\r\n\xff\xfe\r\n--b--\r\n',
        400,
    ),
    "another host": ("GET", "/v1/agents", {"Host": "evil.example"}, b"", 421),
    "a page of elsewhere": ("GET", "/v1/agents", {"Origin": "https://evil.example"}, b"", 403),
    "a head that is too long": ("GET", "/v1/agents", {"X": "a" * MAX_HEAD_BYTES}, b"", 431),
}


@pytest.mark.parametrize(("method", "path", "headers", "body", "status"), CASES.values(), ids=CASES)
def test_what_cannot_be_is_a_problem(admin, method, path, headers, body, status):
    """With its status, and with words that control nothing; and the next request is answered."""
    answer = admin.request(method, path, headers=headers, content=body)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    problem = answer.json()
    assert problem["status"] == status
    assert problem.keys() == {"type", "title", "status", "detail", "code", "fields"}
    assert problem["detail"].isprintable()
    assert admin.get("/ready").status_code == 200


def test_a_page_is_so_long_and_no_longer(admin):
    """One more than may be asked for is refused."""
    assert admin.get("/v1/agents", params={"limit": MAX_PAGE}).status_code == 200
    assert admin.get("/v1/agents", params={"limit": MAX_PAGE + 1}).status_code == 400


def test_a_batch_is_so_long_and_no_longer(admin):
    """One more is refused, and nothing was sent."""
    one = {"receiver_name": "echo", "delivery_options": {"reliability": "at_most_once"}}
    most = admin.post("/v1/messages/batch", json={"messages": [one] * MAX_MESSAGES})
    more = admin.post("/v1/messages/batch", json={"messages": [one] * (MAX_MESSAGES + 1)})

    assert most.json()["accepted"] == MAX_MESSAGES
    assert more.status_code == 422
    assert more.json()["fields"]["field"] == "messages"


RAW = [
    b"\x00" * 1_000,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"POST /v1/messages HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST /v1/messages HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nabcd",
    b"POST /v1/messages HTTP/1.1\r\nHost: {host}\r\nContent-Length: -1\r\n\r\n",
    b"GET /v1\r\nX: y HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: {host}\r\nX: a\x00b\r\n\r\n",
    b"GET http://evil.example/ready HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"GET http://evil.example/ready HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"GET http://evil.example/board/app.js HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"GET http://x@{host}/ready HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"GET ftp://{host}/ready HTTP/1.1\r\nHost: {host}\r\n\r\n",
    b"CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


@pytest.mark.parametrize("raw", RAW)
def test_what_is_no_request_of_ours_ends_in_a_problem(admin, url, raw):
    """Said byte by byte: never an answer as if all were well, and the connection is closed."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), 30) as connection:
        connection.sendall(raw.replace(b"{host}", place.netloc.encode()))
        connection.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = said.partition(b"\r\n\r\n")

    assert head[9:12] in {b"400", b"401", b"413", b"421"}, said
    assert json.loads(body)["status"] == int(head[9:12])
    assert admin.get("/ready").status_code == 200


def test_a_target_may_name_the_gateway_itself(url):
    """As a client sends it that takes the gateway for a proxy, for the host that it names in Host too."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), 30) as connection:
        head = f"GET {url}/ready HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        said = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert said.startswith(b"HTTP/1.1 200")
    assert said.endswith(b'{"ready":true}')


@pytest.mark.parametrize(
    ("path", "role"), [("agents", "operator"), ("dead-letters/requeue", "sender"), ("dead-letters/purge", "sender")]
)
def test_who_may_not_is_told_so_before_the_body_is_there(url, token, path, role):
    """Or the gateway would take what it refuses anyway."""
    place = urlsplit(url)
    head = f"POST /v1/{path} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {token(role)}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{"
    with socket.create_connection((place.hostname, place.port), 30) as connection:
        connection.sendall(head.encode())
        assert connection.recv(12) == b"HTTP/1.1 403"


def test_who_leaves_in_the_midst_leaves_nothing(admin, url, token):
    """Half a body, a whole request whose answer nobody reads, and a stream: nothing stays under way."""
    place = urlsplit(url)
    head = f"Host: {place.netloc}\r\nAuthorization: Bearer {token('admin')}\r\n".encode()
    for raw in (
        b"POST /v1/messages HTTP/1.1\r\n" + head + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
        b"GET /v1/stats HTTP/1.1\r\n" + head + b"\r\n",
        b"GET /v1/agents/echo/logs?follow=true HTTP/1.1\r\n" + head + b"\r\n",
    ):
        with socket.create_connection((place.hostname, place.port), 30) as connection:
            connection.sendall(raw)
    seen = {}
    while (seen.get("under_way"), seen.get("streams"), seen.get("body_bytes")) != (1, 0, 0):
        seen = admin.get("/v1/stats").json()["gateway"]
