"""What the document of HTTP says is tried, with a token and without one, by schemathesis."""

import re
import subprocess
import sys

import pytest

# Of each operation, so many examples made up; besides those that its schema calls for. The same in every run.
EXAMPLES = 2
# What lasts, and what takes workers away from others.
EXCLUDED = r"^/v1/(inbox|events|agents/\{agent\}/logs|workers/(\{shard\}/)?restart)$"
# A schema does not say all that a value may not be, and refused tokens are answered with 429 after the tenth.
UNTRUE = "positive_data_acceptance,ignored_auth"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", ["admin", None])
def test_the_document_holds_for_whatever_is_asked(admin, url, token, tmp_path, role):
    """No answer is a failure of the gateway, or of a kind that the document does not have."""
    shown = ["-H", f"Authorization: Bearer {token(role)}"] if role else []
    document = tmp_path / "openapi.json"
    document.write_bytes(admin.get("/openapi.json").content)
    command = [sys.executable, "-P", "-m", "schemathesis.cli", "run", str(document), "--url", url, *shown]
    command += ["--phases", "coverage,fuzzing" if role else "coverage", "--max-examples", str(EXAMPLES)]
    command += ["--generation-deterministic", "--exclude-checks", UNTRUE, "--exclude-path-regex", EXCLUDED]
    command += ["--request-timeout", "60", "--no-color"]
    done = subprocess.run(
        command,
        capture_output=True,
        check=False,
        text=True,
        cwd=tmp_path,
        timeout=280,
    )
    said = done.stdout + done.stderr

    assert done.returncode == 0, said[-20_000:]
    assert int(re.search(r"Tested: (\d+)", said)[1]) >= 25
    assert admin.get("/v1/ledger").json()["balanced"] is True
