"""`caxton token` against a runtime, and what its command line refuses."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

import caxton
from caxton.cli.main import app
from caxton.cli.moments import to_come_ms
from caxton.client.calls import token_calls
from caxton.client.own_runtime import own_runtime
from caxton.errors import TokenNotFound, TokenRefused, ValidationError
from caxton.gateway.access.access import Access, Refusal
from caxton.store.token_file import FILE_NAME
from caxton.tokens.role import Role
from caxton.wire.tokens import ListTokens

CAXTON = [sys.executable, "-P", "-m", "caxton"]
SHELL = f'caxton() {{ {shlex.join(CAXTON)} "$@"; }}; python3() {{ {shlex.quote(sys.executable)} "$@"; }}; '


@pytest.fixture(scope="module")
def directory():
    with own_runtime(1) as directory:
        yield directory


@pytest.fixture
def run(directory):
    return lambda *arguments: CliRunner(env={"CAXTON_RUNTIME_DIR": str(directory)}).invoke(app, ["token", *arguments])


@pytest.fixture
def access(directory):
    """Who may come in, as the gateway sees it."""
    with caxton.connect_sync(directory) as client:
        return Access(Path(client.health().data_dir) / FILE_NAME)


def told(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_a_token_is_made_listed_and_revoked(run, access):
    """The token alone is on standard output, once; it lets its holder in until it is revoked, and then no more."""
    made = run("create", "ci", "--role", "sender", "--agents", "a*", "--agents", "b", "--expires", "30d")
    assert made.exit_code == 0, made.stderr
    text = made.stdout.strip()
    grant = access.authenticate(text)
    (row,) = [row for row in told(run("list", "-o", "json")) if row["token_id"] == grant.token_id]

    assert made.stderr.startswith(f"caxton: token {grant.token_id}: sender for a*, b; it expires at 2")
    assert (grant.role, grant.patterns) == (Role.SENDER, ("a*", "b"))
    assert (row["name"], row["role"], row["agents"], row["state"]) == ("ci", "sender", ["a*", "b"], "valid")
    until = datetime.fromisoformat(row["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < until <= timedelta(days=30)
    revoked = run("revoke", grant.token_id)
    assert revoked.stdout == f"token {grant.token_id} (ci) lets nobody in any more\n"
    with pytest.raises(TokenRefused) as refused:
        access.authenticate(text)
    assert refused.value.why is Refusal.REVOKED
    listed = run("list").stdout
    assert text not in listed
    assert f"{grant.token_id}  ci    sender  a*, b   revoked" in listed


def test_programs_get_json(run, access):
    """One object, with the token beside what is known of it from now on."""
    made = told(run("create", "ci", "--role", "viewer", "-o", "json"))
    assert access.authenticate(made.pop("token")).is_for_all
    assert made in told(run("list", "-o", "json"))
    revoked = told(run("revoke", made["token_id"], "-o", "json"))
    assert revoked == made | {"state": "revoked", "revoked_at": revoked["revoked_at"]}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("create", "ci"), "role"),
        (("create", "ci", "--role", "root"), "root"),
        (("create", "", "--role", "viewer"), "name"),
        (("create", "ci", "--role", "viewer", "--agents", ""), "agents"),
        (("create", "ci", "--role", "viewer", "--expires", "soon"), "such as 30d"),
        (("create", "ci", "--role", "viewer", "--expires", "2001-01-01"), "no time to come"),
        (("create", "ci", "--role", "viewer", "--expires", "0s"), "no time to come"),
    ],
)
def test_a_wrong_command_line_makes_no_token(run, arguments, says):
    """It is said what is wrong, and the code is that of a wrong command line."""
    before = told(run("list", "-o", "json"))
    found = run(*arguments)
    assert (found.exit_code, found.stdout) == (2, "")
    assert says in found.stderr
    assert told(run("list", "-o", "json")) == before


@pytest.mark.parametrize("token_id", ["0" * 16, "ci", "cx_" + "a" * 43])
def test_an_id_that_no_token_has_is_an_error(run, token_id):
    """Also a name, and a token itself."""
    found = run("revoke", token_id, "-o", "json")
    assert (found.exit_code, json.loads(found.stderr)["error"]) == (1, "TokenNotFound")


def test_a_program_without_a_loop_has_the_same_calls(directory, access):
    """It makes, lists and revokes tokens; the names of roles and agents are looked at before anything is sent."""
    until = datetime.now(UTC) + timedelta(hours=1)
    with caxton.connect_sync(directory) as client:
        made = client.create_token("ci", "admin", agents=["shop-*"], expires_at=until)
        assert access.authenticate(made.token).role is Role.ADMIN
        assert client.tokens()[-1] == made.about
        assert client.revoke_token(made.about.token_id).revoked_at is not None
        for wrong in ({"role": "root"}, {"agents": "a*"}, {"agents": [7]}, {"expires_at": "soon"}, {"expires_at": 5}):
            with pytest.raises(ValidationError):
                client.create_token(**{"name": "ci", "role": "viewer"} | wrong)
        with pytest.raises(TokenNotFound):
            client.revoke_token(7)


def test_more_tokens_than_an_answer_has_are_all_told(directory, monkeypatch):
    """Page by page, the oldest first."""
    monkeypatch.setattr(token_calls, "ListTokens", lambda after: ListTokens(after, 2))
    with caxton.connect_sync(directory) as client:
        made = [client.create_token(f"n{number}", "viewer").about for number in range(5)]
        told_of = client.tokens()
    assert {one.token_id for one in made} <= {one.token_id for one in told_of}
    assert [one.created_at for one in told_of] == sorted(one.created_at for one in told_of)


def test_moments_to_come():
    """In so long, or at a moment; what has passed is none."""
    now_ms = time.time_ns() // 1_000_000
    assert abs(to_come_ms("--expires", "2h") - now_ms - 7_200_000) < 60_000
    assert to_come_ms("--expires", "2100-01-01T00:00+00:00") == 4_102_444_800_000
    for text in ("", "-1d", "1w", "2001-01-01", "0s", "9999999999d"):
        with pytest.raises(ValidationError, match="--expires"):
            to_come_ms("--expires", text)


def test_the_commands_of_the_page_do_what_it_says():
    """Those of docs/access.md, in a shell and in their order: two tokens are made, and the first is revoked."""
    page = Path(__file__).resolve().parents[3] / "docs" / "access.md"
    lines = "".join(re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL))
    with own_runtime(1) as other:
        done = subprocess.run(
            ["bash", "-e", "-c", f'{SHELL}{lines}echo "$TOKEN"'],
            env=os.environ | {"CAXTON_RUNTIME_DIR": str(other)},
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
        )
        assert done.returncode == 0, done.stderr
        with caxton.connect_sync(other) as client:
            first, second = client.tokens()
    assert re.fullmatch(r"cx_[\w-]{43}", done.stdout.splitlines()[-1])
    assert (first.name, first.role, first.agents, first.expires_at) == ("grafana", "viewer", ("*",), None)
    assert (second.name, second.role, second.agents) == ("shop", "sender", ("shop-*", "till"))
    assert (first.revoked_at is None, second.revoked_at) == (False, None)
