"""What a module imports, read without compiling it."""

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from caxton.agents.module_imports import KNOWN_IMPORTS, MAX_IMPORTS, imports_of
from caxton.errors import ValidationError
from workers.sandbox.abi import IMPORTS

EMPTY = b"\0asm\1\0\0\0"
KINDS = [
    '(import "m" "f" (func (param i32 i64) (result f64)))',
    '(import "" "t" (table 1 5 funcref))',
    '(import "größe" "u" (table 300 externref))',
    '(import "m" "n" (memory 1 200))',
    '(import "m" "k" (memory 0))',
    '(import "m" "g" (global (mut i32)))',
    '(import "m" "h" (global f64))',
]
WHOLE = wasmtime.wat2wasm(f'(module (type (func (param i32))) {" ".join(KINDS)} (func (export "x")))')


@given(kinds=st.lists(st.sampled_from(KINDS), unique=True))
def test_it_is_what_the_engine_says(kinds):
    """Functions, tables, memories and globals, in the order of the module."""
    wasm = bytes(wasmtime.wat2wasm(f'(module (type (func (param i32))) {" ".join(kinds)} (func (export "x")))'))
    module = wasmtime.Module(wasmtime.Engine(), wasm)

    assert imports_of(wasm) == tuple(f"{one.module}.{one.name}" for one in module.imports)


def test_what_is_known_is_what_the_sandbox_has():
    """The names that manifests may want are those that guests may import."""
    assert tuple(IMPORTS) == KNOWN_IMPORTS


@pytest.mark.parametrize(
    ("wasm", "says"),
    [
        (b"", "no WebAssembly"),
        (b"(module)", "no WebAssembly"),
        (b"\0asm\x0d\0\1\0", "component"),
        (b"\0asm\1", "component"),
        (EMPTY + b"\2", "ends in the middle"),
        (EMPTY + b"\2\xff\xff\xff\xff\x0f\xff\x7f", "imports; at most 1,000"),
        (EMPTY + b"\2\1\xff", "ends in the middle"),
        (EMPTY + b"\2" + b"\x80" * 20, "does not end"),
        (EMPTY + b"\2\7\1\1\xff\0\0", "UTF-8"),
        (EMPTY + b"\2\7\1\1a\1b\4\0", "no function"),
        (EMPTY + b"\2\5\1\xff\xff\3a", "ends in the middle"),
    ],
    ids=repr,
)
def test_what_is_no_core_module_is_refused(wasm, says):
    """Text, components, other versions, and what is cut short."""
    with pytest.raises(ValidationError, match=says):
        imports_of(wasm)


def test_the_number_of_imports_is_bounded():
    """A thousand are read; of one more the module is refused before any is."""
    one = b"\0\0\0\0"
    for count, size in ((MAX_IMPORTS, b"\xe8\x07"), (MAX_IMPORTS + 1, b"\xe9\x07")):
        body = size + one * count
        wasm = EMPTY + b"\2" + bytes([len(body) & 127 | 128, len(body) >> 7]) + body
        if count > MAX_IMPORTS:
            with pytest.raises(ValidationError, match="1,001 imports"):
                imports_of(wasm)
        else:
            assert imports_of(wasm) == (".",) * count


@given(data=st.binary(max_size=60), start=st.integers(8, len(WHOLE)))
def test_any_bytes_are_read_to_an_end(data, start):
    """Whatever follows, it is names or a ValidationError."""
    try:
        found = imports_of(bytes(WHOLE[:start]) + data)
    except ValidationError:
        return
    assert all(isinstance(name, str) for name in found)
