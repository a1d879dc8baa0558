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


def packages(tmp_path, *, root, works=True, **environ):
    """Run the step that installs Debian packages where there is none of them; returns what it said, and what it ran."""
    folder, ran = tmp_path / "bin", tmp_path / "ran"
    folder.mkdir()
    programs = {"id": f"echo {0 if root else 1000}", "apt-get": f'echo "$@" >> {ran}; {"true" if works else "false"}'}
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/bash\n{body}\n")
        (folder / name).chmod(0o700)
    for name in ("rm", "chmod"):
        (folder / name).symlink_to(shutil.which(name))
    done = subprocess.run(
        ["/bin/bash", ROOT / "scripts" / "system-packages"],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": str(folder), **environ},
    )
    return done.stderr, ran.read_text() if ran.exists() else ""


def test_packages_that_tests_use_are_installed_where_root_may(tmp_path):
    """It says so, and takes nothing that is only recommended."""
    said, ran = packages(tmp_path, root=True)

    assert said.startswith("installing Debian packages that tests use: ")
    assert "install -qq -y --no-install-recommends prometheus" in ran


def test_who_is_not_root_is_told_what_is_skipped(tmp_path):
    """Nothing is tried, and the run goes on."""
    said, ran = packages(tmp_path, root=False)

    assert said == "tests are skipped that use chromium golang-go prometheus systemd\n"
    assert ran == ""


def test_a_package_that_cannot_be_installed_ends_no_run(tmp_path):
    """Without a network the tests that use it are skipped."""
    said, ran = packages(tmp_path, root=True, works=False)

    assert "no prometheus: tests are skipped" in said
    assert "update" in ran


def test_a_system_may_be_left_as_it_is(tmp_path):
    """Whoever says so has nothing installed."""
    assert packages(tmp_path, root=True, CAXTON_SYSTEM_PACKAGES="no") == ("", "")
