"""The committed wasm of the example agents and their sources."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
import wasmtime

import caxton.guests
from caxton.agents.limits import DEFAULT_LIMITS
from workers.sandbox import abi

GUESTS = Path(caxton.guests.__file__).parent
NAMES = sorted(path.stem for path in GUESTS.glob("*.c"))
BUILT_WITH = "0.17.0"


def compiler():
    try:
        return version("ziglang")
    except PackageNotFoundError:
        return None


def test_every_source_is_built():
    """There is a wasm file for every source, and none without."""
    assert NAMES == ["carrier", "counter", "echo", "splitter"]
    assert sorted(path.stem for path in GUESTS.glob("*.wasm")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_speaks_the_abi_and_imports_nothing(engine, name):
    """An example agent passes the check of every deployment and asks for nothing of the host."""
    module = wasmtime.Module(engine.wasmtime, (GUESTS / f"{name}.wasm").read_bytes())
    abi.check(module, name, DEFAULT_LIMITS)
    assert module.imports == []


@pytest.mark.parametrize("name", NAMES)
def test_is_small(name):
    """An example agent takes at most eight kilobytes."""
    assert (GUESTS / f"{name}.wasm").stat().st_size <= 8_000


@pytest.mark.skipif(compiler() != BUILT_WITH, reason=f"ziglang {BUILT_WITH} is not installed: pip install '.[guests]'")
def test_the_sources_build_to_the_committed_bytes(tmp_path):
    """Building the sources gives the committed files, byte for byte."""
    subprocess.run(
        [GUESTS / "build.sh", tmp_path], check=True, timeout=100, env={"PYTHON": sys.executable, "HOME": str(tmp_path)}
    )
    for name in NAMES:
        assert (tmp_path / f"{name}.wasm").read_bytes() == (GUESTS / f"{name}.wasm").read_bytes(), name
