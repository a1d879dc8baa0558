"""Runtimes in a directory that somebody else tidies."""

import shutil

import pytest

from caxton.client.call_line import ask
from caxton.store.directory_lock import holder
from caxton.wire.audit import AnchorAudit


def test_a_tidied_runtime_directory_is_seen_to(serve, caxton):
    """What was tidied away is put back or told in health, nobody else is let in, and a restart mends the rest."""
    served = serve()
    served.event("ready")
    before = holder(served.runtime_dir)
    for name in ("lock", "runtime.json"):
        (served.runtime_dir / name).unlink()
    book = next(served.runtime_dir.glob("w-*.book"))
    book.unlink()

    options = ("--runtime-dir", served.runtime_dir, "--data-dir", served.data_dir.with_name("other"))
    second = caxton("serve", *options, "--workers", 1)
    put_back = {served.event("file_put_back")["path"] for _ in range(2)}
    told = served.until(served.health, lambda health: health["status"] == "degraded")
    restarted = caxton("restart", "--runtime-dir", served.runtime_dir)

    assert second.code == 1
    assert "in use by process" in second.err
    assert put_back == {str(served.runtime_dir / name) for name in ("lock", "runtime.json")}
    assert holder(served.runtime_dir) == before
    assert book.name in told["reason"]
    assert restarted.code == 0, restarted.err
    served.until(served.health, lambda health: health["status"] == "healthy")


@pytest.mark.parametrize("gone", ["directory", "supervisor.calls"])
def test_a_runtime_that_nobody_can_reach_ends_with_a_reason(serve, gone):
    """It drains, tells what is gone, and fails, so that whoever started it can start it again."""
    served = serve(workers=1)
    served.event("ready")
    # By its first heartbeat the supervisor learns where a worker listens: one that answers has been connected to.
    served.until(lambda: ask(served.runtime_dir, AnchorAudit(), 30.0), lambda anchored: not anchored.away)
    if gone == "directory":
        shutil.rmtree(served.runtime_dir)
    else:
        (served.runtime_dir / gone).unlink()

    told = served.event("files_gone")
    assert served.event("stopped")["killed"] == []
    assert served.process.wait(60) == 1
    said = served.process.stderr.read()
    assert str(served.runtime_dir) in told["problem"]
    assert "serve again, in a directory that nobody tidies" in said
    assert "Traceback" not in said
