"""The programs of docs/agents-in-python.md, as they stand there, on a runtime of their own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from caxton.client.own_runtime import own_runtime

PAGE = Path(__file__).resolve().parents[2] / "docs" / "agents-in-python.md"
CAXTON = [sys.executable, "-P", "-m", "caxton"]


def blocks(language):
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def shop(tmp_path):
    """A directory with a module of all agents of the page, and its program; a runtime; how to run there."""
    agents = [block for block in blocks("python") if "asyncio.run" not in block]
    (tmp_path / "shop.py").write_text("\n\n".join(agents), encoding="utf-8")
    for number, program in enumerate(block for block in blocks("python") if "asyncio.run" in block):
        (tmp_path / f"program_{number}.py").write_text(program, encoding="utf-8")
    with own_runtime(1) as directory:
        yield {"cwd": tmp_path, "env": os.environ | {"CAXTON_RUNTIME_DIR": str(directory)}, "text": True}


def test_each_program_prints_what_the_page_shows(shop):
    """Each program, with the agents that the page defines, prints the text that stands behind it."""
    shown = blocks("text")
    assert len(shown) == 6
    for number, text in enumerate(shown):
        program = [sys.executable, f"program_{number}.py"]
        done = subprocess.run(program, capture_output=True, check=False, timeout=120, **shop)
        assert (done.stderr, done.stdout) == ("", text)


def test_the_commands_do_what_the_page_says(shop):
    """The shell's lines attach the module and get the answer that is shown behind the question."""
    attach, request = blocks("sh")[0].splitlines()
    command, _, answer = request.partition("  # ")
    program = subprocess.Popen([*CAXTON, *attach.split()[1:]], stdout=subprocess.PIPE, **shop)
    try:
        assert program.stdout.readline() == "attached translator, desk, seller, till; Ctrl-C ends\n"
        asked = [*CAXTON, *command.split()[1:]]
        done = subprocess.run(asked, capture_output=True, check=False, timeout=120, **shop)
        assert (done.stdout, done.stderr) == (answer, "")
    finally:
        program.terminate()
        program.communicate(timeout=60)
    assert program.returncode == 0
