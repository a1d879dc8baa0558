import ast
import importlib
import sys

import pytest
import wasmtime

# Answers with one byte more than it was given.
LONGER = """
(module
  (memory (export "memory") 2)
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param $at i32) (param $length i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32))
            (i64.extend_i32_u (i32.add (local.get $length) (i32.const 1))))))
"""


@pytest.fixture(scope="module")
def limits(root):
    """Import a module of `bench.limits`, which is no part of the package that is shipped."""
    sys.path.append(str(root))
    return lambda name: importlib.import_module(f"bench.limits.{name}")


def test_there_is_nothing_of_caxton_in_the_bare_loops(sources, tree):
    """The bare loops import only themselves, the standard library and third parties."""
    imported = set()
    for path in sources("bench/limits"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom):
                imported.add(node.module)
            elif isinstance(node, ast.Import):
                imported |= {name.name for name in node.names}

    assert imported >= {"zmq", "wasmtime", "sqlite3"}
    assert {name for name in imported if name.startswith(("caxton", "workers", "bench"))} <= {
        f"bench.limits.{name}" for name in ("client", "committer", "guests", "message", "worker")
    }


def test_a_reply_of_the_bare_loops_finds_its_request(limits, tmp_path):
    """Messages and guests answer each message to its sender, with its token, and the same content."""
    message, guests, worker = limits("message"), limits("guests"), limits("worker")
    (tmp_path / "echo.wasm").write_bytes(wasmtime.wat2wasm(LONGER.replace("(i32.const 1)", "(i32.const 0)")))
    frame = message.encode(message.requests([4, 5], b"content", 7))

    for answer in (guests.answering(tmp_path / "echo.wasm", [4, 5]), worker._answer_messages):
        replies = message.decode(answer(frame))
        assert [(reply.sender, reply.receiver, reply.content) for reply in replies] == [
            (4, 1, b"content"),
            (5, 1, b"content"),
        ]
        assert [(reply.in_reply_to, reply.reply_with) for reply in replies] == [(b"r" * 16, None)] * 2


def test_a_bare_loop_counts_nothing_that_is_no_echo(limits, tmp_path):
    """A guest that does not answer with what it was given ends the loop with an error instead of a rate."""
    (tmp_path / "longer.wasm").write_bytes(wasmtime.wat2wasm(LONGER))
    client, worker = limits("client"), limits("worker")
    setting = worker.Setting(worker.Stage.SANDBOX, tmp_path, tmp_path / "longer.wasm", 1, 4, 10, 0.1, 2)

    with pytest.raises(client.LimitBroken, match="not an echo agent"):
        client.measure(setting)


def test_the_bare_loops_run_with_several_workers(limits, tmp_path):
    """Frames of several workers are counted, and what each side computed is measured."""
    client, worker = limits("client"), limits("worker")
    loop = client.measure(worker.Setting(worker.Stage.MESSAGES, tmp_path, tmp_path, 2, 5, 10, 0.1, 2))

    assert loop.round_trips > 0
    assert loop.seconds >= 0.1
    assert loop.client_cpu_s > 0
