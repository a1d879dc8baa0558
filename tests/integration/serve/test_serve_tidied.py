"""Runtimes in a directory that somebody else tidies."""

from caxton.store.directory_lock import holder


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
