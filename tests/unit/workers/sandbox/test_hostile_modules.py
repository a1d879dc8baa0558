"""Bytes that are no module, or nearly one: refused with a typed error, or run within the limits. Never worse."""

import random
from pathlib import Path

import pytest
import wasmtime
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caxton.agents.limits import Limits
from caxton.errors import InvalidModule
from workers.sandbox import abi
from workers.sandbox.engine import DEFAULT_PROFILE
from workers.sandbox.modules import compile_module
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.traps import GuestError, Trap

GUESTS = Path(__file__).parents[3] / "guests"
LIMITS = Limits(max_fuel=100_000)
SEEDS = ["echo", "bump", "faults", "log", "grown_reply", "count"]
MUTATIONS_PER_SEED = 60

over = settings(max_examples=3 * settings().max_examples, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _assemble(guest: str) -> bytes:
    return bytes(wasmtime.wat2wasm((GUESTS / f"{guest}.wat").read_text()))


def _deploy_and_run(nursery, wasm: bytes) -> str:
    """Take the bytes as far as they go; returns how they ended."""
    try:
        module = compile_module(nursery.engine, "suspect", wasm)
        abi.check(module, "suspect", LIMITS)
    except InvalidModule as error:
        return "refused" if error.problem.isprintable() else "refused in words that do not print"
    try:
        sandbox = Sandbox(nursery.engine, module, LIMITS, nursery.watchdog, nursery._log)
    except Trap:
        return "did not start"
    try:
        sandbox.handle(b"\x00\x01\x02\x03 hello")
    except (Trap, GuestError):
        return "failed"
    finally:
        sandbox.close()
    return "ran"


@given(noise=st.binary(max_size=300))
@over
def test_random_bytes_are_refused(all_sandboxes, noise):
    """Random bytes are no module, with or without the magic at their start."""
    assert _deploy_and_run(all_sandboxes, noise) == "refused"
    assert _deploy_and_run(all_sandboxes, b"\0asm\1\0\0\0" + noise) == "refused"


def _whole_after_code(wasm: bytes) -> set[int]:
    """Return the lengths at which a module is whole: after its code section, and after each section that follows."""
    ends, at, has_code = set(), 8, False
    while at < len(wasm):
        number, at, size, shift = wasm[at], at + 1, 0, 0
        while True:
            byte, at = wasm[at], at + 1
            size, shift = size | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                break
        at += size
        has_code = has_code or number == 10
        if has_code:
            ends.add(at)
    return ends


@pytest.mark.parametrize("guest", [*SEEDS, "log_many", "log_at"])
def test_a_truncated_module_is_refused(nursery, guest):
    """A module cut at any byte is refused, but for a cut that leaves whole sections, the code among them."""
    wasm = _assemble(guest)
    taken = {length for length in range(len(wasm)) if _deploy_and_run(nursery, wasm[:length]) != "refused"}
    assert taken == _whole_after_code(wasm) - {len(wasm)}


@pytest.mark.parametrize("guest", SEEDS)
def test_a_damaged_module_is_refused_or_stays_within_its_limits(nursery, guest):
    """Modules with bytes changed end in one of the known ways, and an echo beside them goes on."""
    dice = random.Random(guest)
    neighbour = nursery.start("echo")
    wasm = _assemble(guest)
    endings = set()
    for _ in range(MUTATIONS_PER_SEED):
        damaged = bytearray(wasm)
        for _ in range(dice.randint(1, 4)):
            damaged[dice.randrange(8, len(damaged))] = dice.randrange(256)
        endings.add(_deploy_and_run(nursery, bytes(damaged)))
        assert neighbour.handle(b"here") == b"here"
    assert "refused" in endings


@pytest.mark.parametrize(
    ("wasm", "problem"),
    [
        (b"", "not a wasm binary"),
        (b"(module)", "not a wasm binary"),
        (b"\0asm", "truncated"),
        (b"\0asm\1\0\0", "truncated"),
        (b"\0asm\x0d\0\1\0", "component"),
        (b"\0asm\2\0\0\0", "version 2"),
        (b"\0asm\1\0\0\0\1", "does not compile"),
        (b"\x7fELF\2\1\1", "not a wasm binary"),
    ],
)
def test_what_is_not_a_core_module_is_refused_with_what_it_is(engine, wasm, problem):
    """Text, components, other versions and truncated files are told apart."""
    with pytest.raises(InvalidModule, match=problem):
        compile_module(engine, "suspect", wasm)


def test_a_module_beyond_64_mib_is_refused_unread(engine):
    """Size is looked at before anything else."""
    with pytest.raises(InvalidModule, match="the limit is 67108864"):
        compile_module(engine, "suspect", b"\0asm" + bytes(64 << 20))


# For every feature of the profile that is off, modules that need it.
LEFT_OUT = {
    "wasm_simd": [
        "(module (memory 1) (func (drop (v128.load (i32.const 0)))))",
        "(module (global v128 (v128.const i64x2 0 0)))",
    ],
    "wasm_relaxed_simd": [
        "(module (func (param v128 v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 1))))"
    ],
    "wasm_threads": ["(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))"],
    "shared_memory": ["(module (memory 1 2 shared))"],
    "wasm_tail_call": ["(module (func $f return_call $f))"],
    "wasm_multi_memory": ["(module (memory 1) (memory 1))"],
    "wasm_memory64": ["(module (memory i64 1))", "(module (table i64 1 funcref))"],
    "wasm_exceptions": ["(module (tag))", "(module (func unreachable throw_ref))"],
    "wasm_function_references": ["(module (func (param (ref func))))"],
    "wasm_gc": [
        "(module (type (struct)))",
        "(module (type (array i8)))",
        "(module (func (drop (ref.i31 (i32.const 1)))))",
    ],
    "gc_support": ["(module (table 1 externref))", "(module (func (param externref)))"],
    "wasm_wide_arithmetic": [
        "(module (func (param i64) (result i64 i64) (i64.mul_wide_u (local.get 0) (local.get 0))))"
    ],
    "wasm_custom_page_sizes": ["(module (memory 1 1 (pagesize 1)))"],
    "wasm_stack_switching": ["(module (type $f (func)) (type (cont $f)))"],
    "wasm_component_model": ["(component)", "(component (core module))"],
}


def test_every_feature_that_is_off_is_tried():
    """There is a module for each switch of the profile that is off."""
    assert {name for name, is_on in DEFAULT_PROFILE.items() if not is_on} == LEFT_OUT.keys()


@pytest.mark.parametrize("text", [text for texts in LEFT_OUT.values() for text in texts])
def test_what_the_profile_leaves_out_does_not_compile(engine, text):
    """SIMD, threads, more or wider memories, tail calls, exceptions, gc, components and the rest are off."""
    with pytest.raises(InvalidModule, match=r"does not compile|component"):
        compile_module(engine, "suspect", bytes(wasmtime.wat2wasm(text)))


@pytest.mark.parametrize("text", ["(component)", "(component (core module))"])
def test_the_engine_itself_takes_no_component(engine, text):
    """Who got past our own look at the first bytes would not get past the engine."""
    with pytest.raises(wasmtime.WasmtimeError):
        wasmtime.Module(engine.wasmtime, wasmtime.wat2wasm(text))


@pytest.mark.parametrize(
    "text",
    [
        "(module (memory 1) (func (memory.copy (i32.const 0) (i32.const 1) (i32.const 2))))",
        "(module (table 1 funcref) (func (drop (table.get (i32.const 0)))))",
        "(module (func (result i32 i64) (i32.const 1) (i64.const 2)))",
        "(module (func (param i32) (result i32) (i32.extend8_s (local.get 0))))",
        "(module (func (param f32) (result i32) (i32.trunc_sat_f32_s (local.get 0))))",
        '(module (global (export "g") (mut i32) (i32.const 0)))',
    ],
)
def test_what_todays_compilers_emit_compiles(engine, text):
    """Bulk memory, reference types, multi-value, sign extension, saturating conversion, mutable globals are on."""
    assert compile_module(engine, "guest", bytes(wasmtime.wat2wasm(text))) is not None
