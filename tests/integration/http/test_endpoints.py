"""Every endpoint does what it says, and only for who may have it done."""

import asyncio
import base64
import json
import re

import httpx
import pytest

import caxton
import caxton.testing
from caxton.acl.envelope import MAX_CONTENT

ROLES = ("viewer", "sender", "operator", "admin")
# What each takes: method, path, body, and the least role.
HELLO = {"receiver_name": "echo", "content": "hello"}
ENDPOINTS = [
    ("GET", "/v1/agents", None, "viewer"),
    ("GET", "/v1/agents/echo", None, "viewer"),
    ("GET", "/v1/agents/echo/logs", None, "viewer"),
    ("GET", "/v1/busiest", None, "viewer"),
    ("GET", "/v1/call-graph", None, "viewer"),
    ("GET", "/v1/capabilities", None, "viewer"),
    ("GET", "/v1/conversations", None, "viewer"),
    ("GET", "/v1/conversations/01a22a09-8ae6-7fb8-825c-617f21ab1068", None, "viewer"),
    ("GET", "/v1/events", None, "viewer"),
    ("GET", "/v1/dead-letters", None, "viewer"),
    ("GET", "/v1/dead-letters/0-1", None, "viewer"),
    ("GET", "/v1/health", None, "viewer"),
    ("GET", "/v1/ledger", None, "viewer"),
    ("GET", "/v1/session", None, "viewer"),
    ("POST", "/v1/session", None, "viewer"),
    ("DELETE", "/v1/session", None, "viewer"),
    ("GET", "/v1/stats", None, "viewer"),
    ("GET", "/v1/workers", None, "viewer"),
    ("GET", "/openapi.json", None, "viewer"),
    ("POST", "/v1/messages", HELLO, "sender"),
    ("POST", "/v1/messages/request", HELLO, "sender"),
    ("POST", "/v1/messages/batch", {"messages": [HELLO]}, "sender"),
    ("POST", "/v1/protocols/contract-net", {"task": "x", "to": ["nobody"], "deadline_s": 1}, "sender"),
    ("GET", "/v1/inbox", None, "sender"),
    ("POST", "/v1/dead-letters/requeue", {"everything": True}, "operator"),
    ("POST", "/v1/dead-letters/purge", {"everything": True}, "operator"),
    ("POST", "/v1/agents/nobody/pause", None, "operator"),
    ("POST", "/v1/agents/nobody/resume", None, "operator"),
    ("POST", "/v1/agents/nobody/drain", None, "operator"),
    ("POST", "/v1/agents/nobody/stop", None, "operator"),
    ("POST", "/v1/workers/restart", None, "operator"),
    ("POST", "/v1/workers/31/restart", None, "operator"),
    ("GET", "/v1/config", None, "viewer"),
    ("PATCH", "/v1/config", {"settings": {"gateway.http": "x"}}, "admin"),
    ("GET", "/v1/audit", None, "admin"),
    ("GET", "/v1/audit/verification", None, "admin"),
    ("GET", "/v1/audit/head", None, "admin"),
    ("POST", "/v1/agents", {"name": "x", "wasm": ""}, "admin"),
    ("DELETE", "/v1/agents/nobody", None, "admin"),
]
# Whose own answer to this is that there is none, or that it cannot be.
REFUSED_WHEN_ALLOWED = {404, 409, 422}


@pytest.mark.parametrize("role", [None, *ROLES])
@pytest.mark.parametrize(("method", "path", "body", "least"), ENDPOINTS, ids=[f"{e[0]} {e[1]}" for e in ENDPOINTS])
def test_every_endpoint_with_every_role(admin, asking, role, method, path, body, least):
    """Without a token nothing answers, with less than it takes nothing is done, and else it is."""
    if role in {"operator", "admin"} and path == "/v1/workers/restart":
        pytest.skip("it is tried last, because others wait for it")
    with asking(role).stream(method, path, json=body) if body else asking(role).stream(method, path) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            answer.read()

    if role is None:
        assert (answer.status_code, answer.json()["code"]) == (401, "TokenMissing")
        assert "caxton token create" in answer.json()["detail"]
    elif ROLES.index(role) < ROLES.index(least):
        assert (answer.status_code, answer.json()["code"]) == (403, "AccessDenied")
    else:
        assert answer.is_success or answer.status_code in REFUSED_WHEN_ALLOWED, answer.text
        if not answer.is_success:
            assert answer.headers["content-type"] == "application/problem+json"


def test_the_table_above_is_complete(admin):
    """OpenAPI has no path and method that is not tried with every role, but for those that are open."""
    document = admin.get("/openapi.json").json()
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    tried = {(method, re.sub(r"/(echo|nobody)\b", "/{agent}", path)) for method, path, _, _ in ENDPOINTS}
    tried = {(m, re.sub(r"conversations/.*", "conversations/{conversation}", p)) for m, p in tried}
    tried = {(m, p.replace("/0-1", "/{letter}").replace("/31/", "/{shard}/")) for m, p in tried}

    assert document["openapi"].startswith("3.1")
    assert told - tried == {("GET", "/health"), ("GET", "/ready")}
    assert tried - told == {("GET", "/openapi.json")}


def test_every_reference_of_the_document_leads_somewhere(admin):
    """Each schema that is named is there, and every operation says what is wrong as a problem."""
    answer = admin.get("/openapi.json")
    document = answer.json()
    named = set(re.findall(r'"#/components/schemas/(\w+)"', answer.text))

    assert named <= document["components"]["schemas"].keys()
    assert {"AgentForm", "MessageToSend", "Problem", "RouterStats"} <= named
    for methods in document["paths"].values():
        for operation in methods.values():
            assert "application/problem+json" in operation["responses"]["default"]["content"]


def test_an_agent_is_deployed_shown_and_removed(admin, echo_wasm):
    """With a module in base64 this time; its name is free again afterwards."""
    body = {"name": "twice", "wasm": base64.b64encode(echo_wasm.read_bytes()).decode(), "limits": {"max_hops": 5}}
    made = admin.post("/v1/agents", json=body)
    again = admin.post("/v1/agents", json=body)
    shown = admin.get(made.headers["location"]).json()

    assert (made.status_code, made.json()["name"]) == (201, "twice")
    assert (again.status_code, again.json()["code"]) == (409, "AgentAlreadyRegistered")
    assert (shown["agent_id"], shown["limits"]["max_hops"], shown["state"]) == (made.json()["agent_id"], 5, "running")
    assert admin.delete("/v1/agents/twice").status_code == 204
    assert admin.get("/v1/agents/twice").json()["fields"] == {"agent": "twice"}


BEYOND_OTHERS = 11 << 20


@pytest.mark.parametrize("form", [True, False])
def test_a_large_module_is_deployed(admin, echo_wasm, form):
    """Larger than what servers of HTTP take where nobody says how much they may."""
    # A section that engines pass over: its id, its length in LEB128, its name and what it holds.
    size = BEYOND_OTHERS + 2
    length = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21])
    wasm = echo_wasm.read_bytes() + b"\0" + length + b"\1x" + bytes(BEYOND_OTHERS)
    if form:
        made = admin.post("/v1/agents", files={"agent": (None, '{"name": "large"}'), "wasm": ("large.wasm", wasm)})
    else:
        made = admin.post("/v1/agents", json={"name": "large", "wasm": base64.b64encode(wasm).decode()})

    assert made.status_code == 201, made.text
    assert admin.delete("/v1/agents/large").status_code == 204


def test_a_message_of_the_greatest_size_is_sent(admin, echo_wasm):
    """As base64, which makes it a third longer."""
    limits = {"max_message_bytes": MAX_CONTENT, "max_memory_bytes": 64 << 20}
    wasm = base64.b64encode(echo_wasm.read_bytes()).decode()
    assert admin.post("/v1/agents", json={"name": "patient", "wasm": wasm, "limits": limits}).status_code == 201
    content = {"base64": base64.b64encode(bytes(MAX_CONTENT)).decode()}
    options = {"reliability": "at_most_once"}
    letter = {"receiver_name": "patient", "content": content, "delivery_options": options}
    sent = admin.post("/v1/messages", json=letter)

    assert (sent.status_code, sent.json().get("is_new")) == (200, True), sent.text
    assert admin.delete("/v1/agents/patient").status_code == 204


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "x", "wasm": "AA=="}, 422, "InvalidModule"),
        ({"name": "x", "wasm": "?"}, 400, "InvalidMessageFormat"),
        ({"name": " x", "wasm": "AA=="}, 422, "ValidationError"),
        ({"name": "x", "wasm": "AA==", "colour": 1}, 400, "InvalidMessageFormat"),
        ({"name": "x", "wasm": "AA==", "limits": {"max_fuel": 1}}, 422, "ValidationError"),
        ({"wasm": "AA=="}, 400, "InvalidMessageFormat"),
    ],
)
def test_what_cannot_be_deployed_is_a_problem(admin, body, status, code):
    """The same errors as in a program."""
    answer = admin.post("/v1/agents", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_agents_come_in_pages(admin, echo_wasm):
    """Each begins where the one before ended; what a filter asks for is all that is there."""
    wasm = base64.b64encode(echo_wasm.read_bytes()).decode()
    for number in range(5):
        assert admin.post("/v1/agents", json={"name": f"page-{number}", "wasm": wasm}).status_code == 201
    names, after = [], {}
    while after is not None:
        page = admin.get("/v1/agents", params={"name": "page-*", "limit": 2, **after}).json()
        names.append([agent["name"] for agent in page["agents"]])
        after = None if page["next"] is None else {"after": page["next"]}

    assert names == [["page-0", "page-1"], ["page-2", "page-3"], ["page-4"]]
    assert [one["name"] for one in admin.get("/v1/agents", params={"capability": "say"}).json()["agents"]] == ["echo"]
    for number in range(5):
        admin.delete(f"/v1/agents/page-{number}")


def test_an_agent_is_paused_and_resumed(admin):
    """What it cannot do from where it stands is a conflict."""
    before = admin.post("/v1/agents/echo/pause"), admin.get("/v1/agents/echo").json()["state"]
    after = admin.post("/v1/agents/echo/resume"), admin.get("/v1/agents/echo").json()["state"]
    again = admin.post("/v1/agents/echo/resume")

    assert (before[0].status_code, before[1]) == (204, "paused")
    assert (after[0].status_code, after[1]) == (204, "running")
    assert (again.status_code, again.json()["code"]) == (409, "InvalidStateTransition")


def test_a_request_is_answered(asking, admin):
    """By name and by id; text is text, and bytes are base64; what follows is done for the token's principal."""
    sender, agent = asking("sender"), admin.get("/v1/agents/echo").json()["agent_id"]
    by_name = sender.post("/v1/messages/request", json=HELLO).json()
    by_id = sender.post("/v1/messages/request", json={"receiver": agent, "content": {"base64": "/w=="}}).json()
    capable = sender.post("/v1/messages/request", json={"receiver": {"capability": ["say"]}, "content": "x"}).json()

    assert (by_name["content"], by_name["sender"], by_name["performative"]) == ("hello", agent, "inform")
    assert by_id["content"] == {"base64": "/w=="}
    assert capable["sender"] == agent


def test_a_message_is_sent_once_for_each_idempotency_key(asking, admin):
    """The second time says so; other content under the same key is refused."""
    sender, key = asking("sender"), {"Idempotency-Key": "once"}
    first, second = (sender.post("/v1/messages", json=HELLO, headers=key).json() for _ in range(2))
    other = sender.post("/v1/messages", json=HELLO | {"content": "other"}, headers=key)
    both = sender.post(
        "/v1/messages", json=HELLO | {"delivery_options": {"idempotency_key": "a"}}, headers={"Idempotency-Key": "b"}
    )

    assert (first["is_new"], first["reliability"], second["is_new"]) == (True, "at_least_once", False)
    assert (other.status_code, other.json()["code"]) == (422, "IdempotencyKeyReused")
    assert both.status_code == 422


def test_each_message_of_a_batch_has_its_own_end(asking, admin):
    """Receipts and problems stand in order, also of those that cannot be read, or that the token may not send."""
    messages = [
        HELLO,
        {"receiver_name": "nobody"},
        HELLO | {"colour": "red"},
        HELLO | {"content": 5},
        HELLO,
        HELLO | {"receiver_name": "other"},
        HELLO | {"delivery_options": {"priority": "loud"}},
    ]
    sender, some = asking("sender"), asking("sender", "echo")
    every = [one.post("/v1/messages/batch", json={"messages": messages}).json() for one in (sender, some)]

    said = [[one.get("problem", {}).get("code") for one in answer["results"]] for answer in every]
    wrong = "InvalidMessageFormat"
    assert said[0] == [None, "AgentNotFound", wrong, wrong, None, "AgentNotFound", wrong]
    assert said[1] == [None, "AccessDenied", wrong, wrong, None, "AccessDenied", wrong]
    assert [answer["accepted"] for answer in every] == [2, 2]
    fields = [every[0]["results"][place]["problem"]["fields"]["field"] for place in (2, 3, 6)]
    assert fields == ["message", "content", "delivery_options"]


def test_a_batch_of_nothing_but_wrong_messages_is_answered(asking, admin):
    """None of them is sent, and each says why."""
    answer = asking("sender").post("/v1/messages/batch", json={"messages": [{"content": "to nobody"}] * 3})

    assert (answer.status_code, answer.json()["accepted"]) == (200, 0)
    assert [one["problem"]["status"] for one in answer.json()["results"]] == [400] * 3
    assert asking("sender").post("/v1/messages/batch", json={"messages": []}).json() == {"results": [], "accepted": 0}


def test_a_dead_letter_is_listed_shown_requeued_and_purged(admin, echo_wasm):
    """As on the command line, where what is stopped has made some."""
    wasm = base64.b64encode(echo_wasm.read_bytes()).decode()
    admin.post("/v1/agents", json={"name": "grave", "wasm": wasm})
    admin.post("/v1/agents/grave/pause")
    for number in range(3):
        assert admin.post("/v1/messages", json={"receiver_name": "grave", "content": str(number)}).is_success
    admin.post("/v1/agents/grave/stop")
    page = admin.get("/v1/dead-letters", params={"agent": "grave", "limit": 2}).json()
    rest = admin.get("/v1/dead-letters", params={"agent": "grave", "after": page["next"]}).json()
    first = page["dead_letters"][0]
    shown = admin.get(f"/v1/dead-letters/{first['id']}").json()
    purged = admin.post("/v1/dead-letters/purge", json={"ids": [first["id"]]}).json()
    requeued = admin.post("/v1/dead-letters/requeue", json={"agent": "grave"}).json()

    assert (len(page["dead_letters"]), len(rest["dead_letters"]), rest["next"]) == (2, 1, None)
    assert "content" not in first["message"]
    assert (shown["message"]["content"], shown["reason"]) == ("0", first["reason"])
    assert purged == {"count": 1}
    assert requeued["message_ids"].keys() == {page["dead_letters"][1]["id"], rest["dead_letters"][0]["id"]}
    assert admin.get(f"/v1/dead-letters/{first['id']}").status_code == 404
    assert admin.post("/v1/dead-letters/purge", json={}).status_code == 422
    admin.delete("/v1/agents/grave")


def test_conversations_come_in_pages(asking, admin):
    """With who takes part; one by its id has its history."""
    sender = asking("sender")
    for _ in range(3):
        sender.post("/v1/messages/request", json=HELLO | {"protocol": "fipa-request"})
    page = admin.get("/v1/conversations", params={"agent": "echo", "limit": 2}).json()
    rest = admin.get("/v1/conversations", params={"agent": "echo", "after": page["next"]}).json()
    shown = admin.get(f"/v1/conversations/{page['conversations'][0]['id']}").json()

    assert (len(page["conversations"]), page["conversations"][0]["history"]) == (2, [])
    assert len({one["id"] for one in page["conversations"] + rest["conversations"]}) >= 3
    assert shown["history"][0]["performative"] == "request"


def test_figures_of_the_runtime_and_its_books(admin):
    """The books balance, and the gateway has counted who asked."""
    ledger, health, stats = (admin.get(f"/v1/{name}").json() for name in ("ledger", "health", "stats"))

    assert ledger["balanced"] is True
    assert ledger["shards"].keys() == {"0", "1"}
    assert (stats["gateway"]["requests"]["200"] >= 1, stats["gateway"]["bid_bytes"]) == (True, 0)
    assert stats["gateway"]["clients"] >= 1
    assert stats["runtime"]["sessions"] >= 1
    assert {"status", "reasons", "components"} <= health.keys()
    assert len(admin.get("/v1/workers").json()["workers"]) == 2


def test_a_token_for_some_agents_is_for_no_others(asking, admin, echo_wasm):
    """By name or id, in lists, and in what is about all of them; it learns no name that it is not for."""
    wasm = base64.b64encode(echo_wasm.read_bytes()).decode()
    other = admin.post("/v1/agents", json={"name": "other", "wasm": wasm}).json()["agent_id"]
    some = asking("admin", "ech*")
    refused = [
        some.get(f"/v1/agents/{other}"),
        some.get("/v1/agents/other"),
        some.delete("/v1/agents/other"),
        some.post("/v1/messages", json={"receiver": other}),
        some.post("/v1/messages", json={"receiver_name": "other"}),
        some.post("/v1/messages", json={"receiver_name": "echo", "receiver": other}),
        some.post("/v1/messages", json=HELLO | {"reply_to": other}),
        some.post("/v1/messages", json={"receiver": "ffffffffffffffff"}),
        some.post("/v1/messages", json={"receiver": {"capability": ["say"]}}),
        some.post("/v1/agents", json={"name": "third", "wasm": wasm}),
        some.post("/v1/agents", json={"name": "echo-2", "wasm": wasm, "escalate_to": "other"}),
        some.post("/v1/dead-letters/purge", json={"everything": True}),
        *(
            some.get(f"/v1/{name}")
            for name in ("stats", "ledger", "health", "workers", "conversations", "dead-letters")
        ),
    ]

    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(403, "AccessDenied")}
    assert [answer.text for answer in refused[:1] if '"other"' in answer.text] == []
    assert [agent["name"] for agent in some.get("/v1/agents").json()["agents"]] == ["echo"]
    assert some.post("/v1/messages/request", json=HELLO).json()["content"] == "hello"
    assert some.get("/v1/dead-letters", params={"agent": "echo"}).json()["dead_letters"] == []
    admin.delete("/v1/agents/other")


async def test_what_agents_send_unasked_is_counted(served, asking, admin):
    """Whoever asks by HTTP has nowhere to read it; its durable messages are taken all the same, and hold up nothing."""

    async def talkative(delivered):
        return [caxton.Message(delivered.message.sender, b"by the way")] * 3

    def unasked():
        return admin.get("/v1/stats").json()["gateway"]["unasked"]

    before = unasked()
    async with served.connect() as client, client.attach("talkative", talkative):
        sent = await asyncio.to_thread(asking("sender").post, "/v1/messages", json={"receiver_name": "talkative"})

        async def counted():
            return await asyncio.to_thread(unasked) == before + 3

        await caxton.testing.eventually(counted)
    assert sent.status_code == 200
    admin.delete("/v1/agents/talkative")


def test_a_revoked_token_lets_nobody_in(served, asking, url):
    """From the next request on."""
    with caxton.connect_sync(served.runtime_dir) as client, httpx.Client(base_url=url, timeout=60.0) as http:
        made = client.create_token("short", "viewer")
        http.headers["Authorization"] = f"Bearer {made.token}"
        before = http.get("/v1/agents").status_code
        client.revoke_token(made.about.token_id)
        after = http.get("/v1/agents")

    assert (before, after.status_code, after.json()["code"]) == (200, 401, "TokenRefused")
    assert after.headers["www-authenticate"] == 'Bearer realm="caxton", error="invalid_token"'


async def test_workers_are_restarted_one_after_the_other(served, admin, asking):
    """By an operator; a second time while that goes on is a conflict."""
    seen = len(served.events)
    answers = [asking("operator").post("/v1/workers/restart") for _ in range(2)]
    await served.event("restart_ended", after=seen)

    assert [answer.status_code for answer in answers] == [202, 409]
    assert [worker["planned_restarts"] for worker in admin.get("/v1/workers").json()["workers"]] == [1, 1]


def test_pages_of_some_agents_are_full(admin, asking, echo_wasm):
    """However many others there are between them, by name and by capability; each page leads to the next."""
    for number in range(4):
        for kind in ("many", "few"):
            about = {"name": f"{kind}-{number}-of-pages", "capabilities": ["be-paged"]}
            files = {"agent": (None, json.dumps(about)), "wasm": ("echo.wasm", echo_wasm.read_bytes())}
            assert admin.post("/v1/agents", files=files).status_code == 201
    some = asking("viewer", "few-*-of-pages", "many-3-of-pages")
    wanted = [*(f"few-{number}-of-pages" for number in range(4)), "many-3-of-pages"]
    for params in ({}, {"capability": "be-paged"}):
        pages, after = [], None
        while not pages or after:
            page = some.get("/v1/agents", params={"limit": 2, **params} | ({"after": after} if after else {})).json()
            pages.append([one["name"] for one in page["agents"]])
            after = page["next"]
        assert pages == [wanted[:2], wanted[2:4], wanted[4:]]
