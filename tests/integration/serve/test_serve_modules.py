import asyncio
import hashlib
import time

import pytest
import wasmtime

from caxton.agents.limits import DEFAULT_LIMITS
from caxton.client.supervisor_line import SupervisorLine
from caxton.errors import InvalidModule
from caxton.wire.supervision import MODULE_CHUNK, AskHealth, UploadModule

ECHO = """
(module
  (memory (export "memory") 2)
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param $at i32) (param $length i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $length)))))
"""


def large_echo():
    """An echo agent with more data than one piece of an upload holds."""
    data = f'(data (i32.const 131072) "{"x" * (MODULE_CHUNK + 1_000)}")'
    return bytes(wasmtime.wat2wasm(ECHO.replace('"memory") 2', '"memory") 80').rstrip()[:-1] + data + ")"))


def compile_bomb():
    """A small module that takes a compiler many seconds: one function of 400,000 loops."""
    return bytes(wasmtime.wat2wasm(f'(module (func (export "f") {"(loop)" * 400_000}))'))


async def upload(directory, wasm, agent="agent"):
    """Upload a module; returns what the last piece was answered."""
    line = SupervisorLine(directory)
    sha256 = hashlib.sha256(wasm).digest()
    offset = 0
    try:
        while True:
            chunk = wasm[offset : offset + MODULE_CHUNK]
            piece = UploadModule(sha256, len(wasm), offset, chunk, agent, DEFAULT_LIMITS)
            offset = (await line.ask(piece, 30.0)).wanted
            if offset == len(wasm):
                return offset
    finally:
        line.close()


def artifacts(served):
    return sorted(path.name for path in (served.data_dir / "modules").glob("*.native"))


def test_a_module_is_compiled_once(serve):
    """A module is compiled at its first upload; the second time it is known, and nothing is compiled."""
    served = serve()
    served.event("ready")
    wasm = bytes(wasmtime.wat2wasm(ECHO))

    written = []
    for _ in range(2):
        asyncio.run(upload(served.runtime_dir, wasm))
        (name,) = artifacts(served)
        written.append((served.data_dir / "modules" / name).stat().st_ino)  # each that is written is another file

    assert written[1] == written[0]


def test_a_module_of_several_pieces_arrives_whole(serve):
    """A module larger than a piece is put together, compiled and kept."""
    served = serve()
    served.event("ready")
    wasm = large_echo()
    assert len(wasm) > MODULE_CHUNK

    assert asyncio.run(upload(served.runtime_dir, wasm)) == len(wasm)

    assert (served.data_dir / "modules" / f"{hashlib.sha256(wasm).hexdigest()}.wasm").read_bytes() == wasm
    assert len(artifacts(served)) == 1


@pytest.mark.parametrize("wasm", [b"not wasm", ECHO.encode(), bytes(wasmtime.wat2wasm(ECHO))[:-5], b""])
def test_what_is_no_module_is_refused(serve, wasm):
    """Bytes that are no wasm, text, a truncated module and nothing at all are refused, and nothing is kept."""
    served = serve("--drain-timeout", 2, workers=1)
    served.event("ready")

    with pytest.raises(InvalidModule):
        asyncio.run(upload(served.runtime_dir, wasm, "counter"))

    assert list((served.data_dir / "modules").glob("*.*")) == []


def test_a_compile_bomb_is_refused_and_slows_nobody_down(serve):
    """While a module runs into the compiler's limits, questions are answered; then it is refused with the reason."""
    served = serve()
    served.event("ready")
    wasm = compile_bomb()

    async def meanwhile():
        bomb = asyncio.get_running_loop().create_task(upload(served.runtime_dir, wasm))
        line = SupervisorLine(served.runtime_dir)
        slowest_s, asked, began_s = 0.0, 0, time.monotonic()
        while not bomb.done():
            started_s = time.monotonic()
            await line.ask(AskHealth(), 20.0)
            slowest_s, asked = max(slowest_s, time.monotonic() - started_s), asked + 1
            await asyncio.wait({bomb}, timeout=0.05)
        took_s = time.monotonic() - began_s
        line.close()
        with pytest.raises(InvalidModule, match="compilation"):
            await bomb
        return slowest_s, asked, took_s

    slowest_s, asked, took_s = asyncio.run(meanwhile())

    assert asked > 5
    assert slowest_s < took_s / 2
    assert asyncio.run(upload(served.runtime_dir, bytes(wasmtime.wat2wasm(ECHO)))) > 0


def test_what_has_no_artifact_is_compiled_before_ready(serve, caxton):
    """After an upgrade, or a damage, a stored module has its artifact again by the time the runtime is ready."""
    served = serve()
    served.event("ready")
    asyncio.run(upload(served.runtime_dir, bytes(wasmtime.wat2wasm(ECHO))))
    before = artifacts(served)
    caxton("stop", "--runtime-dir", served.runtime_dir)
    for name in before:
        (served.data_dir / "modules" / name).unlink()

    again = serve()
    again.event("ready")

    assert artifacts(again) == before
