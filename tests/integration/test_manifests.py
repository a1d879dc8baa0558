"""`caxton agent deploy` of manifests and `caxton agent validate`, and what docs/manifests.md shows, to the letter."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import wasmtime
from typer.testing import CliRunner

import caxton
import caxton.guests
from caxton.cli.main import app
from caxton.client.own_runtime import own_runtime

GUESTS = Path(caxton.guests.__file__).parent
PAGE = Path(__file__).resolve().parents[2] / "docs" / "manifests.md"
CAXTON = [sys.executable, "-P", "-m", "caxton"]


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def runtime():
    with own_runtime(1) as directory:
        yield directory


@pytest.fixture
def client(runtime):
    """A client of a runtime without agents."""
    with caxton.connect_sync(runtime) as client:
        yield client
        client.remove_many(list(client.agents()))


@pytest.fixture
def run(runtime, client, tmp_path, monkeypatch):
    """Runs a command in a folder with modules."""
    for name in ("echo", "counter"):
        shutil.copy(GUESTS / f"{name}.wasm", tmp_path)
    monkeypatch.chdir(tmp_path)
    return lambda *line: CliRunner(env={"CAXTON_RUNTIME_DIR": str(runtime)}).invoke(app, [*map(str, line)])


@pytest.fixture
def page(run, tmp_path):
    """The files of the page, in the folder."""
    whole, wrong, *_ = blocks("toml")
    (tmp_path / "agent.toml").write_text(whole)
    (tmp_path / "wrong.toml").write_text(wrong)


def test_the_page_validates_and_deploys(run, page, client):
    """Its commands print what stands behind them, and the agent is as its manifest says."""
    for line in blocks("sh")[0].splitlines():
        command, _, said = line.partition("  # ")
        done = run(*command.split()[1:])
        assert (done.exit_code, done.stderr) == (0, "")
        assert said in done.stdout

    tally = client.inspect("tally")
    assert (tally.version, tally.encoding, tally.capabilities, tally.weight) == ("1.2", "msgpack", ("count",), 3)
    assert (tally.escalate_to, tally.limits["max_fuel"]) == ("chief", 20_000_000)
    assert "1.2" in run("agent", "inspect", "tally").stdout


def test_the_page_tells_what_is_wrong(run, page):
    """All of it, with lines, and exit code 1."""
    done = run("agent", "validate", "wrong.toml")

    assert (done.exit_code, done.stdout, done.stderr) == (1, blocks("text")[0], "")


def test_the_page_in_python(runtime, run, page, tmp_path):
    """Its program prints what stands behind it."""
    environment = os.environ | {"CAXTON_RUNTIME_DIR": str(runtime)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", blocks("python")[0]],
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env=environment,
    )

    assert (done.stderr, done.stdout) == ("", blocks("text")[1])


def test_the_page_applies_a_system(run, page, client, tmp_path):
    """Its commands, one after the other, print what the page shows."""
    (tmp_path / "system.toml").write_text(blocks("toml")[2])
    assert run("agent", "deploy", "agent.toml").exit_code == 0
    told = [run(*line.split()[1:]) for line in blocks("sh")[1].splitlines()]

    assert [(done.exit_code, done.stderr) for done in told] == [(1, ""), (0, ""), (0, "")]
    assert "".join(done.stdout for done in told) == blocks("text")[2]


def test_a_folder_is_deployed_as_far_as_it_can_be(run, client, tmp_path):
    """Each agent by itself: one whose name is taken is an error, and the others are there."""
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.toml").write_text(f'name = "{name}"\nwasm = "echo.wasm"\n')
    client.deploy("b", GUESTS / "echo.wasm")
    done = run("agent", "deploy", tmp_path, "-o", "json")

    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert [(one["name"], one["error"] and one["error"]["error"]) for one in told] == [
        ("a", None),
        ("b", "AgentAlreadyRegistered"),
        ("c", None),
    ]
    assert json.loads(done.stderr)["fields"]["agent"] == "b"
    assert client.request("c", b"hello", timeout_s=60).content == b"hello"
    assert [agent.name for agent in client.agents()] == ["a", "b", "c"]


def test_one_mistake_keeps_all_from_being_deployed(run, client, tmp_path):
    """Nothing is deployed of what is not all as it should be."""
    (tmp_path / "a.toml").write_text('name = "a"\nwasm = "echo.wasm"\n')
    (tmp_path / "b.toml").write_text('name = "b"\nwasm = "echo.wasm"\nweight = 0\n')
    done = run("agent", "deploy", tmp_path)

    assert (done.exit_code, done.stdout) == (1, "")
    assert "b.toml:3: weight: 0 is not a whole number" in done.stderr
    assert list(client.agents()) == []


def test_a_module_that_would_be_refused_is_a_mistake(run, tmp_path):
    """The compiler says of it what it would say at the deployment, at the line of each manifest that names it."""
    wasi = wasmtime.wat2wasm('(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))))')
    (tmp_path / "wasi.wasm").write_bytes(wasi)
    (tmp_path / "system.toml").write_text(
        '[[agent]]\nname = "a"\nwasm = "wasi.wasm"\n[[agent]]\nname = "b"\nwasm = "echo.wasm"\n'
        '[[agent]]\nwasm = "wasi.wasm"\nname = "c"\n'
    )
    done = run("agent", "validate", "system.toml", "-o", "json")

    told = json.loads(done.stdout)
    assert (done.exit_code, told["files"], told["agents"], told["more"]) == (1, 1, 3, 0)
    assert [(one["line"], one["key"]) for one in told["mistakes"]] == [(3, "wasm"), (8, "wasm")]
    assert "wasi_snapshot_preview1.proc_exit" in told["mistakes"][0]["problem"]
    assert run("agent", "validate", "system.toml", "--no-compile").exit_code == 0


def test_version_and_weight_outlive_a_kill(run, client, page, runtime):
    """What a manifest says is stored: it is the same after the worker was killed."""
    assert run("agent", "deploy", "agent.toml").exit_code == 0
    before = client.inspect("tally")
    os.kill(client.health().workers[0].pid, 9)
    client.send("tally", b"press", idempotency_key="to the next worker")  # sent again by itself

    after = client.inspect("tally")
    assert (after.version, after.weight, after.limits) == (before.version, before.weight, before.limits)
