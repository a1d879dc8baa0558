"""Thespian: an actor in a process of its own; a round of `tell`, then `listen` for all of its answers.

Its processes listen on every address of the machine: run it by way of `bench.peers.loopback`.
"""

import importlib.metadata
from typing import Any

from thespian.actors import Actor, ActorSystem

from bench.peers.form import FEW, ONE_BY_ONE, Form, alone, arguments, report
from bench.peers.loops import of_rounds

_TIMEOUT_S = 30.0
_SYSTEM = "multiprocTCPBase"


class Echo(Actor):
    """Answers with what it was given."""

    def receiveMessage(self, message: object, sender: Any) -> None:  # noqa: N802 (the name that Thespian calls)
        """Send it back."""
        if isinstance(message, bytes):
            self.send(sender, message)


def main() -> None:
    """Start an actor system, and measure one actor of it."""
    content, seconds = arguments()
    system = ActorSystem(_SYSTEM)
    try:
        echo = system.createActor(Echo)

        def ask_all(count: int) -> list[object]:
            for _ in range(count):
                system.tell(echo, content)
            return [system.listen(_TIMEOUT_S) for _ in range(count)]

        form = Form(
            ONE_BY_ONE,
            of_rounds(ask_all, content),
            FEW,
            lambda some_s: alone(lambda: system.ask(echo, content, _TIMEOUT_S), content, some_s),
            note=f"{_SYSTEM}; rounds of tell, then listen for all answers",
        )
        report(importlib.metadata.version("thespian"), 2, [form], seconds)
    finally:
        system.shutdown()


if __name__ == "__main__":
    main()
