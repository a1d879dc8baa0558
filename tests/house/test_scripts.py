import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Makes an environment of which only `tox` is asked, and installs nothing.
PYTHON = """#!/usr/bin/env bash
[ "$1 $2" != "-m venv" ] || { mkdir -p "$3/bin" && printf '#!/bin/sh\\n' > "$3/bin/tox" && chmod +x "$3/bin/tox"; }
"""


def test_scripts_keep_to_a_directory_of_their_own(tmp_path):
    """Whatever environment a user made beside the scripts is there as before when they have run, once and again."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / "scripts" / "system-packages").write_text("")  # a test installs nothing on its machine
    mine = tmp_path / ".venv" / "bin" / "python"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o700)

    for script in ("run", "test", "bench", "docs", "faults", "fuzz", "hostile", "installed", "limits", "worst", "run"):
        subprocess.run(["bash", tmp_path / "scripts" / script], check=True, env=os.environ | {"PYTHON": str(python)})

    assert mine.read_text() == "mine"
    assert list((tmp_path / ".venv").rglob("*")) == [mine.parent, mine]
