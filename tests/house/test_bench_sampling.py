import ast
import importlib
import os
import sys

import pytest

from caxton.errors import ConfigurationError

# What runs in neither a worker nor a client that sends messages.
ELSEWHERE = (
    "caxton/__main__.py",
    "caxton/demo/",
    "caxton/forms/",
    "caxton/gateway/",
    "caxton/guests/",
    "caxton/supervisor/",
    "caxton/telemetry/",
    "caxton/tokens/",
)
RAW = """\
thread (71): MainThread;main (workers/main.py:71);run (uvloop/loop.py:92);handle (workers/sandbox/sandbox.py:153) 6
thread (71): MainThread;main (workers/main.py:71);run (uvloop/loop.py:92);handle (workers/sandbox/sandbox.py:150) 1
thread (71): MainThread;main (workers/main.py:71);run (uvloop/loop.py:92) 3
thread (0x48): Thread-1;_run (aiosqlite/core.py:9);apply (caxton/store/transaction.py:8);seal (caxton/store/seal.py:4) 2
no stack at all
thread (71): MainThread;main (workers/main.py:71) many
"""


@pytest.fixture(scope="module")
def sampling(root):
    """Import a module of `bench.sampling`, which is no part of the package that is shipped."""
    sys.path.append(str(root))
    return lambda name: importlib.import_module(f"bench.sampling.{name}")


@pytest.fixture
def stacks(sampling):
    return list(sampling("stacks").read(RAW.splitlines()))


def frames_of(sampling, *places):
    frame = sampling("stacks").Frame
    return [frame(function, file, 1) for file, function in places]


def defined_in(tree, prefix=""):
    """Yield the qualified names of the functions of a tree."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{node.name}"
            yield from defined_in(node, f"{prefix}{node.name}.")


def test_every_module_on_the_way_of_a_message_has_a_stage(root, sources, sampling):
    """Each module of workers, clients and the floors below has a stage in the budget, or belongs to its callers."""
    paths = [path.relative_to(root).as_posix() for path in sources("caxton", "workers") if path.stat().st_size]
    knows = sampling("stages").knows

    assert [path for path in paths if not path.startswith(ELSEWHERE) and not knows(path)] == []
    assert not knows("caxton/nothing.py")
    assert not knows("workers/nothing.py")


def test_the_stages_name_only_what_there_is(root, sampling, tree):
    """Each file, folder and function of Caxton that the table of stages names exists, and each stage is explained."""
    stages = sampling("stages")
    own = [path for path in stages.paths() if path.startswith(("caxton/", "workers/", "bench/"))]

    assert [path for path in own if not (root / path).exists()] == []
    for file, function in stages.functions():
        assert function in set(defined_in(tree(root / file))), f"{file} has no {function} any more"
    assert stages.named() <= set(stages.STAGES)


@pytest.mark.parametrize(
    ("places", "stage"),
    [
        ([("workers/main.py", "main"), ("workers/intake/message_inlet.py", "MessageInlet.take")], "receive"),
        (
            [
                ("workers/intake/message_inlet.py", "MessageInlet.take"),
                ("caxton/transport/sockets.py", "Inlet.receive"),
            ],
            "receive",
        ),
        (
            [
                ("workers/volatile/release.py", "release"),
                ("caxton/transport/sockets.py", "Outlet.send"),
                ("zmq/a.py", "b"),
            ],
            "pack",
        ),
        ([("caxton/client/session/session.py", "Session.submit")], "route"),
        ([("caxton/client/session/session.py", "Session.pump.<locals>.<listcomp>")], "pack"),
        ([("workers/main.py", "main"), ("asyncio/runners.py", "Runner.run")], "event loop"),
        ([("caxton/store/transaction.py", "apply")], "commit"),
        ([("caxton/store/books.py", "Book.commit")], "bookkeeping"),
        ([("bench/load/closed_loop.py", "Load.ask")], "load"),
        ([("bench/questions/budget.py", "measure"), ("uvloop/__init__.py", "run")], "event loop"),
        ([("threading.py", "Thread.run")], "other"),
    ],
)
def test_the_innermost_frame_with_a_stage_decides(sampling, places, stage):
    """A stack belongs to the stage of its innermost frame that has one; shared floors belong to their callers."""
    assert sampling("stages").stage_of(frames_of(sampling, *places)) == stage


def test_stacks_are_read_and_what_is_none_is_left_out(stacks):
    """Lines of the raw format give the thread, the frames from the outermost on, and the count."""
    assert [(stack.thread, stack.count) for stack in stacks] == [(71, 6), (71, 1), (71, 3), (72, 2)]
    top = stacks[0].top
    assert (top.function, top.file, top.line) == ("handle", "workers/sandbox/sandbox.py", 153)


def test_computing_time_is_split_by_what_was_seen(sampling, stacks):
    """The stages of a thread add up to its time, one without Python keeps its own, and hot functions come first."""
    threads = {71: "main", 72: "commit", 73: "zmq io", 74: "idle"}
    us = {"main": 4.0, "commit": 0.5, "zmq io": 0.5, "idle": 0.0}
    process = sampling("split").Process("worker", threads, us, stacks)
    rows = [(row["thread"], row["stage"], row["us_per_turn"], row["share"]) for row in process.stages()]

    assert process.us_per_turn == 5
    assert process.samples == 12
    assert rows == [
        ("main", "sandbox", 2.8, 0.56),
        ("main", "event loop", 1.2, 0.24),
        ("commit", "commit", 0.5, 0.1),
        ("zmq io", "zmq io", 0.5, 0.1),
    ]
    first, *_ = hot = process.hot()
    assert (first["function"], first["us_per_turn"]) == ("handle", 2.8)
    assert first["lines"] == {"153": 2.4, "150": 0.4}
    assert [row["us_per_turn"] for row in hot] == sorted((row["us_per_turn"] for row in hot), reverse=True)


def test_computing_time_counts_from_a_moment_on(sampling):
    """Threads of one name count together, one that began meanwhile from its beginning, one without a name as other."""
    us_by_name = sampling("threads").us_by_name
    found = us_by_name(
        {1: 1.0, 2: 5.0}, {1: 3.0, 2: 5.5, 3: 0.5, 4: 0.25}, {1: "main", 2: "zmq io", 3: "zmq io"}, 1_000_000
    )

    assert found == {"main": 2.0, "zmq io": 1.0, "other": 0.25}


def test_a_missing_py_spy_is_an_error_that_says_what_to_do(sampling, monkeypatch, tmp_path):
    """Without py-spy the error names it and the extra that brings it."""
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigurationError, match=r"not installed.*caxton\[bench\]"):
        sampling("py_spy").find()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        # What py-spy 0.4 says when the kernel does not let it look.
        ("Permission Denied: Try running again with elevated permissions by going 'sudo'", "kernel.yama.ptrace_scope"),
        ("Error: No stack counts found", "No stack counts found"),
        ("", "without a word"),
    ],
)
def test_a_py_spy_that_fails_is_an_error_with_its_words(sampling, monkeypatch, tmp_path, said, told):
    """Where py-spy may not look, the error says what would allow it; any other failure is told in its own words."""
    fake = tmp_path / "py-spy"
    fake.write_text(f'#!/bin/sh\necho "{said}" >&2\nexit 1\n')
    fake.chmod(0o700)
    monkeypatch.setattr("sysconfig.get_path", lambda _name: str(tmp_path))
    py_spy = sampling("py_spy")

    with pytest.raises(ConfigurationError, match=told):
        py_spy.dump(os.getpid())
    with pytest.raises(ConfigurationError, match=told), py_spy.recording(os.getpid(), "raw", tmp_path / "a") as child:
        child.wait(10)
