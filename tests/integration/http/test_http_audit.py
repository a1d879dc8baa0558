"""What comes by the gateway stands in the audit: what was denied, and why, who signed in; a flood is a few rows."""

import time

import httpx
import pytest

import caxton
import caxton.testing
from caxton.gateway.access.notes import MOST_STRANGERS

WITHIN_S = 60.0


@pytest.fixture
def owner(served):
    """The runtime's owner, who reads the audit."""
    with caxton.connect_sync(served.runtime_dir) as client:
        yield client


@pytest.fixture
def told(owner):
    """Return rows of an action once there are as many as are wanted."""

    def look(wanted=1, **asked):
        give_up_at = time.monotonic() + WITHIN_S
        found = []
        while len(found) < wanted and time.monotonic() < give_up_at:
            found = [*owner.audit(**asked)]
        assert len(found) >= wanted
        return found

    return look


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def test_what_a_token_may_not_do_is_told_with_its_principal(url, owner, told):
    """And what it lacks, of its role or of its agents; and from when it was revoked, that too."""
    made = owner.create_token("shop", "viewer", agents=["shop-*"])
    principal = f"token:{made.about.token_id}"
    with httpx.Client(base_url=url, headers=bearer(made.token), timeout=60.0) as asking:
        assert asking.post("/v1/agents/greeter/pause").status_code == 403
        assert asking.get("/v1/workers").status_code == 403
        assert asking.get("/v1/agents/greeter").status_code == 403
        assert asking.get("/v1/session").status_code == 200
        owner.revoke_token(made.about.token_id)
        assert asking.get("/v1/session").status_code == 401
    rows = told(4, principal=principal)
    assert {(row.action, row.subject, row.outcome) for row in rows} == {
        ("deny", "POST /v1/agents/greeter/pause", "it takes the role operator; the token shop"),
        ("deny", "GET /v1/workers", "it is about all agents; the token shop"),
        ("deny", "GET /v1/agents/greeter", "it is about the agent greeter; the token shop"),
        ("deny", "GET /v1/session", "the token is revoked"),
    }


def test_what_a_token_may_not_send_of_a_batch_is_told(url, owner, told):
    """Though the request is answered, with what became of each message."""
    made = owner.create_token("shop", "sender", agents=["shop-*"])
    with httpx.Client(base_url=url, timeout=60.0, headers=bearer(made.token)) as asking:
        answer = asking.post("/v1/messages/batch", json={"messages": [{"receiver_name": "greeter"}] * 2})
    assert [one["problem"]["code"] for one in answer.json()["results"]] == ["AccessDenied"] * 2
    (row, *_) = told(1, principal=f"token:{made.about.token_id}")
    assert (row.action, row.subject) == ("deny", "POST /v1/messages/batch")
    assert "it is about the agent greeter" in row.outcome


def test_who_has_no_token_is_told_by_address(url, told):
    """Without one, with one that is none, that nobody has; by another name, and from a page of another origin."""
    address = "127.0.0.9"  # of nobody else: what else strangers are refused is told together
    with httpx.Client(base_url=url, timeout=60.0, transport=httpx.HTTPTransport(local_address=address)) as asking:
        asking.get("/v1/agents")
        asking.get("/v1/agents", headers=bearer("cx_x"))
        asking.get("/v1/agents", headers=bearer("cx_" + "A" * 43))
        asking.get("/v1/agents", headers={"Host": "elsewhere.example"})
        asking.get("/v1/agents", headers={"Origin": "http://elsewhere.example"})
    rows = told(5, principal=f"address:{address}", action="deny")
    reasons = [row.outcome.partition(";")[0] for row in rows]
    assert {"no token", "the token is malformed", "the token is unknown"} <= {*reasons}
    assert any("'elsewhere.example'" in reason for reason in reasons)
    assert any("'http://elsewhere.example'" in reason for reason in reasons)


def test_who_signs_in_and_out_is_told(url, owner, told):
    """With the token that they showed."""
    made = owner.create_token("alice", "viewer")
    with httpx.Client(base_url=url, headers=bearer(made.token), timeout=60.0) as asking:
        assert asking.post("/v1/session").status_code == 200
        assert asking.delete("/v1/session").is_success
    rows = told(2, principal=f"token:{made.about.token_id}")
    assert [(row.action, row.subject, row.outcome) for row in rows] == [
        ("sign_in", "dashboard", "the token alice, from 127.0.0.1"),
        ("sign_out", "dashboard", "the token alice, from 127.0.0.1"),
    ]


def test_what_is_done_by_a_token_is_told_with_its_principal(url, owner, told):
    """A change of a setting, and a restart, as the gateway's clients ask for it."""
    made = owner.create_token("root", "admin")
    with httpx.Client(base_url=url, headers=bearer(made.token), timeout=60) as asking:
        asking.patch("/v1/config", json={"settings": {"runtime.log_level": "info"}}).raise_for_status()
        page = asking.get("/v1/audit", params={"limit": 1, "action": "change_setting"}).json()
    (row,) = page["rows"]
    assert (row["principal"], row["subject"]) == (f"token:{made.about.token_id}", "runtime.log_level")


def test_the_audit_is_told_a_page_at_a_time(admin, owner):
    """Newest first, in either direction; each row once; what is no cursor is refused."""
    for number in range(5):
        owner.create_token(f"page {number}", "viewer")
    for oldest_first in (False, True):
        found, after = [], None
        while True:
            asked = {"limit": 2, "action": "create_token", "oldest_first": oldest_first}
            page = admin.get("/v1/audit", params=asked | ({"after": after} if after else {})).raise_for_status().json()
            assert len(page["rows"]) <= 2
            found += [row["outcome"].partition(":")[0] for row in page["rows"]]
            after = page["next"]
            if after is None:
                break
        ours = [name for name in found if name.startswith("page")]
        assert ours == sorted(ours, reverse=not oldest_first)
        assert len(ours) == 5
    wrong = admin.get("/v1/audit", params={"after": "f-1"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "ValidationError")


def test_a_head_is_told_and_compared(admin):
    """It speaks for all rows of then; one that is none is refused, and another one is a fault."""
    head = admin.get("/v1/audit/head").raise_for_status().json()
    kept = f"{head['number']}:{head['hash']}"
    assert admin.get("/v1/audit/verification", params={"head": kept}).json() == {"whole": True, "faults": []}
    other = admin.get("/v1/audit/verification", params={"head": f"{head['number']}:{'0' * 64}"}).json()
    assert (other["whole"], len(other["faults"])) == (False, 1)
    wrong = admin.get("/v1/audit/verification", params={"head": "x"})
    assert (wrong.status_code, wrong.json()["fields"]["field"]) == (422, "head")


def test_a_flood_of_strangers_is_a_few_rows(url, served, owner, told):
    """Also of those who try another token each time; what was done is not pushed out, and nobody waits for it."""
    before = len([*owner.audit(action="create_token")])
    began = len([*owner.audit(action="deny")])
    address = "127.0.0.10"  # of nobody else: who fails from there is refused for a while, whatever they show
    with httpx.Client(base_url=url, timeout=60.0, transport=httpx.HTTPTransport(local_address=address)) as asking:
        for number in range(1_000):
            asking.get(f"/v1/agents/{number}", headers=bearer("cx_" + f"{number:043}"))
    last = owner.create_token("last", "viewer")
    with httpx.Client(base_url=url, headers=bearer(last.token), timeout=60.0) as asking:
        asking.post("/v1/agents/x/pause")
    told(1, principal=f"token:{last.about.token_id}")
    rows = [*owner.audit(action="deny")]
    assert len(rows) - began <= MOST_STRANGERS
    assert len([*owner.audit(action="create_token")]) == before + 1
    assert owner.verify_audit() == []


def test_what_was_counted_is_told_when_the_gateway_ends():
    """Also what would have waited for its minute to be over."""
    with caxton.testing.runtime(workers=1, options=["--http", "127.0.0.1:0"]) as served:
        url = next(event["http"] for event in served.events if event["event"] == "ready")
        with httpx.Client(base_url=url, timeout=60.0) as asking:
            for _ in range(3):
                asking.get("/v1/agents")
            with caxton.connect_sync(served.runtime_dir) as owner:
                give_up_at = time.monotonic() + WITHIN_S
                while not [*owner.audit(action="deny")] and time.monotonic() < give_up_at:
                    pass
            for _ in range(4):
                asking.get("/v1/agents")
        served.stop()
        served.start()
        with caxton.connect_sync(served.runtime_dir) as owner:
            rows = [*owner.audit(action="deny")]
            assert owner.verify_audit() == []
    often = [
        int(row.outcome.removesuffix(" times").rpartition("; ")[2]) if "times" in row.outcome else 1 for row in rows
    ]
    assert sum(often) == 7
