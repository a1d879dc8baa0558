"""`caxton demo words`, as a process of its own, against collections.Counter."""

import asyncio
import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

import caxton
import caxton.guests
from caxton.client.call_line import ask
from caxton.client.own_runtime import own_runtime
from caxton.wire.supervision import AskHealth, AskStats

CAXTON = [sys.executable, "-P", "-m", "caxton"]
GUESTS = Path(caxton.guests.__file__).parent
KEYS = [
    "files",
    "lines",
    "total_words",
    "distinct_words",
    "top",
    "messages_delivered",
    "across_workers",
    "lost",
    "seconds",
    "workers",
    "restarted",
]
TIMEOUT_S = 60


def prose(words, seed=1):
    """Make lines of words as unevenly frequent as those of a language."""
    dice = random.Random(seed)
    vocabulary = [b"%x" % dice.randrange(16 ** dice.randrange(1, 8)) for _ in range(3_000)]
    chosen = [vocabulary[min(int(dice.paretovariate(0.8)), 2_999)] for _ in range(words)]
    return b"".join(b" ".join(chosen[at : at + 12]) + b"\n" for at in range(0, words, 12))


KINDS = {
    "prose": prose(30_000),
    "latin-1": "Füße für größere Bäume, déjà vu\r\n".encode("latin-1") * 500,
    "any bytes": random.Random(2).randbytes(60_000),
    "empty": b"",
    "white space": b" \t\n\r\v\f" * 1_000,
    "no newline at the end": b"to be or not\nto be",
    "one long line": prose(20_000, seed=3).replace(b"\n", b" "),
    "a long word": b"short " + b"l" * 59_998 + b"ng short\n" + b"l" * 59_998 + b"ng",
}


@pytest.fixture(scope="module")
def runtime():
    with own_runtime(2) as directory:
        yield directory


def run(runtime, *arguments, directory_for_its_own=None):
    own = {} if directory_for_its_own is None else {"TMPDIR": str(directory_for_its_own)}
    return subprocess.run(
        [*CAXTON, "demo", "words", *map(str, arguments)],
        env=os.environ | {"CAXTON_RUNTIME_DIR": str(runtime)} | own,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def count(runtime, *arguments):
    done = run(runtime, "-o", "json", *arguments)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    return json.loads(done.stdout)


def counted(result):
    return [(bytes.fromhex(entry["hex"]), entry["count"]) for entry in result["top"]]


def expected(content):
    return sorted(Counter(content.split()).items(), key=lambda item: (-item[1], item[0]))


def agents_left(runtime):
    async def agents():
        async with caxton.connect(runtime) as client:
            return [view.name for view in await client.agents()]

    return asyncio.run(agents())


@pytest.mark.parametrize("content", KINDS.values(), ids=KINDS)
def test_counts_what_counter_counts(runtime, tmp_path, content):
    """Every word and its count, the totals and the lines are those of the file, and nothing is lost."""
    file = tmp_path / "text"
    file.write_bytes(content)
    result = count(runtime, file, "--top", 10_000)
    words = content.split()
    lines = len(io.BytesIO(content).readlines())
    assert list(result) == KEYS
    assert counted(result) == expected(content)[:10_000]
    assert (result["files"], result["lines"], result["workers"], result["lost"]) == (1, lines, 2, 0)
    assert result["restarted"] == 0
    assert (result["total_words"], result["distinct_words"]) == (len(words), len(set(words)))
    assert result["messages_delivered"] >= lines + len(words)


def test_the_words_are_printed_as_text(runtime, tmp_path):
    """A word is shown as UTF-8, with escapes for what is none, and its bytes stand beside it."""
    file = tmp_path / "text"
    file.write_bytes("größer größer ".encode() + b"gr\xf6\xdfer")
    assert count(runtime, file)["top"] == [
        {"word": "größer", "hex": "größer".encode().hex(), "count": 2},
        {"word": "gr\\xf6\\xdfer", "hex": b"gr\xf6\xdfer".hex(), "count": 1},
    ]


def test_counts_again_on_the_same_runtime(runtime, tmp_path):
    """Two runs over several files give the same, every word is a message, half of them cross, and no agent stays."""
    files = [tmp_path / "one", tmp_path / "two", tmp_path / "three"]
    for file, content in zip(files, [KINDS["prose"], KINDS["latin-1"], b""], strict=True):
        file.write_bytes(content)
    first, second = count(runtime, *files), count(runtime, *files)
    assert {**first, "seconds": 0, "across_workers": 0} == {**second, "seconds": 0, "across_workers": 0}
    assert counted(first) == expected(KINDS["prose"] + KINDS["latin-1"])[:20]
    for result in (first, second):
        assert result["messages_delivered"] == result["lines"] + result["total_words"]
        assert 0.4 < result["across_workers"] / result["total_words"] < 0.6
    assert agents_left(runtime) == []


def test_prints_a_table_for_people(runtime, tmp_path):
    """Without -o json the most frequent words, the totals, the rate and the loss are printed as text."""
    file = tmp_path / "text"
    file.write_bytes(b"to be or not to be\x1b[31m\n")
    done = run(runtime, file, "--top", "2")
    assert done.returncode == 0
    text = done.stdout.decode()
    assert "6 words, 5 of them different, from 1 lines and 1 files" in text
    assert "0 were lost" in text
    title, names, first, second, *_ = text.splitlines()
    assert title == "the 2 most frequent words"
    assert names.split() == ["word", "times"]
    assert first.split() == ["1.", "to", "2"]
    assert second.split() == ["2.", "be", "1"]
    assert "\x1b" not in text


def test_fails_when_the_counters_do_not_count(runtime, tmp_path):
    """With echo agents in the place of the counters there is an error and no result, and no agent stays."""
    file = tmp_path / "text"
    file.write_bytes(b"to be or not to be\n")
    done = run(runtime, file, "--counter-wasm", GUESTS / "echo.wasm", "-o", "json")
    assert (done.returncode, done.stdout) == (1, b"")
    told = json.loads(done.stderr)
    assert told["error"] == "WasmExecutionFailed"
    assert "invalid_output" in told["message"]
    assert agents_left(runtime) == []


def test_fails_when_a_counter_traps(runtime, tmp_path):
    """Counters that trap do not count: that is an error and no result."""
    file = tmp_path / "text"
    file.write_bytes(b"to be or not to be\n")
    done = run(runtime, file, "--counter-wasm", _traps(tmp_path), "-o", "json")
    assert (done.returncode, done.stdout) == (1, b"")
    told = json.loads(done.stderr)
    assert told["error"] == "WasmExecutionFailed"
    assert "unreachable" in told["message"]


def test_fails_when_the_words_are_too_many_for_the_counters(runtime, tmp_path):
    """Too few counters for so many different words are an error that says so, and no wrong counts."""
    file = tmp_path / "text"
    words = b" ".join(b"%07d" % number for number in range(20_000))
    file.write_bytes(words)
    done = run(runtime, file, "--counters", 2, "-o", "json")
    assert (done.returncode, done.stdout) == (1, b"")
    told = json.loads(done.stderr)
    assert (told["error"], told["fields"]["resource"]) == ("ResourceLimitExceeded", "state")
    assert "use more counters than 2, with --counters" in told["message"]
    assert agents_left(runtime) == []
    assert count(runtime, file, "--counters", 5)["distinct_words"] == 20_000


def _traps(folder):
    """Write a module whose every turn ends in `unreachable`."""
    types = bytes([2, 0x60, 1, 0x7F, 1, 0x7F, 0x60, 2, 0x7F, 0x7F, 1, 0x7E])
    names = [(b"memory", 2, 0), (b"caxton_alloc", 0, 0), (b"handle_message", 0, 1)]
    exports = bytes([len(names)]) + b"".join(bytes([len(n)]) + n + bytes([kind, at]) for n, kind, at in names)
    alloc, trap = bytes([5, 0, 0x41, 0x80, 0x08, 0x0B]), bytes([3, 0, 0x00, 0x0B])  # 1024, inside the one page
    sections = [(1, types), (3, bytes([2, 0, 1])), (5, bytes([1, 0, 1])), (7, exports), (10, bytes([2]) + alloc + trap)]
    module = folder / "traps.wasm"
    module.write_bytes(b"\0asm\1\0\0\0" + b"".join(bytes([kind, len(body)]) + body for kind, body in sections))
    return module


def test_a_word_beyond_the_limit_is_an_error(runtime, tmp_path):
    """A word of more than 60,000 bytes is refused with the file, the place and the limit, and no agent stays."""
    file = tmp_path / "text"
    file.write_bytes(b"one " + b"x" * 60_001)
    done = run(runtime, file, "-o", "json")
    assert (done.returncode, done.stdout) == (2, b"")
    told = json.loads(done.stderr)
    assert told["error"] == "ValidationError"
    assert f"{file}: the word at byte 4 is longer than 60000 bytes" in told["message"]
    assert agents_left(runtime) == []


def test_a_file_that_is_not_there_is_a_wrong_command_line(runtime, tmp_path):
    """A file that does not exist is named, with exit code 2."""
    done = run(runtime, tmp_path / "missing")
    assert done.returncode == 2
    assert b"missing" in done.stderr


def test_another_number_of_workers_than_the_runtime_has(runtime, tmp_path):
    """--workers is for a runtime of the demo's own; it says so when another one serves with a different number."""
    file = tmp_path / "text"
    file.write_bytes(b"word")
    done = run(runtime, file, "--workers", 1)
    assert done.returncode == 1
    assert b"has 2, not 1" in done.stderr


@contextmanager
def started(*arguments):
    """Start the demo where no runtime serves, with a pipe as its file."""
    with TemporaryDirectory(prefix="cx-") as folder:
        pipe = Path(folder, "pipe")
        os.mkfifo(pipe)
        demo = subprocess.Popen(
            [*CAXTON, "demo", "words", str(pipe), "-o", "json", *arguments],
            env=os.environ | {"CAXTON_RUNTIME_DIR": f"{folder}/none", "TMPDIR": folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        threading.Thread(target=_end_of_reader, args=(demo, pipe), daemon=True).start()
        try:
            yield demo, pipe, Path(folder)
        finally:
            demo.kill()
            demo.communicate(timeout=TIMEOUT_S)


def _end_of_reader(demo, pipe):
    """Let whoever waits for the demo to open the pipe go, when it has ended without doing so."""
    demo.wait()
    if pipe.exists():
        os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))


def its_runtime(folder):
    (directory,) = folder.glob("caxton-*/run")
    return directory


def test_starts_a_runtime_of_its_own(tmp_path):
    """Where no runtime serves it starts one with as many workers as it is told, and leaves nothing of it behind."""
    with started("--workers", "1") as (demo, pipe, folder):
        pipe.write_bytes(KINDS["prose"])
        output, errors = demo.communicate(timeout=TIMEOUT_S)
        assert demo.returncode == 0, errors.decode()
        result = json.loads(output)
        assert counted(result) == expected(KINDS["prose"])[:20]
        assert (result["workers"], result["across_workers"]) == (1, 0)
        assert list(folder.glob("caxton-*")) == []


def test_a_runtime_that_does_not_start(tmp_path):
    """When it cannot start a runtime, the reason is printed and it fails."""
    file, crowded = tmp_path / "text", tmp_path / ("long" * 25)
    file.write_bytes(b"word")
    crowded.mkdir()
    done = run(tmp_path / "none", file, directory_for_its_own=crowded)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"too long for socket names" in done.stderr
    assert b"a runtime of its own: `caxton serve` ended with exit code 1" in done.stderr


def shown(folder):
    return ask(its_runtime(folder), AskHealth(), 30.0).values["workers"]


def kill_and_await(folder, shard):
    """Kill the worker of a shard with SIGKILL; returns when its successor serves."""
    killed = shown(folder)[shard]
    os.kill(killed["pid"], signal.SIGKILL)
    deadline = time.monotonic() + TIMEOUT_S
    while (now := shown(folder)[shard])["incarnation"] == killed["incarnation"] or now["state"] != "ready":
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


@pytest.mark.parametrize("deaths", [[0], [0, 1, 0]], ids=["one worker", "one worker after the other"])
def test_counts_survive_kill_9(deaths):
    """Workers that are killed with SIGKILL while they count change nothing: every word is counted once."""
    content = KINDS["prose"] * 4 + KINDS["any bytes"]
    with started("--workers", "2", "--top", "10000") as (demo, pipe, folder), pipe.open("wb") as file:
        for shard in deaths:
            file.write(content)  # more than the demo sends in one batch, so that something was counted
            file.flush()
            kill_and_await(folder, shard)
        file.write(content)
        file.close()
        output, errors = demo.communicate(timeout=TIMEOUT_S)
        assert demo.returncode == 0, errors.decode()
        result = json.loads(output)
        whole = content * (len(deaths) + 1)
        assert counted(result) == expected(whole)[:10_000]
        assert (result["total_words"], result["distinct_words"]) == (len(whole.split()), len(set(whole.split())))
        assert (result["lost"], result["restarted"]) == (0, len(set(deaths)))


def test_ctrl_c_stops_its_runtime_too():
    """Ctrl-C ends the demo and the runtime that it started, in order, and leaves nothing behind."""
    with started("--workers", "1") as (demo, pipe, folder):
        with pipe.open("wb") as file:
            file.write(KINDS["prose"] * 10)
            file.flush()
            children = psutil.Process(demo.pid).children(recursive=True)
            assert children
            demo.send_signal(signal.SIGINT)
        output, _ = demo.communicate(timeout=TIMEOUT_S)
        assert demo.returncode not in (0, None)
        assert output == b""
        assert psutil.wait_procs(children, timeout=TIMEOUT_S)[1] == []
        assert list(folder.glob("caxton-*")) == []


def test_its_runtime_ends_with_it_however_it_ends():
    """When the demo is killed, the runtime that it started drains and ends by itself."""
    with started("--workers", "1") as (demo, pipe, _folder), pipe.open("wb") as file:
        file.write(KINDS["prose"])
        children = psutil.Process(demo.pid).children(recursive=True)
        assert len(children) >= 2
        demo.kill()
        assert psutil.wait_procs(children, timeout=TIMEOUT_S)[1] == []


def test_other_traffic_is_not_counted(runtime, tmp_path):
    """Messages of others that the runtime handled before are in none of a run's numbers."""
    file = tmp_path / "text"
    file.write_bytes(b"one two three")
    count(runtime, file)
    assert ask(runtime, AskStats(), 30.0).values["totals"]["run"] > 0
    result = count(runtime, file)
    assert result["messages_delivered"] == 4
    assert result["across_workers"] <= 3
