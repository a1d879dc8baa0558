"""A compiler process takes one job, answers it, and cannot be made to take more than its limits."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import wasmtime

import workers.compiler
from caxton.agents.limits import Limits
from caxton.errors import InvalidModule
from caxton.store.module_cache import ModuleCache
from caxton.wire.compile_job import (
    COMPILE_JOB,
    COMPILER_REPLY,
    MAX_REPLY_BYTES,
    Compiled,
    CompileJob,
    CompileRefused,
    CompilerReady,
    beyond_limits,
    header_of,
    read_frame,
    write_frame,
)
from workers.sandbox.engine import GuestEngine
from workers.sandbox.modules import Modules
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.watchdog import Watchdog

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-P", "-m", "workers.compiler"]
# The same process with other limits: a test says which of them it is about, and does not wait for the real ones.
LIMITED = """
import sys
from workers import compiler
compiler.COMPILE_CPU_S, compiler.COMPILE_MEMORY_BYTES = int(sys.argv[1]), int(sys.argv[2])
sys.exit(compiler.main())
"""
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


class Compiler:
    """One compiler process, from its birth to its end."""

    def __init__(self, folder: Path, cpu_s: int | None = None, memory_bytes: int = 0) -> None:
        limited = [sys.executable, "-P", "-c", LIMITED, str(cpu_s), str(memory_bytes)]
        self.process = subprocess.Popen(
            COMMAND if cpu_s is None else limited,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=ENVIRONMENT,
        )
        self.ready = self.read()

    def read(self) -> CompilerReady | Compiled | CompileRefused | None:
        assert self.process.stdout is not None
        frame = read_frame(self.process.stdout, MAX_REPLY_BYTES)
        return None if frame is None else COMPILER_REPLY.decode(frame)

    def compile(self, wasm: bytes, limits: Limits | None = None) -> Compiled | CompileRefused | InvalidModule:
        assert self.process.stdin is not None
        write_frame(self.process.stdin, COMPILE_JOB.encode(CompileJob("agent", limits or Limits(), wasm)))
        reply = self.read()
        code = self.process.wait(timeout=30)
        if reply is None:
            return beyond_limits("agent", code)
        assert code == 0
        assert not isinstance(reply, CompilerReady)
        return reply

    def close(self) -> None:
        self.process.kill()
        self.process.wait(timeout=30)
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def make_compiler(tmp_path):
    """Start compilers, with other limits if they are given."""
    made = []

    def make(**limits):
        made.append(Compiler(tmp_path, **limits))
        return made[-1]

    yield make
    for compiler in made:
        compiler.close()


@pytest.fixture
def compiler(make_compiler):
    return make_compiler()


def _assemble(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))


def _guest(name: str) -> bytes:
    return _assemble((ROOT / "tests/guests" / f"{name}.wat").read_text())


def _number(value: int) -> bytes:
    """Return `value` as wasm writes numbers."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _number(rest) if rest else bytes([low])


def _functions(count: int, body: bytes) -> bytes:
    """Return a module of `count` functions without parameters or results, each with this body."""

    def section(number: int, content: bytes) -> bytes:
        return bytes([number]) + _number(len(content)) + content

    code = _number(len(body)) + body
    return b"".join(
        [
            b"\0asm\1\0\0\0",
            section(1, b"\1\x60\0\0"),
            section(3, _number(count) + b"\0" * count),
            section(10, _number(count) + code * count),
        ]
    )


def test_what_it_compiles_a_worker_loads_and_runs(compiler, tmp_path):
    """From the deployed bytes through compiler, cache and worker to an answer, across processes."""
    engine = GuestEngine()
    assert compiler.ready == CompilerReady(engine.engine_id)
    wasm = _guest("echo")
    compiled = compiler.compile(wasm)
    assert isinstance(compiled, Compiled)
    cache = ModuleCache(tmp_path / "modules", b"key")
    sha256 = cache.put_source(wasm)
    cache.put_artifact(sha256, engine.engine_id, compiled.artifact)
    module = Modules(cache, engine).load(sha256)
    sandbox = Sandbox(engine, module, Limits(), Watchdog(engine), lambda _level, _line: None)
    assert sandbox.handle(b"through every door") == b"through every door"
    sandbox.close()


@pytest.mark.parametrize(
    ("wasm", "problem", "names"),
    [
        (b"(module)", "not a wasm binary", ()),
        (b"", "not a wasm binary", ()),
        (_guest("echo")[:-10], "does not compile", ()),
        (_assemble("(component)"), "component", ()),
        (_assemble('(module (import "env" "a" (func)))'), "imports what there is not", ("env.a",)),
        (_assemble("(module)"), "does not export", ("memory", "caxton_alloc", "handle_message")),
        (_guest("memory_in_start"), "its memory starts with 67108864 bytes", ()),
    ],
)
def test_what_is_no_agent_is_refused_with_what_it_is(compiler, wasm, problem, names):
    """Each kind of bad module is answered with an InvalidModule that says what is wrong with it."""
    refused = compiler.compile(wasm)
    assert isinstance(refused, CompileRefused)
    error = refused.to_error()
    assert isinstance(error, InvalidModule)
    assert problem in error.problem
    assert error.names == names


def test_a_module_whose_compilation_takes_too_long_ends_the_compiler(make_compiler):
    """300,000 functions in 1.2 MB use up the processor time, and the exit code says so."""
    error = make_compiler(cpu_s=1, memory_bytes=8 << 30).compile(_functions(300_000, b"\0\x0b"))
    assert isinstance(error, InvalidModule)
    assert "processor time" in error.problem


def test_a_module_whose_compilation_takes_too_much_memory_ends_the_compiler(make_compiler):
    """A function of 50,000 loops uses up the memory, and the exit code says so."""
    bomb = _functions(1, b"\0" + b"\x03\x40\x0b" * 50_000 + b"\x0b")
    error = make_compiler(cpu_s=60, memory_bytes=256 << 20).compile(bomb)
    assert isinstance(error, InvalidModule)
    assert "memory" in error.problem


def test_its_limits_are_those_that_are_told():
    """A compiler takes 3 s of processor time and 1 GiB of memory."""
    assert (workers.compiler.COMPILE_CPU_S, workers.compiler.COMPILE_MEMORY_BYTES) == (3, 1 << 30)


def test_a_large_module_of_data_compiles_within_the_limits(compiler):
    """60 MB of harmless bytes are no bomb."""
    content = b"x" * (60 << 20)
    section = b"\0" + _number(len(content) + 2) + b"\1n" + content
    assert isinstance(compiler.compile(_guest("echo") + section), Compiled)


@pytest.mark.parametrize("noise", [b"\xff" * 100, header_of(b"xyz") + b"xyz"])
def test_noise_in_place_of_a_job_is_refused(compiler, noise):
    """What is no job is answered with an InvalidMessageFormat, and the compiler ends with an exit code of its own."""
    compiler.process.stdin.write(noise)
    compiler.process.stdin.flush()
    refused = compiler.read()
    assert isinstance(refused, CompileRefused)
    assert refused.error == "InvalidMessageFormat"
    assert compiler.process.wait(timeout=30) == 1


def test_a_compiler_that_is_not_needed_ends(compiler):
    """When its standard input is closed before a job came, it ends with 0."""
    compiler.process.stdin.close()
    assert compiler.read() is None
    assert compiler.process.wait(timeout=30) == 0


def test_it_dies_with_its_parent(tmp_path):
    """A compiler whose parent is killed dies, though nobody closed its standard input."""
    parent_program = (
        "import subprocess, sys\n"
        "child = subprocess.Popen(sys.argv[1:], stdin=0, stdout=subprocess.PIPE)\n"
        "child.stdout.read(4)\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    jobs, held_open = os.pipe()
    parent = subprocess.Popen(
        [sys.executable, "-c", parent_program, *COMMAND],
        stdin=jobs,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env=ENVIRONMENT,
    )
    assert parent.stdout is not None
    child = os.pidfd_open(int(parent.stdout.readline()))
    parent.kill()
    assert parent.wait(timeout=30) == -signal.SIGKILL
    ended, _, _ = select.select([child], [], [], 30)
    assert ended == [child]
    for descriptor in (child, jobs, held_open):
        os.close(descriptor)
    parent.stdout.close()
