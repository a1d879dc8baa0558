"""What docs/tutorial.md tells its reader to save and to run, in its order, on a runtime of its own."""

import os
import re
import shlex
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from caxton.testing import eventually

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"
CAXTON = [sys.executable, "-P", "-m", "caxton"]
SHELL = f'caxton() {{ {shlex.join(CAXTON)} "$@"; }}; python3() {{ {shlex.quote(sys.executable)} "$@"; }}; '
# A file to save, a block of lines for the shell, and what the last of these prints.
STEP = re.compile(r"Save this as `(\S+)`:\n\n```\w+\n(.*?)^```|^```(sh|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# What is another one in each run: a moment, the id of a message.
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00")
IDENTIFIER = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def sections():
    """The sections of the page, by their titles."""
    return dict(part.split("\n", 1) for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:])


def same(text):
    return IDENTIFIER.sub("ID", MOMENT.sub("MOMENT", text)).strip()


class Reader:
    """Does what the page says, in a directory; whatever goes on in a shell of its own ends with it."""

    def __init__(self, directory):
        dirs = {"CAXTON_RUNTIME_DIR": str(directory / "run"), "CAXTON_DATA_DIR": str(directory / "data")}
        self.at = {"cwd": directory, "env": os.environ | dirs | {"HOME": str(directory)}, "text": True}
        self.directory, self.others, self.did = directory, [], []

    async def read(self, text):
        steps = STEP.findall(text)
        shown = [*(body if kind == "text" else None for _, _, kind, body in steps[1:]), None]
        for (name, content, kind, lines), output in zip(steps, shown, strict=True):
            if name:
                (self.directory / name).write_text(content, encoding="utf-8")
            elif kind == "sh":
                await self.run(lines, output)

    async def run(self, lines, shown):
        before = ""
        *_, last = lines.splitlines()
        for line in lines.splitlines():
            command, _, comment = line.partition("  # ")
            if line.startswith("# Ctrl-C"):
                self.end(self.others.pop())
            elif line.startswith(("caxton serve", "caxton attach")):
                self.start(line)
            elif re.match(r"\w+=", line):
                before += f"{line}\n"
            else:
                await self.printed(before + command, comment or (shown if line == last else None))
            self.did.append(line)

    async def printed(self, command, expected):
        """Run a command; what it prints is, at once or soon, what the page shows."""

        def output():
            done = subprocess.run(
                ["bash", "-c", SHELL + command], capture_output=True, check=False, timeout=110, **self.at
            )
            assert (done.returncode, done.stderr) == (0, ""), command
            return done.stdout

        async def is_shown():
            return same(output()) == same(expected)

        if "agent logs" in command:
            await eventually(is_shown)
        elif expected is None:
            output()
        else:
            assert same(output()) == same(expected), command

    def start(self, line):
        """Start what goes on, and wait until it says that it does."""
        self.others.append(subprocess.Popen([*CAXTON, *shlex.split(line)[1:]], stdout=subprocess.PIPE, **self.at))
        assert self.others[-1].stdout.readline().startswith(("serving with", "attached")), line

    def end(self, program):
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=60)
        assert program.returncode == 0

    def close(self):
        for program in reversed(self.others):
            with program:
                program.kill()


@pytest.fixture
def reader(tmp_path):
    reader = Reader(tmp_path)
    yield reader
    reader.close()


async def test_everything_in_the_tutorial_does_what_it_says(reader):
    """All but its part in C: each command ends well, and prints what the page shows; the runtime ends with the page."""
    told = sections()
    assert told.pop("An agent in C")
    for text in told.values():
        await reader.read(text)

    assert len(reader.did) >= 15
    (serving,) = reader.others
    assert serving.wait(60) == 0


@pytest.mark.skipif(find_spec("ziglang") is None, reason="ziglang is not installed: pip install '.[guests]'")
async def test_the_agent_in_c_does_what_the_tutorial_says(reader):
    """It is compiled, deployed, and answers as the page shows."""
    told = sections()
    for title in ("A runtime", "An agent in C"):
        await reader.read(told[title])

    assert reader.did[-1].startswith("caxton message request shout")
