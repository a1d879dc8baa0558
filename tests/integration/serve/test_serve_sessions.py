import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from caxton.client.call_line import ask
from caxton.client.client import connect
from caxton.wire.supervision import OpenSession

# Puts directories in the place of all that it has in the runtime's directory, and ends without a word.
LITTERING = """
import asyncio, os, sys
from pathlib import Path
import caxton
directory = Path(sys.argv[1])
async def litter():
    async with caxton.connect(directory):
        for path in [*directory.glob("s-*")]:
            path.unlink()
            path.mkdir()
            (path / "full").touch()
        print("left", flush=True)
        os._exit(9)
asyncio.run(litter())
"""
CLIENT = """
import fcntl, os, sys
from pathlib import Path
from caxton.client.call_line import ask
from caxton.store.books import Book
from caxton.transport.endpoints import RuntimeDir
from caxton.wire.supervision import OpenSession
directory = Path(sys.argv[1])
session = ask(directory, OpenSession(os.getpid(), "test"), 30.0).session
path = RuntimeDir(directory).book(session)
book = Book.create(path, session, ("gaps",))
lock = os.open(path, os.O_RDWR)
fcntl.flock(lock, fcntl.LOCK_EX)
print(path, flush=True)
sys.stdin.read()
"""


def test_a_session_ends_when_its_process_is_killed(serve):
    """A client that is killed is noticed, because the kernel drops its lock; its files are removed."""
    served = serve()
    served.event("ready")
    client = subprocess.Popen(
        [sys.executable, "-P", "-c", CLIENT, str(served.runtime_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    path = client.stdout.readline().strip()
    uptime_s = served.health()["uptime_s"]
    living = served.until(served.health, lambda health: health["uptime_s"] > uptime_s + 1.2)

    client.kill()
    served.until(served.health, lambda health: health["sessions"] == 0)

    assert living["sessions"] == 1
    assert not Path(path).exists()
    client.communicate()


def test_what_a_client_leaves_in_the_place_of_its_files_is_in_nobodys_way(serve):
    """Directories, with something in them: its session ends, the runtime serves on, and serves again."""
    served = serve(workers=1)
    served.event("ready")
    littering = [sys.executable, "-P", "-c", LITTERING, str(served.runtime_dir)]
    done = subprocess.run(littering, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (9, b"left\n")
    left = [path.name for path in served.runtime_dir.glob("s-*")]
    assert {name.partition(".")[2] for name in left} >= {"book", "data", "control"}
    served.until(served.health, lambda health: health["sessions"] == 0)
    os.kill(served.pid, signal.SIGTERM)
    assert served.process.wait(60) == 0

    again = serve(workers=1)
    again.event("ready")
    assert not [path for path in again.runtime_dir.glob("s-*") if path.name in left]


def test_a_clean_end_is_known_at_once(serve):
    """Clients that were closed count as sessions no longer, however short they lived."""
    served = serve(workers=1)
    served.event("ready")

    async def come_and_go():
        for _ in range(20):
            async with connect(served.runtime_dir):
                pass

    asyncio.run(come_and_go())

    assert served.health()["sessions"] == 0
    served.until(served.health, lambda _: not [*served.runtime_dir.glob("s-*")])


def test_a_client_that_never_comes_is_forgotten(serve):
    """A session whose file does not appear within 5 s is over."""
    served = serve()
    served.event("ready")

    ask(served.runtime_dir, OpenSession(os.getpid(), "test"), 30.0)

    assert served.health()["sessions"] == 1
    served.until(served.health, lambda health: health["sessions"] == 0)
