"""The testing kit itself: what it starts it ends, and what does not start says why."""

import asyncio
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from caxton.client.own_runtime import own_runtime
from caxton.errors import ConfigurationError, NetworkError, RuntimeNotFound, Timeout
from caxton.testing import eventually, runtime


async def test_a_runtime_is_gone_when_its_block_ends():
    """Inside its block a runtime serves; after it no process and no directory is left, and closing again is fine."""
    async with runtime(workers=1) as served:
        supervisor = psutil.Process(served.pid)
        processes = [supervisor, *supervisor.children(recursive=True)]
        async with served.connect() as client:
            assert (await client.health()).status == "healthy"

    _, alive = psutil.wait_procs(processes, timeout=60)
    assert alive == []
    assert served.pid == 0
    assert not served.runtime_dir.exists()
    assert not served.data_dir.exists()
    served.close()
    with pytest.raises(RuntimeNotFound):
        await served.health()


@pytest.mark.parametrize("serving", [runtime, own_runtime])
def test_an_interrupt_at_the_start_leaves_nothing(serving, monkeypatch, tmp_path):
    """Ctrl-C between the start of the child and the moment that it is known here ends it; its directory goes too."""
    started, directories = [], []

    class Interrupted(subprocess.Popen):
        def __init__(self, command, **options):
            super().__init__(command, **options)
            started.append(psutil.Process(self.pid))
            directories.append(Path(command[command.index("--data-dir") + 1]).parent)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("subprocess.Popen", Interrupted)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt), serving(1):
        pass

    assert len(started) == 1
    assert psutil.wait_procs(started, timeout=60)[1] == []
    assert [directory for directory in directories if directory.exists()] == []


def test_a_runtime_that_does_not_start_says_why():
    """Options that `caxton serve` refuses are a ConfigurationError with what it wrote; nothing is left of it."""
    refused = runtime(options=("--restart-limit", "many"))

    with pytest.raises(ConfigurationError) as caught, refused:
        pass

    assert "exit code 2" in str(caught.value)
    assert "--restart-limit" in str(caught.value)
    assert not refused.data_dir.parent.exists()


async def test_a_loop_goes_on_while_a_runtime_starts():
    """Whatever else runs in the loop runs while a runtime is waited for."""
    turned = asyncio.Event()
    asyncio.get_running_loop().call_soon(turned.set)

    async with runtime() as served:
        assert turned.is_set()
        assert (await served.health()).status == "healthy"


async def test_a_runtime_that_nobody_waits_for_any_more_is_gone(one_turn_of_the_loop):
    """Whoever gives up on its start leaves no process and no directory, and is told of a start that failed."""

    async def serve(served):
        async with served:
            await asyncio.Event().wait()

    given_up, refused = runtime(), runtime(options=("--restart-limit", "many"))
    task = asyncio.get_running_loop().create_task(serve(given_up))
    await one_turn_of_the_loop()
    supervisor = psutil.Process(given_up.pid)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ConfigurationError, match="--restart-limit"):
        await serve(refused)

    assert not supervisor.is_running()
    assert not given_up.data_dir.parent.exists()
    assert not refused.data_dir.parent.exists()


async def test_a_runtime_starts_once_and_again(served):
    """Starting what serves is refused; what was stopped starts again, and its events go on."""
    with pytest.raises(ConfigurationError):
        served.start()

    assert await asyncio.to_thread(served.stop) == 0
    assert await asyncio.to_thread(served.stop) == 0
    served.start()

    assert [event["event"] for event in served.events].count("ready") == 2
    assert (await served.health()).pid == served.pid


async def test_a_worker_is_killed_and_missed(served):
    """kill_worker returns when the worker is missed; waiting for an event that does not come is a Timeout."""
    began = len(served.events)
    pid = await served.kill_worker(0)
    restarted = await served.event("worker_restarted", after=began, shard=0)

    assert restarted["pid"] == await served.worker_pid(0) != pid
    with pytest.raises(Timeout):
        await served.event("worker_restarted", after=len(served.events), timeout_s=0.05)


async def test_what_never_becomes_true_is_a_timeout():
    """`eventually` returns the first answer that is true, and raises Timeout with the last one that was not."""
    answers = iter([0, "", "there"])

    async def next_one():
        return next(answers)

    async def nothing():
        return []

    assert await eventually(next_one) == "there"
    with pytest.raises(Timeout) as caught:
        await eventually(nothing, 0.05)
    assert "[]" in caught.value.what


async def test_what_workers_write_is_in_the_log(served, wasm):
    """What a guest logs, and what any process of the runtime writes, can be read while it serves."""
    async with served.connect() as client:
        await client.deploy("talker", wasm("log"))
        await client.request("talker", b"heard by nobody else")

    async def is_written():
        return "heard by nobody else" in served.log

    await eventually(is_written)


async def test_there_is_no_worker_of_a_shard_that_failed():
    """A shard that was given up has no worker to kill."""
    async with runtime(workers=2, options=("--restart-limit", "0")) as served:
        await served.kill_worker(0)
        await served.event("shard_failed", shard=0)

        with pytest.raises(NetworkError):
            await served.kill_worker(0)
        assert (await served.health()).status == "degraded"
