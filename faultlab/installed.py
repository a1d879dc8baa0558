"""What has to work wherever the package is installed: run by tox in each Python, with nothing but the wheel and pip.

It takes its own directory for what it makes, and nothing from the checkout: the agents are those that are shipped.
"""

import asyncio
import platform
import sys
import tempfile
import threading
from pathlib import Path

import wasmtime

import caxton
import caxton.guests
from caxton.errors import ResourceLimitExceeded
from caxton.supervisor.premises.backups import restore, verify
from caxton.testing import runtime
from workers.sandbox import watchdog as watching
from workers.sandbox.engine import GuestEngine
from workers.sandbox.watchdog import Watchdog

GUESTS = Path(caxton.guests.__file__).parent
ENDLESS = """(module (memory (export "memory") 2)
    (func (export "caxton_alloc") (param i32) (result i32) i32.const 65536)
    (func (export "handle_message") (param i32 i32) (result i64) (loop $again br $again) unreachable))"""
ENOUGH_FUEL = 10**12
INTERRUPTIONS, LOOKERS, TORN_AT_MOST_S = 1_000, 3, 100.0


def quiet(_bytes: int) -> None:
    """Tell nobody how far a backup is."""


async def shout(delivered: caxton.Delivered) -> bytes:
    """Handle a message of an attached agent."""
    return delivered.message.content.upper()


def check(holds: bool, what: object) -> None:  # noqa: FBT001 (as an assertion)
    """End with 1 unless it holds, and say what."""
    if not holds:
        sys.exit(f"caxton does not work in Python {platform.python_version()}: {what}")


def torn_interruptions(interruptions: int = INTERRUPTIONS) -> int:
    """Have the watchdog interrupt again and again beside threads that want the interpreter lock all the time.

    Returns how many interruptions these saw that were begun and not done: where another thread can run between the
    watchdog's last look and its interruption, that may end another call than the one it looked at.
    """
    engine, torn, over = GuestEngine(), set[int](), threading.Event()
    watchdog = Watchdog(engine)
    interval_s, watching.INTERVAL_S = watching.INTERVAL_S, 0.0
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def look() -> None:
        while not over.is_set():
            # One expression, in which the lock is not given away either: both numbers are of one moment.
            if watchdog.overruns != engine.epoch:
                torn.add(watchdog.overruns)

    ending = threading.Timer(TORN_AT_MOST_S, over.set)
    lookers = [threading.Thread(target=look) for _ in range(LOOKERS)]
    try:
        watchdog.start()
        for thread in (ending, *lookers):
            thread.start()
        number = 0
        while watchdog.overruns < interruptions and not over.is_set():
            if not watchdog.deadline_ns:
                number += 1
                watchdog.deadline_ns = number  # long past
    finally:
        over.set()
        ending.cancel()
        sys.setswitchinterval(switch_s)
        watching.INTERVAL_S = interval_s
        watchdog.stop()
        for thread in lookers:
            thread.join()
    check(watchdog.overruns >= interruptions, f"{watchdog.overruns} interruptions in {TORN_AT_MOST_S:g} s")
    return len(torn)


async def main() -> None:
    """Serve, answer, keep, interrupt, back up and restore."""
    torn = torn_interruptions()
    check(torn == 0, f"{torn} of {INTERRUPTIONS} interruptions were seen half done")
    with tempfile.TemporaryDirectory() as directory:
        async with runtime(workers=2) as served, served.connect() as client:
            echo = await client.deploy("echo", GUESTS / "echo.wasm")
            check((await client.request(echo, b"hello", timeout_s=30)).content == b"hello", "what echo answers")
            tally = await client.deploy("tally", GUESTS / "counter.wasm", encoding="msgpack")
            for _ in range(3):
                await client.send(tally, b"press")
            endless = await client.deploy(
                "endless",
                bytes(wasmtime.wat2wasm(ENDLESS)),
                limits=caxton.Limits(max_execution_ms=50, max_fuel=ENOUGH_FUEL),
            )
            (answer,) = await client.request_many([caxton.Message(endless, b"")], deadline_s=30)
            check(isinstance(answer, ResourceLimitExceeded), answer)
            check("max_execution_ms" in str(answer), answer)
            async with client.attach("shout", shout):
                check((await client.request("shout", b"hello", timeout_s=30)).content == b"HELLO", "what shout answers")
            await client.backup(Path(directory) / "backup")
            check((await client.ledger()).balanced, "the ledger")
        verify(Path(directory) / "backup", quiet)
        again = runtime(workers=2)
        restore(Path(directory) / "backup", again.data_dir, quiet)
        async with again, again.connect() as client:
            top = (await client.request("tally", b"\ntop 5", timeout_s=30)).content
            check(top.endswith(b"press"), top)
    where = Path(caxton.__file__).parent
    check("--installed" not in sys.argv or "site-packages" in where.parts, where)
    sys.stdout.write(
        f"caxton {caxton.__version__} works in Python {platform.python_version()} on {platform.machine()}: {where}\n"
    )


if __name__ == "__main__":
    asyncio.run(main())
