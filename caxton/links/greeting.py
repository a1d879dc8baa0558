"""The handshake of the durable lane, decided: what a hello means, and what ours says."""

from typing import NamedTuple

from caxton.links.durable_incoming import DurableIncoming
from caxton.links.durable_outgoing import DurableOutgoing
from caxton.wire.control import Hello


class Heard(NamedTuple):
    """What a hello asks of who hears it, in this order.

    new_space: the other has another file than the one we knew. What the old one owed us and we owed to it is lost; both
    directions begin anew. greets: it says what it took of our file: `DurableOutgoing.greet`. answer: it waits for our
    hello, or speaks of a file that is not ours; one answer is enough for all hellos that came together.
    """

    new_space: bool
    greets: bool
    answer: bool


def hear(hello: Hello, own_file: int, known_file: int) -> Heard:
    """Return what a hello from the present incarnation of the other means.

    own_file: the hearer's store. known_file: the other's store as far as the hearer knows, 0 for unknown; from here on
    it is `hello.file`.
    """
    return Heard(
        new_space=known_file not in {0, hello.file},
        greets=hello.of_file == own_file,
        answer=hello.answer_wanted or hello.of_file not in {0, own_file},
    )


def say(
    peers: tuple[int, bytes, int], own_file: int, known_file: int, outgoing: DurableOutgoing, incoming: DurableIncoming
) -> Hello:
    """Return the hello to say now, which the other is asked to answer while it has not greeted us.

    peers: source, its mark, and target. The hello that `incoming` had due is said with it.
    """
    source, mark, target = peers
    incoming.hello_said()
    return Hello(
        source=source,
        mark=mark,
        target=target,
        file=own_file,
        of_file=known_file,
        taken=incoming.taken,
        taken_bytes=incoming.counted_bytes,
        answer_wanted=not outgoing.greeted,
    )
