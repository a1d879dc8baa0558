"""What a module may import and must export, and how a refusal names what is wrong."""

from pathlib import Path

import pytest
import wasmtime

from caxton.agents.limits import DEFAULT_LIMITS, Limits
from caxton.errors import InvalidModule, NoMemoryExport
from workers.sandbox import abi
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.traps import Trap, TrapReason

ALLOC = '(func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))'
HANDLE = '(func (export "handle_message") (param i32 i32) (result i64) (i64.const 0))'
MEMORY = '(memory (export "memory") 2)'
WHOLE = f"{MEMORY} {ALLOC} {HANDLE}"


def _module(engine, *parts: str) -> wasmtime.Module:
    return wasmtime.Module(engine.wasmtime, wasmtime.wat2wasm(f"(module {' '.join(parts)})"))


def _refusal(engine, *parts: str, limits: Limits = DEFAULT_LIMITS) -> InvalidModule:
    with pytest.raises(InvalidModule) as raised:
        abi.check(_module(engine, *parts), "suspect", limits)
    return raised.value


@pytest.mark.parametrize(
    "part",
    [
        "",
        '(func (export "caxton_init") (param i32 i32) (result i32) (i32.const 0))',
        '(func (export "caxton_shutdown"))',
        '(func (export "handle_timer") (param i32) (result i64) (i64.const 0))',
        '(global (export "anything") i32 (i32.const 0))',
    ],
)
def test_a_module_that_speaks_the_abi_is_accepted(engine, part):
    """What is required is enough, what is optional may be there, and other exports do not matter."""
    abi.check(_module(engine, WHOLE, part), "guest", DEFAULT_LIMITS)


def test_every_unknown_import_is_listed(engine):
    """All imports that there are none of are named as module.name."""
    error = _refusal(
        engine,
        '(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))',
        '(import "env" "memory" (memory 1))',
        '(import "caxton_v1" "now_ms" (func (result i64)))',
        '(import "caxton_v1" "log" (func (param i32 i32 i32)))',
        ALLOC,
    )
    assert error.names == ("wasi_snapshot_preview1.fd_write", "env.memory", "caxton_v1.now_ms")
    assert "caxton_v1.log" in error.problem


@pytest.mark.parametrize("kind", ["(func (param i32 i32))", "(func (param i32 i32 i64))", "(global i32)"])
def test_an_import_of_the_wrong_type_is_named(engine, kind):
    """A known import must have its own type."""
    error = _refusal(engine, f'(import "caxton_v1" "log" {kind})', WHOLE)
    assert error.names == ("caxton_v1.log",)


def test_every_missing_export_is_named(engine):
    """An empty module lacks all three exports."""
    assert _refusal(engine).names == ("memory", "caxton_alloc", "handle_message")


def test_a_module_without_a_memory_is_refused_by_an_error_of_its_own(engine):
    """Whatever else it lacks; one that has a memory, and lacks something else, is not."""
    assert type(_refusal(engine, ALLOC, HANDLE)) is NoMemoryExport
    assert type(_refusal(engine, MEMORY)) is InvalidModule
    assert _refusal(engine).stage == "validating"


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ([MEMORY, ALLOC, '(func (export "handle_message") (param i32) (result i64) (i64.const 0))'], "handle_message"),
        ([MEMORY, ALLOC, '(global (export "handle_message") i32 (i32.const 0))'], "handle_message"),
        ([MEMORY, HANDLE, '(func (export "caxton_alloc") (param i64) (result i32) (i32.const 0))'], "caxton_alloc"),
        ([ALLOC, HANDLE, '(func (export "memory"))'], "memory"),
        ([WHOLE, '(func (export "caxton_init") (result i32) (i32.const 0))'], "caxton_init"),
        ([WHOLE, '(func (export "caxton_shutdown") (result i32) (i32.const 0))'], "caxton_shutdown"),
        ([WHOLE, '(func (export "handle_timer"))'], "handle_timer"),
    ],
)
def test_an_export_of_the_wrong_type_is_named(engine, parts, name):
    """Required and optional exports must have their own type."""
    error = _refusal(engine, *parts)
    assert error.names == (name,)
    assert name in error.problem


def test_missing_and_mistyped_exports_are_named_together(engine):
    """One refusal tells all that is wrong with the exports."""
    error = _refusal(engine, '(func (export "caxton_alloc"))', HANDLE)
    assert error.names == ("memory", "caxton_alloc")


def test_a_memory_that_starts_beyond_the_limit_is_refused(engine):
    """A module of two pages does not fit an agent of one."""
    abi.check(_module(engine, WHOLE), "guest", Limits(max_memory_bytes=2 * 65_536))
    assert "131072" in _refusal(engine, WHOLE, limits=Limits(max_memory_bytes=65_536)).problem


def test_a_hostile_list_of_imports_stays_short(engine):
    """A thousand imports with long unprintable names become a hundred short printable ones and a count."""
    long = "\\1b" * 500
    parts = [f'(import "m{long}" "n{n}" (func))' for n in range(1_000)]
    error = _refusal(engine, *parts)
    assert len(error.names) == 101
    assert error.names[-1] == "and 900 more"
    assert all(len(name) <= 100 and name.isprintable() for name in error.names)


def test_a_module_that_was_never_checked_does_not_reach_the_raw_call(engine, watchdog):
    """A sandbox refuses a module of the wrong types by itself."""
    module = _module(engine, MEMORY, ALLOC, '(func (export "handle_message") (param i64) (result f32) (f32.const 0))')
    with pytest.raises(Trap) as raised:
        Sandbox(engine, module, DEFAULT_LIMITS, watchdog, lambda _level, _line: None)
    assert raised.value.reason is TrapReason.INSTANTIATION


def test_the_smallest_agent_of_the_documentation_works(start):
    """The agent that docs/abi.md shows echoes, and refuses what is too large for its buffer."""
    page = (Path(__file__).parents[4] / "docs" / "abi.md").read_text()
    sandbox = start(page.partition("```wat\n")[2].partition("```")[0].strip())
    assert sandbox.handle(b"hello") == b"hello"
    assert sandbox.handle(b"x" * 65_536) == b"x" * 65_536
    with pytest.raises(Trap) as raised:
        sandbox.handle(b"x" * 65_537)
    assert raised.value.reason is TrapReason.MEMORY_REFUSED
