import os
import signal
import sqlite3

from caxton.guests import __file__ as guests

ECHO = guests.replace("__init__.py", "echo.wasm")


def test_a_row_that_is_gone_is_named_with_its_shard(serve, caxton):
    """After one row is deleted from a stopped shard's file, the ledger exits with 1 and says which shard it was."""
    served = serve()
    served.event("ready")
    where = ("--runtime-dir", served.runtime_dir, "-o", "json")
    assert caxton("agent", "deploy", "echo", ECHO, *where).code == 0
    assert caxton("agent", "pause", "echo", *where).code == 0
    for word in ("one", "two"):
        assert caxton("message", "send", "echo", word, *where).code == 0
    shard = caxton("agent", "inspect", "echo", *where).json["shard"]
    before = caxton("ledger", *where)
    os.kill(served.pid, signal.SIGTERM)
    served.process.wait(60)
    with sqlite3.connect(served.data_dir / f"shard-{shard}.db") as db:
        deleted = db.execute("DELETE FROM unfinished WHERE rowid IN (SELECT rowid FROM unfinished LIMIT 1)").rowcount
    db.close()

    serve(workers=None).event("ready")
    after = caxton("ledger", *where)

    assert (before.code, before.json["durable"]["all"]["pending"], deleted) == (0, 2, 1)
    assert (after.code, after.json["balanced"]) == (1, False)
    assert [one["balanced"] for one in after.json["durable"]["shards"]] == [one != shard for one in (0, 1)]
    assert after.json["problems"][0].startswith(f"shard {shard}: ")
