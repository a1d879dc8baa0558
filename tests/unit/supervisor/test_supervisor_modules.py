import os

import pytest

from caxton.agents.limits import DEFAULT_LIMITS
from caxton.client.supervisor_line import SupervisorLine
from caxton.errors import StorageError
from caxton.supervisor.desk.module_intake import ModuleIntake
from caxton.wire.supervision import Accepted, OpenSession, UploadModule


@pytest.fixture
def removals(monkeypatch):
    """What each look at unused modules was told; the first removes one, the second cannot, and others find none."""
    told = []

    async def remove_unused(_intake, marked_ms):
        told.append(marked_ms)
        if len(told) == 2:
            raise StorageError("modules", "read-only")
        return [bytes(32)] if len(told) == 1 else []

    monkeypatch.setattr("caxton.supervisor.supervisor.MODULES_PERIOD_S", 0.01)
    monkeypatch.setattr(ModuleIntake, "remove_unused", remove_unused)
    return told


async def test_a_module_belongs_to_whom_its_line_acts_for(run, monkeypatch):
    """A gateway has a line for each of its principals, and they are told apart where all modules wait."""
    whose = []

    async def take(_intake, caller, piece):
        whose.append(caller.owner)
        return Accepted(piece.size)

    monkeypatch.setattr(ModuleIntake, "take", take)
    running = run(gateway_principals=True)
    await running.event("ready")
    lines = [SupervisorLine(running.directory.path) for _ in range(3)]
    piece = UploadModule(bytes(32), 1, 0, b"x", "x", DEFAULT_LIMITS)
    try:
        for line, principal in zip(lines, ("alice", "bob", ""), strict=True):
            await line.ask(OpenSession(os.getpid(), "test", principal=principal), 60)
            await line.ask(piece, 60)
    finally:
        for line in lines:
            line.close()
    assert whose == [(os.getpid(), "alice"), (os.getpid(), "bob"), (os.getpid(), "")]


async def test_unused_modules_are_removed_now_and_then(run, removals):
    """What was removed is told, and so is what could not be; the next look follows."""
    running = run()
    assert (await running.event("modules_removed")).fields == {"modules": ["00" * 32]}
    assert (await running.event("modules_not_removed")).fields["problem"].startswith("modules: read-only")
    await running.event("ready")
    await running.until(running.health, lambda _: len(removals) > 3)


@pytest.mark.parametrize(("behaviours", "marked"), [({}, [1, 2]), ({"1": "exit"}, [1, 0])])
async def test_it_is_known_when_each_shard_has_marked_its_modules(run, removals, behaviours, marked):
    """What its worker said last counts while a shard serves; one that does not has marked nothing."""
    running = run(behaviours, restart_limit=0)
    await running.event("ready")
    looks = len(removals)
    await running.until(running.health, lambda _: len(removals) > looks)
    assert removals[-1] == marked
