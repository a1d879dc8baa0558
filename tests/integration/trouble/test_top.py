"""`caxton top` on a real terminal, and `caxton stats --watch`, beside a runtime that is at work."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress

import pytest

import caxton
from caxton.testing import runtime

WORKERS = 2
CAXTON = (sys.executable, "-P", "-m", "caxton")
PATIENCE_S = 90.0
HOME, STYLES = b"\x1b[H", re.compile(rb"\x1b\[[0-9;]*m")
OTHER_SCREEN, FIRST_SCREEN, SHOW_CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"


class Terminal:
    """A terminal of its own, with `caxton top` on it, and all that it was sent."""

    def __init__(self, *arguments, size=(30, 120)):
        self.ours, theirs = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self.ours)
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *CAXTON, *map(str, arguments)],  # signals of the terminal are for it
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "500", "LINES": "500"},
        )
        self.seen = b""
        self._theirs = theirs  # kept open, so that what is left in it can be read when the program has ended

    def resize(self, lines, columns):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys):
        os.write(self.ours, keys.encode())

    def until(self, text):
        """Read until this comes; returns what came from here on, up to it."""
        wanted, came = text.encode() if isinstance(text, str) else text, b""
        give_up_at = time.monotonic() + PATIENCE_S
        while wanted not in came:
            left_s = give_up_at - time.monotonic()
            assert left_s > 0, (text, came[-3_000:])
            if select.select([self.ours], [], [], left_s)[0]:
                came += os.read(self.ours, 65_536)
        self.seen += came
        return came

    def end(self):
        """Wait for the end of the program; returns its exit code."""
        return self.process.wait(PATIENCE_S)

    def close(self):
        for descriptor in (self.ours, self._theirs):
            with suppress(OSError):
                os.close(descriptor)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def terminal(served):
    opened = []

    def top(*options, where=None, **size):
        opened.append(Terminal("top", "--runtime-dir", where or served.runtime_dir, *options, **size))
        return opened[-1]

    yield top
    for one in opened:
        one.close()


def run(*arguments):
    command = [*CAXTON, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


async def test_the_screen_follows_keys_and_sizes_and_q_ends_it(client, agent, terminal):
    """Sorts, filters, pauses; draws anew when its size changes; and leaves the terminal as it was."""
    name = (await client.inspect(await agent("mischief", "a busy agent"))).name
    shown = terminal("--every", "0.5")
    shown.until(OTHER_SCREEN)
    shown.until("ready")
    await client.request(name, b"")
    shown.press("m")
    shown.until("[waiting]")
    shown.press("t")
    shown.until("[turns/s]")
    shown.press("/nobody is called so\r")
    shown.until("nobody of these is among the busiest")
    shown.press("\x1b")
    shown.until("nobody is busy")
    shown.press("p")
    shown.until("paused")
    shown.resize(12, 60)
    shown.press("u")
    small = STYLES.sub(b"", shown.until("[time]").split(HOME)[-1]).decode()
    assert max(map(len, small.splitlines())) <= 60
    shown.press("q")
    shown.until(FIRST_SCREEN)

    assert shown.end() == 0
    assert SHOW_CURSOR in shown.seen
    assert termios.tcgetattr(shown.ours) == shown.before


@pytest.mark.parametrize("how", ["key", signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_signals_end_it_cleanly(terminal, how):
    """The first screen comes back, and the terminal is as it was."""
    shown = terminal()
    shown.until("q quit")
    if how == "key":
        shown.press("\x03")
    else:
        shown.process.send_signal(how)
    shown.until(FIRST_SCREEN)

    assert shown.end() == 0
    assert termios.tcgetattr(shown.ours) == shown.before


def test_a_terminal_that_goes_away_ends_it(terminal):
    """Nothing is left behind that looks for ever."""
    shown = terminal()
    shown.until("q quit")
    os.close(shown._theirs)
    os.close(shown.ours)

    assert shown.end() is not None


def test_it_says_that_its_runtime_is_gone_and_goes_on_with_the_next(terminal, wasm):
    """The screen stays, says what is missing, and shows the next runtime of that directory when there is one."""
    with runtime(1) as served:
        shown = terminal("--every", "0.5", where=served.runtime_dir)
        shown.until("1 of 1 shard ready, 0 agents")
        served.kill()
        shown.until("waiting for the next one")
        served.start()
        with caxton.connect_sync(served.runtime_dir) as client:
            client.deploy("of the next one", wasm("mischief"))
            shown.until("1 of 1 shard ready, 1 agent")
        shown.press("q")
        assert shown.end() == 0


async def test_without_a_terminal_it_is_one_page(client, agent, served):
    """Of one second, as text and as JSON, with the busiest agents."""
    name = (await client.inspect(await agent("mischief", "seen in pipes"))).name
    await client.pause(name)
    await client.send(name, b"later")
    text = run("top", "--by", "mailbox", "--runtime-dir", served.runtime_dir)
    told = json.loads(run("top", "--by", "mailbox", "--runtime-dir", served.runtime_dir, "-o", "json").stdout)
    busiest = await client.busiest("mailbox", 1)

    assert (text.returncode, text.stderr) == (0, "")
    assert "\x1b" not in text.stdout
    assert "seen in pipes" in text.stdout
    assert [one["name"] for one in told["agents"]] == [name] == [one.name for one in busiest.agents]
    assert told["health"]["status"] == "healthy"
    assert busiest.total >= 1


def test_without_a_runtime_it_ends_with_its_exit_code(tmp_path, terminal):
    """As other commands do, before any screen is there."""
    assert run("top", "--runtime-dir", tmp_path).returncode == 3
    shown = terminal(where=tmp_path)
    assert shown.end() == 3
    assert OTHER_SCREEN not in shown.until("no runtime")


def test_stats_are_watched_until_ctrl_c(served):
    """A line of JSON each time, and exit code 0."""
    watch = subprocess.Popen(
        [*CAXTON, "stats", "--watch", "0.5", "-o", "json", "--runtime-dir", str(served.runtime_dir)],
        stdout=subprocess.PIPE,
        text=True,
    )
    uptimes = [json.loads(watch.stdout.readline())["uptime_s"] for _ in range(2)]
    watch.send_signal(signal.SIGINT)
    watch.stdout.read()

    assert watch.wait(PATIENCE_S) == 0
    assert uptimes[0] < uptimes[1]
    watch.stdout.close()
