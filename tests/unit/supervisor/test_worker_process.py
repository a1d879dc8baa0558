import asyncio
import os
import signal
import sys

import pytest

from caxton.placement.slot_table import SlotTable
from caxton.supervisor.workforce.child_process import Exit
from caxton.supervisor.workforce.worker_process import WorkerProcess
from caxton.wire.spawn_spec import SpawnSpec

SPEC = SpawnSpec("/run", "/data", 1, 42, os.getpid(), SlotTable.even(2), bytes(32), bytes(32), bytes(32), b"note")


def spawn(program):
    """Start a worker that runs `program`; returns it, and its exit to come."""
    loop = asyncio.get_running_loop()
    exit_to_come = loop.create_future()
    process = WorkerProcess((sys.executable, "-S", "-c", program), SPEC, loop, exit_to_come.set_result)
    return process, exit_to_come


async def test_the_spec_comes_over_standard_input(tmp_path):
    """A worker reads its whole spec from standard input, which ends there."""
    told = tmp_path / "told"
    process, exit_to_come = spawn(f"import sys; open({str(told)!r}, 'wb').write(sys.stdin.buffer.read())")

    assert await exit_to_come == Exit(0)
    assert SpawnSpec.decode(told.read_bytes()) == SPEC
    assert (process.shard, process.incarnation) == (1, 42)


@pytest.mark.parametrize("program", ["raise SystemExit(3)", "import sys; sys.stdin.close(); raise SystemExit(3)"])
async def test_an_exit_code_is_told(program):
    """How a worker ended by itself is told, also when it never read its spec."""
    process, exit_to_come = spawn(program)

    how = await exit_to_come

    assert str(how) == "exit code 3"
    assert not how.by_sigkill
    assert not process.alive


async def test_a_killed_worker_is_reaped_before_it_is_told():
    """By the time its exit is told, a killed worker is no zombie any more."""
    process, exit_to_come = spawn("import time; time.sleep(60)")

    process.kill()
    how = await exit_to_come

    assert (str(how), how.by_sigkill) == ("killed by SIGKILL", True)
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    process.kill()


async def test_a_stopped_worker_is_killed_too():
    """SIGKILL ends a worker that is under SIGSTOP."""
    process, exit_to_come = spawn("import time; time.sleep(60)")
    os.kill(process.pid, signal.SIGSTOP)

    process.kill()

    assert (await exit_to_come).by_sigkill


async def test_ending_unseen_tells_nobody():
    """A worker that is ended unseen is reaped at once, and its exit is not told."""
    process, exit_to_come = spawn("import time; time.sleep(60)")
    other, exit_of_other = spawn("import time; time.sleep(60)")

    process.end_unseen()
    process.end_unseen()

    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
    other.kill()
    await exit_of_other
    assert not exit_to_come.done(), "what ended earlier would have been told by now"


async def test_a_worker_has_a_process_group_of_its_own():
    """Ctrl-C in a terminal goes to a process group; workers are not in the supervisor's."""
    process, exit_to_come = spawn("import time; time.sleep(60)")

    assert os.getpgid(process.pid) == process.pid != os.getpgid(0)
    assert process.resident_bytes > 0
    process.kill()
    await exit_to_come
    assert process.resident_bytes == 0


async def test_what_cannot_be_spawned_is_an_oserror():
    """A command that is not there raises OSError, which the shard counts as a death."""
    with pytest.raises(OSError, match="No such file"):
        WorkerProcess(("/nonexistent/python",), SPEC, asyncio.get_running_loop(), print)


def test_a_signal_is_told_by_its_name():
    """A signal has its name in the text, and one without a name its number."""
    assert str(Exit(-signal.SIGSEGV)) == "killed by SIGSEGV"
    assert str(Exit(-40)) == "killed by signal 40"


async def test_a_worker_that_is_stopped_is_known():
    """What the kernel says of a worker: how much it has computed, whether it is let run; nothing when it is gone."""
    process, exit_to_come = spawn("import sys; sys.stdin.buffer.read(); sum(range(3_000_000)); sys.stdin.fileno()")
    os.kill(process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    assert process.stopped
    os.kill(process.pid, signal.SIGCONT)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not process.stopped
    assert process.computed_ns > 0
    await exit_to_come
    assert (process.stopped, process.computed_ns) == (False, 0)
