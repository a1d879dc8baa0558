"""What docs/http.md tells its reader to run, in its order, at another port."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
CAXTON = [sys.executable, "-P", "-c", "from caxton.cli.main import main; main()"]
FUNCTIONS = f'caxton() {{ {shlex.join(CAXTON)} "$@"; }}; python3() {{ {shlex.quote(sys.executable)} "$@"; }}'
THERE = "http://127.0.0.1:8080"


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page's reader has curl")
def test_every_command_of_the_page_does_what_it_says(served, url):
    """Each ends well, and prints what stands behind it."""
    page = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
    lines = [line for block in SHELL.findall(page) for line in block.splitlines() if "caxton serve" not in line]
    before, did = [FUNCTIONS], 0
    for line in lines:
        command, _, expected = line.replace(THERE, url).partition("  # ")
        if not expected:
            if "$(" in command:  # once: it makes a token
                name, _, value = command.partition("=")
                command = f"{name}={shlex.quote(printed(served, [*before, f'echo -n {value}']))}"
            before.append(command)
            continue
        assert printed(served, [*before, command]).strip() == expected, line
        did += 1
    assert did >= 9


def printed(served, commands):
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(commands)],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
        cwd=ROOT,
        env=os.environ | {"CAXTON_RUNTIME_DIR": str(served.runtime_dir)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
