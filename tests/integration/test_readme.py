"""The commands of the README, as they stand there, on a runtime of their own."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from caxton.client.own_runtime import own_runtime

ROOT = Path(__file__).resolve().parents[2]
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
CAXTON = [sys.executable, "-P", "-m", "caxton"]
# A runtime runs already; the scribe is a program of the reader's.
NOT_HERE = ("caxton serve", "caxton message request scribe")


def commands():
    """Return the README's commands in order, each with what stands behind it as a comment."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line for block in SHELL.findall(text) for line in block.splitlines()]
    found = [line.partition("#") for line in lines if line.startswith("caxton ") and not line.startswith(NOT_HERE)]
    return [(command.partition("|")[0].strip(), comment.strip()) for command, _, comment in found]


def programs():
    """Return the README's programs in Python that end by themselves."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return [text for text in PYTHON.findall(text) if "agent.wait()" not in text and "def test_" not in text]


@pytest.fixture
def run():
    """Run a command in the project's folder, for which a runtime serves; its output."""
    with own_runtime(2) as directory:

        def of(line, *command):
            done = subprocess.run(
                command,
                capture_output=True,
                check=False,
                timeout=60,
                cwd=ROOT,
                env=os.environ | {"CAXTON_RUNTIME_DIR": str(directory)},
            )
            assert (done.returncode, done.stderr) == (0, b""), line
            return done.stdout.decode(errors="replace")

        yield of


@pytest.fixture
def shell(run):
    """Run a command line; its output."""
    return lambda line: run(line, "bash", "-c", f'caxton() {{ {shlex.join(CAXTON)} "$@"; }}; {line}')


def test_every_program_of_the_readme_does_what_it_says(run):
    """Each program in Python that ends by itself ends well, and prints what it is about."""
    said = [run(program, sys.executable, "-W", "error", "-c", program) for program in programs()]

    assert len(said) >= 3
    assert "10000 True" in said[0]
    assert [text.splitlines()[-1] for text in said[1:3]] == ["21", "b'HELLO'"]


def test_every_command_of_the_readme_does_what_it_says(shell):
    """Each command ends well, one after the other, and prints what the page shows behind it."""
    told = {line: (shell(line), comment) for line, comment in commands()}

    assert len(told) >= 10
    assert told['caxton message request echo "hello"'] == ("hello", "hello")
    requeued, comment = told["caxton deadletter requeue --all"]
    assert requeued.endswith(f"{comment}\n")
    counted, _ = told["caxton message request tally $'\\ntop 5'"]
    assert counted.startswith("TOP1\x03")  # three words in all
    assert counted.endswith("press")
