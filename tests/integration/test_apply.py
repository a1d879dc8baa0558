"""`caxton apply` and `client.apply`: agents as a file says, and nothing lost on the way that nobody asked for."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import caxton
import caxton.guests
from caxton.cli.main import app
from caxton.client.own_runtime import own_runtime
from caxton.errors import ConfigurationError, ValidationError

GUESTS = Path(caxton.guests.__file__).parent
TALLY = '[[agent]]\nname = "tally"\nwasm = "counter.wasm"\nencoding = "msgpack"\n'
ECHO = '[[agent]]\nname = "echo"\nwasm = "echo.wasm"\n'


@pytest.fixture(scope="module")
def runtime():
    with own_runtime(2) as directory:
        yield directory


@pytest.fixture
def client(runtime):
    """A client of a runtime without agents and dead letters."""
    with caxton.connect_sync(runtime) as client:
        yield client
        client.remove_many(list(client.agents()))
        client.purge(everything=True)


@pytest.fixture
def apply(runtime, client, tmp_path):
    """Writes a system `shop` and applies it with options; what was told, as JSON or as lines, and the exit code."""
    for name in ("echo", "counter"):
        shutil.copy(GUESTS / f"{name}.wasm", tmp_path)
    file = tmp_path / "system.toml"

    def one(text, *options, system="shop"):
        file.write_text(f'system = "{system}"\n{text}' if system else text)
        line = ["apply", "-f", str(file), *map(str, options)]
        done = CliRunner(env={"CAXTON_RUNTIME_DIR": str(runtime)}).invoke(app, line)
        told = json.loads(done.stdout or done.stderr) if "json" in options else done.stdout.splitlines()
        return done.exit_code, told, done.stderr

    one.file = file
    return one


def names(client):
    return [agent.name for agent in client.agents()]


def test_what_is_new_is_deployed_once(apply, client):
    """A second time there is nothing to be done; before it, --dry-run does nothing."""
    code, told, _ = apply(TALLY + ECHO, "--dry-run")
    assert (code, told) == (0, ["deploy tally", "deploy echo", "unchanged: none"])
    assert names(client) == []

    assert apply(TALLY + ECHO)[:2] == (0, ["deployed tally", "deployed echo", "unchanged: none"])
    assert {agent.name: agent.system for agent in client.agents()} == {"tally": "shop", "echo": "shop"}
    assert apply(TALLY + ECHO) == (0, ["unchanged: 2 agents"], "")
    code, told, _ = apply(TALLY + ECHO, "-o", "json")
    assert (code, told["system"], told["dry_run"]) == (0, "shop", False)
    assert [(one["name"], one["action"]) for one in told["changes"]] == [("tally", "keep"), ("echo", "keep")]


def test_what_changes_in_place_loses_nothing(apply, client):
    """The agent keeps what waits for it, and its state."""
    apply(TALLY)
    client.send("tally", b"press")
    client.pause("tally")
    client.send("tally", b"press")
    changed = TALLY + 'version = "2"\nweight = 3\ncapabilities = ["count"]\n'
    code, told, _ = apply(changed)

    assert code == 0
    assert told[0] == "updated tally (weight: 1 -> 3; version: none -> 2; capabilities: +count)"
    view = client.inspect("tally")
    assert (view.queued, view.state, view.weight, view.version, view.capabilities) == (1, "paused", 3, "2", ("count",))
    client.resume("tally")
    assert client.request("tally", b"\ntop 1", timeout_s=60).content[4:12] == (2).to_bytes(8, "little")


def test_what_cannot_change_in_place_waits_for_the_word(apply, client):
    """Without --replace nothing of the file is done, also of other agents; with it what waits is finished first."""
    apply(TALLY)
    changed = TALLY + "[agent.limits]\nmax_hops = 3\n" + ECHO
    code, told, stderr = apply(changed)

    assert (code, told) == (1, [])
    assert "agent tally cannot be changed in place (limits.max_hops: 100000 -> 3)" in stderr
    assert "--replace" in stderr
    assert names(client) == ["tally"]
    code, told, _ = apply(changed, "--dry-run")
    assert (code, told[0]) == (1, "replace tally (limits.max_hops: 100000 -> 3); needs --replace")

    client.pause("tally")
    client.send("tally", b"press")
    code, told, _ = apply(changed, "--replace")
    assert (code, told[:2]) == (0, ["deployed echo", "replaced tally (limits.max_hops: 100000 -> 3)"])
    assert client.inspect("tally").limits["max_hops"] == 3
    assert client.dead_letter_stats().total_messages == 0


def test_what_a_drain_leaves_is_told(apply, client, runtime):
    """It is among the dead letters, counted, and never silently."""
    apply(ECHO)
    client.pause("echo")
    client.send_batch([caxton.Message(client.id_of("echo"), b"hello")] * 100)
    code, told, _ = apply(ECHO + "[agent.limits]\nmax_hops = 3\n", "--replace", "--drain-timeout", 0, "-o", "json")

    assert code == 0
    assert told["changes"][0]["dead_letters"] == client.dead_letter_stats().total_messages
    assert client.request("echo", b"hello", timeout_s=60).content == b"hello"


def test_what_has_stopped_is_deployed_anew(apply, client):
    """A stopped agent stays so, and is none that the file describes."""
    apply(ECHO)
    client.stop("echo")
    code, told, _ = apply(ECHO, "--replace", "-o", "json")

    assert code == 0
    assert told["changes"][0]["differs"] == ["state: stopped -> running"]
    assert client.request("echo", b"hello", timeout_s=60).content == b"hello"


def test_a_module_that_is_refused_takes_nobody_away(apply, client):
    """It is compiled before the agent that has the name is drained: that one goes on."""
    apply(ECHO)
    text = ECHO.replace("echo.wasm", "bad.wasm")
    (apply.file.parent / "bad.wasm").write_bytes(b"\0asm\1\0\0\0")
    code, told, _ = apply(text, "--replace")

    assert code == 1
    assert told[0].startswith("replace echo (wasm: ")
    assert "was not deployed" in told[0]
    assert client.request("echo", b"hello", timeout_s=60).content == b"hello"


def test_only_prune_removes(apply, client):
    """Agents of the system that are not in the file are left, with a hint; others are nobody's business."""
    client.deploy("other", GUESTS / "echo.wasm")
    apply(TALLY + ECHO)
    code, told, stderr = apply(ECHO)
    assert (code, told) == (0, ["left tally", "unchanged: 1 agent"])
    assert "1 agent of this system, not in the file any more: --prune removes them" in stderr
    code, told, _ = apply(ECHO, "--prune", "--dry-run")
    assert (code, told) == (0, ["remove tally", "unchanged: 1 agent"])

    assert apply(ECHO, "--prune") == (0, ["removed tally", "unchanged: 1 agent"], "")
    assert names(client) == ["echo", "other"]


def test_what_is_somebody_elses_is_not_touched(apply, client):
    """An agent of another system, and a program's; one that was deployed by hand is taken into the system."""
    client.deploy("echo", GUESTS / "echo.wasm")
    assert apply(ECHO)[1][0] == "updated echo (system: none -> shop)"
    code, told, stderr = apply(ECHO, "--replace", system="bank")
    assert (code, told) == (1, [])
    assert "agent echo: it belongs to the system shop" in stderr
    with client.attach("tally", lambda _: None):
        assert "a program's agent has this name" in apply(TALLY, "--replace", "--prune")[2]
    assert client.inspect("echo").system == "shop"


def test_a_system_needs_a_name_to_prune(apply):
    """Without one nobody knows which agents are its own."""
    code, told, stderr = apply(ECHO, "--prune", system="")

    assert (code, told) == (2, [])
    assert "a system without a name" in stderr


def test_a_plan_of_a_program(apply, client):
    """`plan` and `apply` take what `read_system` gives; other things are refused by name."""
    apply.file.write_text('system = "shop"\n' + ECHO)
    system = caxton.read_system(apply.file)

    assert [str(change) for change in client.plan(system)] == ["deploy echo"]
    assert [change.action for change in client.apply(system)] == ["deploy"]
    assert [change.action for change in client.plan(system)] == ["keep"]
    with pytest.raises(ValidationError, match="no System"):
        client.plan([])
    with pytest.raises(ValidationError, match="where a Deployment is wanted"):
        client.plan(replace(system, agents=("echo",)))
    with pytest.raises(ValidationError, match="same name"):
        client.plan(replace(system, agents=system.agents * 2))
    with pytest.raises(ConfigurationError, match="cannot be changed in place"):
        list(client.apply(replace(system, agents=(replace(system.agents[0], encoding="msgpack"),))))


def test_many_agents_in_one_file(apply, client):
    """Six hundred are deployed in two steps, changed in place, and removed."""
    many = "".join(ECHO.replace('"echo"', f'"echo-{number}"') for number in range(600))
    code, told, _ = apply(many, "-o", "json")
    assert (code, len(told["changes"])) == (0, 600)
    code, told, _ = apply(many.replace("[[agent]]\n", "[[agent]]\nweight = 2\n"), "-o", "json")
    assert {one["action"] for one in told["changes"]} == {"update"}
    assert {agent.weight for agent in client.agents()} == {2}
    code, told, _ = apply(TALLY, "--prune", "-o", "json")
    assert (code, len(told["changes"])) == (0, 601)
    assert names(client) == ["tally"]
    assert [one["problem"] for one in told["changes"] if one["problem"]] == []


def test_apply_goes_on_where_it_was_killed(apply, runtime, client, tmp_path):
    """After a kill in the middle, applying again ends with every agent as the file says."""
    many = "".join(ECHO.replace('"echo"', f'"echo-{number}"') for number in range(40))
    apply(many)
    changed = many.replace("[[agent]]\n", "[[agent]]\nencoding = 'msgpack'\n")
    apply.file.write_text('system = "shop"\n' + changed)
    program = f"""
import os, caxton
with caxton.connect_sync() as client:
    for number, change in enumerate(client.apply(caxton.read_system({str(apply.file)!r}), replace=True)):
        if number == 20:
            os.kill(os.getpid(), 9)
"""
    environment = os.environ | {"CAXTON_RUNTIME_DIR": str(runtime)}
    done = subprocess.run([sys.executable, "-P", "-c", program], check=False, timeout=120, env=environment)

    assert done.returncode == -9
    code, _, _ = apply(changed, "--replace")
    assert code == 0
    assert apply(changed)[1] == ["unchanged: 40 agents"]
    assert {agent.encoding for agent in client.agents()} == {"msgpack"}
