"""The command line against a gateway: what it prints is what it prints on the machine of the runtime."""

import json
import shlex

import pytest
from typer.testing import CliRunner

from caxton.cli.main import app

# There is an agent echo, whichever test is the first.
pytestmark = pytest.mark.usefixtures("admin")

# What differs from one moment to the next.
CHANGING = {"queued", "oldest_ms", "counters", "uptime_s", "instantiated"}
SAME = [
    "agent list",
    "agent list -o json",
    "agent list --name 'ec*' --state running -o json",
    "agent inspect echo -o json",
    "agent inspect nobody",
    "agent inspect nobody -o json",
    "agent resume echo",
    "agent logs echo",
    "message request echo hello",
    "message request nobody hello",
    "message request @say hello",
    "message send @nothing hello",
    "capability list -o json",
    "capability show say -o json",
    "capability find say",
    "deadletter list",
    "deadletter list --agent nobody",
    "deadletter show 0-999999",
    "deadletter requeue --id 0-999999",
    "deadletter purge --id 0-999999 --yes -o json",
    "deadletter stats -o json",
    "conversation show 019b76da-a800-7abc-8000-000000003000",
    "conversation list --agent nobody -o json",
]


@pytest.fixture
def near(served, admin):
    """Run a command on the machine of the runtime."""
    return lambda line: CliRunner(env={"CAXTON_RUNTIME_DIR": str(served.runtime_dir)}).invoke(app, shlex.split(line))


@pytest.fixture
def far(url, token, tmp_path):
    """Run a command by the gateway, with a token of this role in a file."""
    file = tmp_path / "token"

    def run(line, role="admin", env=None, given=None):
        file.write_text(token(role) + "\n")
        return CliRunner(env={"CAXTON_URL": url, "CAXTON_TOKEN_FILE": str(file)} | (env or {})).invoke(
            app, shlex.split(line), input=given
        )

    return run


def steady(text):
    """Return JSON without what changes, and other text as it is."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    rows = value if isinstance(value, list) else [value]
    return [{k: v for k, v in row.items() if k not in CHANGING} if isinstance(row, dict) else row for row in rows]


@pytest.mark.parametrize("line", SAME)
def test_a_command_prints_the_same_from_another_machine(near, far, line):
    """The same output, the same error and the same exit code."""
    here, there = near(line), far(line)

    assert (there.exit_code, there.stderr) == (here.exit_code, here.stderr)
    assert steady(there.stdout) == steady(here.stdout)


def test_an_agent_has_its_whole_life_by_the_gateway(far, echo_wasm, tmp_path):
    """Deployed, paused, resumed, sent to, drained, and removed; and one that a manifest describes."""

    def done(line, given=None):
        result = far(line, given=given)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    module = shlex.quote(str(echo_wasm))
    assert "deployed far" in done(f"agent deploy far {module} --capability near --max-hops 3")
    assert done("agent pause far") == "paused far\n"
    assert "committed 5 bytes with far" in done("message send far hello")
    assert done("agent resume far") == "resumed far\n"
    assert done("message request far -", given="piped") == "piped"
    assert "sent to 1 of 1" in done("message broadcast hello --to far")
    assert done("agent drain far --timeout 30") == "drained far: nothing was left\n"
    assert done("agent remove far") == "removed far\n"
    manifest = tmp_path / "agent.toml"
    (tmp_path / "echo.wasm").write_bytes(echo_wasm.read_bytes())
    manifest.write_text('name = "described"\nwasm = "echo.wasm"\n')
    assert "deployed described" in done(f"agent deploy {shlex.quote(str(manifest))}")
    assert done("agent remove described") == "removed described\n"


def test_figures_are_told(far):
    """Health, stats and the ledger, for people and for programs."""
    health, stats, ledger = (far(f"{name} -o json") for name in ("health", "stats", "ledger"))

    assert json.loads(health.stdout)["status"] in {"healthy", "degraded"}
    assert json.loads(stats.stdout)["ledger"]["balanced"] is True
    assert json.loads(ledger.stdout)["balanced"] is True
    assert all(far(name).exit_code == 0 for name in ("health", "stats", "stats --all", "conversation stats"))


def test_what_happens_and_who_is_busy_is_told(far, near, admin):
    """As on the machine of the runtime: events, the busiest, who talks to whom."""
    events = "events --kind agent_deployed -o json"
    told = json.loads(far("top --once -o json").stdout)
    graph = json.loads(far("graph -o json --over 0.1").stdout)

    assert far(events).stdout == near(events).stdout != ""
    assert far("events --agent echo").stdout == near("events --agent echo").stdout != ""
    assert json.loads(far("events --kind none -o json").stderr)["error"] == "ValidationError"
    assert told["stats"]["uptime_s"] > 0
    assert graph["over_ms"] > 0


def test_a_worker_is_restarted(far):
    """By who may, and it is waited for."""
    told = json.loads(far("restart --shard 0 -o json").stdout)
    refused = far("restart --shard 0", role="sender")

    assert (told["restarted"], [worker["shard"] for worker in told["workers"]]) == (True, [0])
    assert told["workers"][0]["incarnation"] > told["workers"][0]["incarnation_before"]
    assert refused.exit_code == 1
    assert "operator" in refused.stderr


@pytest.mark.parametrize(
    "line",
    ["stop", "trace x", "backup x", "watch echo", "agent waiting echo", "token list", "serve", "doctor",
     "reshard --workers 2", "message show 019b76da-a800-7abc-8000-000000003000", "config show --effective"],
)  # fmt: skip
def test_what_only_the_machine_of_the_runtime_can_do_says_so(far, line):
    """And does nothing here in its place."""
    told = far(line)

    assert told.exit_code == 1
    assert "another machine" in told.stderr


def test_a_token_that_may_not_is_refused_and_never_printed(far, url, token):
    """Whatever is wrong with it, or with where it is to go."""
    wrong = "cx_" + "B" * 43
    told = [
        far("agent remove echo", role="viewer"),
        far("agent list", env={"CAXTON_TOKEN_FILE": "", "CAXTON_TOKEN": wrong}),
        far(f"--url {url} --token {wrong} agent list -o json"),
        far(f"--url http://192.0.2.1 --token {wrong} agent list"),
        far(f"--url https://127.0.0.1:1 --token {wrong} agent list"),
        far(f"--url ftp://x --token {wrong} agent list"),
        far("agent list", env={"CAXTON_TOKEN_FILE": "/nowhere"}),
        far("agent list", env={"CAXTON_TOKEN_FILE": "", "CAXTON_TOKEN": ""}),
        far(f"--token {wrong} agent list", env={"CAXTON_URL": ""}),
    ]

    assert [one.exit_code for one in told] == [1, 1, 1, 1, 3, 1, 1, 1, 1]
    assert "AccessDenied" not in told[0].stdout
    assert json.loads(told[2].stderr)["error"] == "TokenRefused"
    assert "plain text" in told[3].stderr
    said = "".join(one.stdout + one.stderr for one in told)
    assert wrong not in said
    assert token("viewer") not in said


def test_a_directory_of_this_machine_goes_before_the_environment(far, near, served, url, token):
    """And with --url it is a mistake."""
    directory = shlex.quote(str(served.runtime_dir))
    here = far(f"agent inspect echo -o json --runtime-dir {directory}", env={"CAXTON_URL": "http://127.0.0.1:1"})
    both = far(f"--url {url} agent list --runtime-dir {directory}")

    assert here.exit_code == 0
    assert (both.exit_code, "leave one out" in both.stderr) == (1, True)
