"""What a sandbox costs: one call, one start, its memory and its mappings, under the engine's settings or others.

usage: python -m bench.sandbox [name=value ...]        for example: memory_init_cow=1 memory_reservation=65536
"""

import json
import sys
import time
from pathlib import Path
from timeit import repeat

import wasmtime

from caxton.agents.limits import DEFAULT_LIMITS
from workers.sandbox import engine as engines
from workers.sandbox.sandbox import Sandbox
from workers.sandbox.watchdog import Watchdog

SANDBOXES = 5_000
CALLS = 100_000
ROUNDS = 7
CONTENT = b"x" * 100

# Echoes, and has data for a memory image; `work` is a loop of loads and stores.
GUEST = """(module
  (memory (export "memory") 2)
  (data (i32.const 1024) "as most guests do, this one has data")
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param $pointer i32) (param $length i32) (result i64)
    (local $i i32)
    (if (i32.eqz (local.get $length))
      (then
        (loop $work
          (i32.store (i32.and (i32.mul (local.get $i) (i32.const 28)) (i32.const 65532))
            (i32.add (i32.load8_u (i32.and (local.get $i) (i32.const 65535))) (local.get $i)))
          (br_if $work
            (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 2000000))))))
    (i64.or (i64.shl (i64.extend_i32_u (local.get $pointer)) (i64.const 32))
            (i64.extend_i32_u (local.get $length)))))"""


def resident() -> int:
    """Return this process's resident bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096


def mappings() -> int:
    """Return how many mappings this process has."""
    return len(Path("/proc/self/maps").read_text().splitlines())


def measure() -> dict[str, float]:
    """Measure calls first, in one sandbox, and then thousands of sandboxes."""
    engine = engines.GuestEngine()
    watchdog = Watchdog(engine)
    watchdog.start()
    module = wasmtime.Module(engine.wasmtime, bytes(wasmtime.wat2wasm(GUEST)))

    def start() -> Sandbox:
        return Sandbox(engine, module, DEFAULT_LIMITS, watchdog, lambda _level, _line: None)

    first = start()
    call_s = min(repeat(lambda: first.handle(CONTENT), number=CALLS, repeat=ROUNDS)) / CALLS
    work_s = min(repeat(lambda: first.handle(b""), number=1, repeat=ROUNDS * 3))
    bytes_before, mappings_before, begun = resident(), mappings(), time.perf_counter()
    sandboxes = [start() for _ in range(SANDBOXES)]
    start_s = (time.perf_counter() - begun) / SANDBOXES
    for sandbox in sandboxes:
        sandbox.handle(CONTENT)
    result = {
        "call_us": round(call_s * 1e6, 3),
        "work_ms": round(work_s * 1e3, 2),
        "start_us": round(start_s * 1e6, 1),
        "resident_kb_each": round((resident() - bytes_before) / SANDBOXES / 1_024, 1),
        "mappings_each": round((mappings() - mappings_before) / SANDBOXES, 2),
    }
    for sandbox in sandboxes:
        sandbox.close()
    watchdog.stop()
    return result


if __name__ == "__main__":
    given = dict(argument.split("=") for argument in sys.argv[1:])
    for name, value in given.items():
        is_flag = isinstance(engines.RUN_SETTINGS[name], bool)
        engines.RUN_SETTINGS[name] = bool(int(value)) if is_flag else int(value)
    print(json.dumps(given | measure()))
