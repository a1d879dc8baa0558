import ast
import datetime as dt
import importlib
import itertools
import json
import subprocess
import sys

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from caxton.acl.options import Lane
from caxton.ids import AgentId

ECHO = """
(module
  (memory (export "memory") 2)
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param $at i32) (param $length i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $length)))))
"""


@pytest.fixture
def run(root):
    def of(*arguments):
        return subprocess.run(
            [sys.executable, *arguments], cwd=root, capture_output=True, text=True, check=False, timeout=60
        )

    return of


@pytest.fixture(scope="session")
def room(root):
    """Import a module of the bench, which is no part of the package that is shipped: it comes last on the path."""
    sys.path.append(str(root))
    return lambda name: importlib.import_module(f"bench.{name}")


def test_the_bench_says_what_it_lacks():
    """Where only Caxton is installed it names what is missing, and how to get it, in one line."""
    without = """import runpy, sys
sys.modules["hdrh"] = None
runpy.run_module("bench", run_name="__main__")"""
    ended = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert ended.stderr.startswith("the bench needs hdrh")
    assert ended.stderr.endswith("pip install '.[bench]'\n")


def test_the_limit_stays_small_and_alone(root, tree):
    """The limit has at most sixty lines and imports nothing of the project."""
    path = root / "bench/limit.py"
    names = {name.name for node in ast.walk(tree(path)) if isinstance(node, ast.Import) for name in node.names}

    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60
    assert names
    assert not [node for node in ast.walk(tree(path)) if isinstance(node, ast.ImportFrom)]
    assert {name.partition(".")[0] for name in names} & {"caxton", "workers", "bench"} == set()


@pytest.mark.parametrize("workers", [1, 3])
def test_the_limit_counts_round_trips(run, tmp_path, workers):
    """The limit runs with any number of workers and prints one line of JSON with a rate above zero."""
    (tmp_path / "echo.wasm").write_bytes(wasmtime.wat2wasm(ECHO))
    options = f"--wasm {tmp_path / 'echo.wasm'} --workers {workers} --agents 10 --seconds 1".split()
    done = run("bench/limit.py", *options)

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["round_trips_per_s"] > 0
    assert result["workers"] == workers
    assert result["seconds"] >= 1


def test_the_limit_counts_nothing_that_is_no_echo(run, tmp_path):
    """A guest that does not answer with what it was given ends the limit with an error instead of a rate."""
    (tmp_path / "other.wasm").write_bytes(wasmtime.wat2wasm(ECHO.replace("(i64.const 32)", "(i64.const 33)")))
    done = run("bench/limit.py", "--wasm", str(tmp_path / "other.wasm"), "--agents", "10", "--seconds", "1")

    assert done.returncode != 0
    assert "not an echo agent" in done.stderr


def test_an_fsync_is_measured_where_it_is_asked(room, tmp_path):
    """The cost of an fsync is above zero, and its file is gone; a directory that is not there is an error."""
    fsync_us = room("fsync").fsync_us

    assert fsync_us(tmp_path) > 0
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        fsync_us(tmp_path / "nowhere")


def test_stretches_add_up(room):
    """Two stretches of a lane count as one that took as long as both."""
    Stretch = room("load.stretch").Stretch  # noqa: N806 (it is a class)
    both = Stretch(100, 1.0, 0.1, 0.2, 3) + Stretch(300, 1.0, 0.3, 0.6, 5)

    assert both == Stretch(400, 2.0, pytest.approx(0.4), pytest.approx(0.8), 8)
    assert both.per_s == 200
    assert both.cpu_us_each() == {"client": 1_000, "workers": 2_000}
    assert both.cpu_us_each(8) == {"client": 125, "workers": 250}


@given(hops=st.integers(1, 24), shards=st.integers(2, 5))
def test_every_hop_of_a_route_leads_to_another_shard(room, hops, shards):
    """A route names one relay for each hop, never of the shard before, and ends with the session."""
    relays = [[AgentId(1 + shard * 10 + place) for place in range(3)] for shard in range(shards)]
    shard_of = {int(agent): shard for shard, its_own in enumerate(relays) for agent in its_own}
    session = AgentId((1 << 63) + 1)
    relay = room("guests.relay")
    payload = min(100, relay.most_payload(hops))
    requests = relay.routed_requests(relays, session, hops, payload, Lane.DURABLE)

    assert sorted(int(request.receiver) for request in requests) == sorted(shard_of)
    for request in requests:
        route, rest = request.content[: 8 * hops], request.content[8 * hops :]
        ids = [int.from_bytes(route[at : at + 8]) for at in range(0, len(route), 8)]
        shards_passed = [shard_of[int(request.receiver)], *(shard_of[agent] for agent in ids)]
        assert all(before != after for before, after in itertools.pairwise(shards_passed))
        assert rest == session.to_bytes(8) + b"x" * payload
        assert len(request.content) <= 255
        assert request.delivery_options.reliability == "at_least_once"


def test_the_machine_describes_itself(run):
    """A machine's description names its cpu, cores, kernel, Python, libraries, commit and the day."""
    done = run("-c", "import json; from bench.machine import describe; print(json.dumps(describe()))")

    described = json.loads(done.stdout)
    assert all(described.values())
    libraries = {"caxton", "pyzmq", "msgspec", "wasmtime", "uvloop", "aiosqlite"}
    assert set(described) == {"cpu", "cores", "kernel", "python", "commit", "date"} | libraries
    assert dt.date.fromisoformat(described["date"]) <= dt.datetime.now(dt.UTC).date()
