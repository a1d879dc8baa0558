"""The limit of a round trip: receive, decode, write, set fuel, raw call, read, encode, send; no pointer is checked."""

import argparse, ctypes as c, json, msgspec, multiprocessing, tempfile, time, wasmtime, zmq

NAMES = "id performative sender receiver content reply_with in_reply_to conversation made level timeout_ms flags rare"
KINDS = [bytes, int, int, int, bytes, bytes | None, bytes | None, bytes | None, int, int, int, int, bytes | None]
FIELDS = zip(NAMES.split(), KINDS, [b"", 0, 0, 0, b"", None, None, None, 10**12, 5, 30_000, 0, None], strict=True)
Message = msgspec.defstruct("Message", list(FIELDS), array_like=True, gc=False)
encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(list[Message]).decode
(context := zmq.Context()).rcvtimeo = 30_000


def worker(index, folder, of):
    (inlet := context.socket(zmq.PULL)).bind(f"ipc://{folder}/{index}")
    (outlet := context.socket(zmq.PUSH)).connect(f"ipc://{folder}/client")
    (config := wasmtime.Config()).consume_fuel = True
    module = wasmtime.Module.from_file(engine := wasmtime.Engine(config), of.wasm)
    set_fuel = c.PyDLL(wasmtime._ffi.dll._name).wasmtime_context_set_fuel  # keeps the interpreter lock: faster
    call = c.CDLL(wasmtime._ffi.dll._name).wasmtime_func_call_unchecked
    guests, slots, trap, fuel, two = {}, (c.c_int64 * 4)(), c.c_void_p(), c.c_uint64(1_000_000), c.c_size_t(2)
    values, slots_at, trap_at = memoryview(slots).cast("B").cast("q"), c.byref(slots), c.byref(trap)
    for agent in range(index, of.agents, of.workers):
        (store := wasmtime.Store(engine)).set_fuel(10**9)
        out = wasmtime.Instance(store, module, []).exports(store)
        buffer, memory = out["caxton_alloc"](store, 65536), memoryview(out["memory"].get_buffer_ptr(store)).cast("B")
        guests[agent] = memory, buffer, store._context(), c.byref(out["handle_message"]._func), store
    outlet.send(b"ready")
    while True:
        for m in (messages := decode(inlet.recv())):
            memory, buffer, store, function, _ = guests[m.receiver]
            memory[buffer : buffer + len(m.content)] = m.content
            set_fuel(store, fuel)
            values[0], values[2] = buffer, len(m.content)
            call(store, function, slots_at, two, trap_at)
            m.content = bytes(memory[values[0] >> 32 : (values[0] >> 32) + (values[0] & 0xFFFFFFFF)])
            m.sender, m.receiver, m.reply_with, m.in_reply_to = m.receiver, m.sender, None, m.reply_with
        outlet.send(encode(messages))


if __name__ == "__main__":
    parser, wasm = argparse.ArgumentParser(description=__doc__), "caxton/guests/echo.wasm"
    for name, value in {"workers": 1, "agents": 1000, "payload": 100, "seconds": 5, "window": 8, "wasm": wasm}.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    of, spawn, outlets, got = parser.parse_args(), multiprocessing.get_context("spawn").Process, [], 0
    with tempfile.TemporaryDirectory() as folder:
        (inlet := context.socket(zmq.PULL)).bind(f"ipc://{folder}/client")
        for i in range(of.workers):
            spawn(target=worker, args=(i, folder, of), daemon=True).start()
            outlets.append(context.socket(zmq.PUSH))
            outlets[i].connect(f"ipc://{folder}/{i}")
        content, share, waiting = b"x" * of.payload, of.agents // of.workers, [*range(of.workers)] * of.window
        ready, start = [inlet.recv() for _ in outlets], time.monotonic()
        while (seconds := time.monotonic() - start) < of.seconds:
            for i in waiting:
                ids = range(got, got + 256)
                batch = [Message(n.to_bytes(16), 3, 1, n % share * of.workers + i, content, b"r" * 16) for n in ids]
                outlets[i].send(encode(batch))
            got, waiting = got + len(messages := decode(inlet.recv())), [messages[0].sender % of.workers]
            assert messages[-1].content == content, "the guest is not an echo agent"
        print(json.dumps({"round_trips_per_s": round(got / seconds), "workers": of.workers, "seconds": seconds}))
