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
CAXTON = [sys.executable, "-P", "-c", "from caxton.cli.main import main; main()"]
# A runtime runs already; the scribe is a program of the reader's.
NOT_HERE = ("caxton serve", "caxton message request scribe")


def commands():
    """Return the README's commands in order, each with what stands behind it as a comment."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line for block in SHELL.findall(text) for line in block.splitlines()]
    found = [line.partition("#") for line in lines if line.startswith("caxton ") and not line.startswith(NOT_HERE)]
    return [(command.partition("|")[0].strip(), comment.strip()) for command, _, comment in found]


@pytest.fixture
def shell():
    """Run a command line in the project's folder; its output."""
    with own_runtime(2) as directory:

        def run(line):
            done = subprocess.run(
                ["bash", "-c", f'caxton() {{ {shlex.join(CAXTON)} "$@"; }}; {line}'],
                capture_output=True,
                check=False,
                timeout=60,
                cwd=ROOT,
                env=os.environ | {"CAXTON_RUNTIME_DIR": str(directory)},
            )
            assert (done.returncode, done.stderr) == (0, b""), line
            return done.stdout.decode(errors="replace")

        yield run


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
