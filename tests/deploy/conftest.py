"""What is in deploy/, as tests see it."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def deploy():
    return ROOT / "deploy"


@pytest.fixture(scope="session")
def read_yaml(deploy):
    """Read every document of a file."""

    def read(path):
        return [document for document in yaml.safe_load_all((deploy / path).read_text(encoding="utf-8")) if document]

    return read


@pytest.fixture(scope="session")
def promtool():
    """Run Prometheus's own tool; what it says where it finds something wrong fails the test."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("Debian's package prometheus is not installed: scripts/system-packages")

    def run(*arguments, cwd=None):
        done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False, timeout=60, cwd=cwd)
        assert done.returncode == 0, done.stdout + done.stderr

    return run
