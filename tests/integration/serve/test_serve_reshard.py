"""Another number of workers, as somebody would try it."""


def test_the_number_of_workers_is_changed_while_nobody_serves(serve, caxton):
    """Serving with another number names the command, which refuses a served directory, and keeps the old files."""
    served = serve(workers=2)
    served.event("ready")
    where = ("--data-dir", served.data_dir)
    in_use = caxton("reshard", "--workers", 3, *where)
    assert caxton("stop", "--runtime-dir", served.runtime_dir).code == 0
    other = caxton("serve", "--workers", 3, *where, "--runtime-dir", served.runtime_dir)
    changed = caxton("reshard", "--workers", 3, *where)
    again = caxton("reshard", "--workers", 3, *where)
    serve(workers=3).event("ready")
    running = caxton("health", "--runtime-dir", served.runtime_dir, "-o", "json").json
    assert caxton("stop", "--runtime-dir", served.runtime_dir).code == 0
    forgotten = [caxton("reshard", "--forget", *where) for _ in range(2)]

    assert (in_use.code, "in use by process" in in_use.err) == (1, True)
    assert (other.code, "`caxton reshard --workers 3`" in other.err) == (1, True)
    assert changed.code == 0, changed.err
    assert "2 shards became 3" in changed.out
    assert "before-reshard-1; `caxton reshard --forget` removes them" in changed.out
    assert (again.code, "has 3 shards already" in again.err) == (1, True)
    assert len(running["workers"]) == 3
    assert [one.code for one in forgotten] == [0, 0]
    assert "removed " in forgotten[0].out
    assert "nothing of before is kept" in forgotten[1].out


def test_the_command_wants_one_thing_to_do(caxton, place):
    """Without a number and without --forget, or with both, it is a wrong command line."""
    for options in ((), ("--workers", 2, "--forget"), ("--workers", 0), ("--workers", 33)):
        assert caxton("reshard", *options, "--data-dir", place).code == 2
