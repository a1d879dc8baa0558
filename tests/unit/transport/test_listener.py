import asyncio
import os
import socket
from contextlib import suppress

import pytest

from caxton.errors import StorageError
from caxton.transport.listener import MOST_UNREAD, Listener
from caxton.transport.sockets import Desk, Inlet
from caxton.transport.zmtp import SMALL_FRAME, header, opening

LARGEST = 1 << 20
PART = b"\x03" + (1 << 19).to_bytes(8, "big") + bytes(1 << 19)


@pytest.fixture
def path(tmp_path_factory):
    found = tmp_path_factory.mktemp("l") / "s"
    assert len(os.fsencode(found)) < 100
    return found


@pytest.fixture
def ended():
    """One entry for each line that was ended for what it said."""
    return []


@pytest.fixture
def listen(path, ended):
    """A function that listens, for so many lines, to everybody whose large frames begin with a plus."""
    made = []

    def make(most_lines=10):
        made.append(Listener(path, b"PULL", LARGEST, most_lines))
        made[-1].admit = lambda head, size: size <= SMALL_FRAME or head.startswith(b"+")
        made[-1].count = lambda: ended.append(1)
        return made[-1]

    yield make
    for listener in made:
        listener.close()


@pytest.fixture
def connect(path):
    """A function that connects, and says its greeting unless told not to."""
    made = []

    def make(*, greet=True):
        line = socket.socket(socket.AF_UNIX)
        made.append(line)
        line.connect(os.fspath(path))
        line.setblocking(False)
        if greet:
            line.sendall(opening(b"PUSH"))
        return line

    yield make
    for line in made:
        line.close()


def said(line, *frames):
    line.sendall(b"".join(header(len(frame)) + frame for frame in frames))


def push(line, what, most):
    """Say something until the kernel takes no more, or so many bytes are gone; returns how many."""
    sent = 0
    with suppress(OSError):
        while sent < most:
            sent += line.send(what[sent % len(what) :])
    return sent


def taken(listener):
    frames = []
    while (frame := listener.receive()) is not None:
        frames.append(frame)
    return frames


def held(listener):
    return sum(len(line.incoming) for line in listener._lines.values())


def is_over(line):
    """True when the other end has hung up; what it said before is read."""
    try:
        while line.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def test_a_message_without_end_is_never_kept(listen, connect, ended):
    """Of the parts of one message nothing is kept: the first of them ends the connection."""
    listener, line = listen(), connect()
    push(line, PART, 1 << 24)

    assert taken(listener) == []
    assert held(listener) == 0
    assert is_over(line)
    assert ended == [1]


def test_what_nobody_asks_for_stays_with_its_sender(listen, connect):
    """While frames are not taken no more is read than one chunk of a line, however much is sent."""
    listener, line = listen(), connect()
    said(line, b"first")
    assert listener.receive() == b"first"
    frame = header(50_000) + bytes(50_000)
    for _ in range(100):
        push(line, frame, len(frame))

    assert listener.receive() is not None
    assert held(listener) <= 2 * SMALL_FRAME
    assert push(line, frame, 1 << 24) < 1 << 20  # the kernel's own bound


def test_lines_have_turns(listen, connect):
    """One line's flood does not keep another's frame waiting for more than one turn."""
    listener, loud, quiet = listen(), connect(), connect()
    for _ in range(2):
        assert taken(listener) == []
    said(loud, *[b"x"] * 1_000)
    said(quiet, b"quiet")

    assert b"quiet" in [listener.receive() for _ in range(130)]


def test_one_line_too_many_ends_what_is_nobodys(listen, connect, ended):
    """Beyond the bound, connections end that have said nothing; one that has said something is kept."""
    listener, known = listen(most_lines=3), connect()
    said(known, b"known")
    assert taken(listener) == [b"known"]
    others = [connect(greet=False) for _ in range(8)]
    assert taken(listener) == []

    assert sum(is_over(line) for line in others) == len(ended) == 6
    said(known, b"again")
    assert taken(listener) == [b"again"]


def test_a_large_frame_of_nobody_ends_its_line(listen, connect, ended):
    """A large frame that is not admitted ends its connection before it has come; one that is admitted comes whole."""
    listener, nobody, somebody = listen(), connect(), connect()
    large = b"+" + bytes(SMALL_FRAME)
    said(nobody, b"-" + bytes(SMALL_FRAME))
    said(somebody, large)

    assert taken(listener) == [large]
    assert (is_over(nobody), is_over(somebody)) == (True, False)
    assert ended == [1]


async def test_a_large_frame_that_is_never_said_keeps_others_waiting_for_a_while_only(path, listen, connect, ended):
    """Large frames of one process beyond its share wait; the lines before them that say nothing are ended."""
    listener = listen()
    listener._largest = 16 << 20
    silent, waiting = connect(), connect()
    silent.sendall(header(16 << 20) + b"+" * 100)
    assert taken(listener) == []
    large = b"+" + bytes(SMALL_FRAME)
    said(waiting, large)
    came = asyncio.get_running_loop().create_future()

    def take():
        for frame in taken(listener):
            came.set_result(frame)

    listener.watch(asyncio.get_running_loop(), take)
    async with asyncio.timeout(10):
        assert await came == large
    assert is_over(silent)
    assert ended == [1]


def test_who_does_not_read_gets_no_more(listen, connect):
    """What is said to a line that does not read is bounded; then it is told that it finds no room."""
    listener, line = listen(), connect()
    said(line, b"who")
    assert taken(listener) == [b"who"]
    number = listener.line
    answers = 0
    while answers * 100_000 < 2 * MOST_UNREAD and listener.say(number, bytes(100_000)):
        answers += 1

    assert answers * 100_000 < 2 * MOST_UNREAD
    assert not listener.say(number + 1, b"to nobody")
    line.setblocking(True)
    assert line.recv(1 << 20)


def test_all_who_do_not_read_share_a_bound(listen, connect, monkeypatch):
    """Lines that do not read are kept so much together; who reads is told all the same, who ended counts no more."""
    monkeypatch.setattr("caxton.transport.listener.MOST_UNREAD_IN_ALL", 300_000)
    listener, numbers, lines = listen(), [], [connect() for _ in range(3)]
    for line in lines:
        said(line, b"who")
        assert taken(listener) == [b"who"]
        numbers.append(listener.line)
    for number in numbers[:2]:
        while listener._unread <= 400_000 and listener.say(number, bytes(100_000)):
            pass
    unread = [len(listener._numbers[number].unread) for number in numbers]
    assert 0 < sum(unread) == listener._unread <= 400_000
    assert listener.say(numbers[2], b"you read")
    assert not listener.say(numbers[0], bytes(100_000))

    lines[1].close()
    assert taken(listener) == []
    assert listener._unread == unread[0]


def test_a_name_belongs_to_one(path, listen):
    """A second listener of a name is refused; the name is free when the first one has closed."""
    first = listen()
    with pytest.raises(StorageError):
        Inlet(f"ipc://{path}")
    with pytest.raises(StorageError):
        Desk(f"ipc://{path}")
    first.close()
    assert not path.exists()
    listen()


def test_a_name_that_is_anothers_now_stays(path, listen):
    """Closing removes no socket that took the name since."""
    first = listen()
    path.rename(path.with_name("moved"))
    listen()
    first.close()
    assert path.exists()
