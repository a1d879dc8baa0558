import ast
import datetime as dt
import json
import subprocess
import sys

import pytest
import wasmtime

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


def test_the_machine_describes_itself(run):
    """A machine's description names its cpu, cores, kernel, Python, libraries and the day."""
    done = run("-c", "import json; from bench.machine import describe; print(json.dumps(describe()))")

    described = json.loads(done.stdout)
    assert all(described.values())
    assert set(described) == {"cpu", "cores", "kernel", "python", "pyzmq", "msgspec", "wasmtime", "date"}
    assert dt.date.fromisoformat(described["date"]) <= dt.datetime.now(dt.UTC).date()
