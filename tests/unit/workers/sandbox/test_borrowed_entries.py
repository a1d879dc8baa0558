"""Entry points are a guest's own functions: no import is one, under whatever name."""

import pytest
import wasmtime

from caxton.agents.limits import DEFAULT_LIMITS
from caxton.errors import InvalidModule
from workers.sandbox import abi, borrowed_entries
from workers.sandbox.abi import IMPORTS, OPTIONAL, REQUIRED

ENTRY_POINTS = (REQUIRED | OPTIONAL).keys()
WHOLE = """(memory (export "memory") 2)
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0))"""


def assembled(text):
    return bytes(wasmtime.wat2wasm(text))


def declared(name):
    """Import a function as `$f`."""
    module, _, field = name.partition(".")
    parameters, results = IMPORTS[name]
    return f'(import "{module}" "{field}" (func $f (param {" ".join(parameters)}) (result {" ".join(results)})))'


@pytest.mark.parametrize("imported", IMPORTS)
@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_an_import_as_an_entry_point_is_refused(imported, name):
    """Every import is tried as every entry point, whatever its type."""
    wasm = assembled(f'(module {declared(imported)} (func) (export "other" (func 1)) (export "{name}" (func $f)))')
    with pytest.raises(InvalidModule) as raised:
        borrowed_entries.check(wasm, "suspect", 1, ENTRY_POINTS)
    assert raised.value.names == (name,)


def test_an_import_as_the_start_function_is_refused():
    """No import has the type of a start function today; one that had it would be refused."""
    wasm = assembled('(module (import "caxton_v1" "some" (func $f)) (start $f))')
    with pytest.raises(InvalidModule) as raised:
        borrowed_entries.check(wasm, "suspect", 1, ENTRY_POINTS)
    assert raised.value.names == (borrowed_entries.START,)


def test_functions_of_its_own_are_fine(engine):
    """A module that imports, starts and exports what is its own is taken; what else it exports does not matter."""
    text = f"""(module {declared("caxton_v1.log")} {WHOLE}
      (func $own) (start $own) (export "log" (func $f)) (global (export "g") i32 (i32.const 0)))"""
    wasm = assembled(text)
    module = wasmtime.Module(engine.wasmtime, wasm)
    abi.check(module, "guest", DEFAULT_LIMITS)
    abi.check_entries(module, "guest", wasm)


def test_indices_beyond_one_byte_are_read(engine):
    """The two hundredth function is no import, and the first of two hundred is."""
    functions = "(func)" * 200
    own = assembled(f'(module {declared("caxton_v1.log")} {functions} (export "caxton_shutdown" (func 200)))')
    borrowed = assembled(f'(module {declared("caxton_v1.log")} {functions} (export "caxton_shutdown" (func 0)))')
    borrowed_entries.check(own, "guest", 1, ENTRY_POINTS)
    with pytest.raises(InvalidModule):
        borrowed_entries.check(borrowed, "suspect", 1, ENTRY_POINTS)
