"""What the laboratory must find: faults of a runtime that is broken on purpose."""

from caxton.client.client import Client
from faultlab.cases.kills import let_pass
from faultlab.lab import Lab


def test_a_worker_that_forgets_to_sync_is_found():
    """When fdatasync does nothing, every acknowledgement from then on is found to come without one."""
    with Lab() as lab:
        writer = lab.start_writer()
        let_pass(writer, 5)
        lab.collect()
        assert lab.uncovered() == []

        lab.served.orders.forget_syncs()
        let_pass(writer, 20)
        lab.finish(writer)

        assert lab.uncovered() != []


def test_messages_that_were_taken_away_are_found():
    """When a shard's file is replaced by an older one, what was acknowledged since then is found to be lost."""
    with Lab() as lab:
        writer = lab.start_writer(lab.relayed())
        let_pass(writer, 2)
        lab.served.kill_all()
        older = {path: path.read_bytes() for path in lab.served.data_dir.glob("shard-*")}
        lab.served.start()
        paused = lab.places[0].recorder
        lab.ask(Client.pause, paused)
        let_pass(writer, 10)
        lab.served.kill_all()
        for path, content in older.items():
            path.write_bytes(content)
        lab.served.start()
        lab.finish(writer)

        assert lab.settle(timeout_s=5.0).lost != []
