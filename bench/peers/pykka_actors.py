"""Pykka: an actor in a thread of the client's own process; futures of a whole round are waited for together."""

import importlib.metadata

import pykka

from bench.peers.form import FEW, ONE_BY_ONE, Form, alone, arguments, report
from bench.peers.loops import of_rounds


class Echo(pykka.ThreadingActor):
    """Answers with what it was given."""

    def on_receive(self, message: bytes) -> bytes:
        """Return the message."""
        return message


def main() -> None:
    """Start one actor, and measure it."""
    content, seconds = arguments()
    echo = Echo.start()
    try:
        form = Form(
            ONE_BY_ONE,
            of_rounds(lambda count: pykka.get_all([echo.ask(content, block=False) for _ in range(count)]), content),
            FEW,
            lambda some_s: alone(lambda: echo.ask(content), content, some_s),
            note="threads of one process: nothing crosses a process, nothing is isolated",
        )
        report(importlib.metadata.version("pykka"), 1, [form], seconds)
    finally:
        pykka.ActorRegistry.stop_all()


if __name__ == "__main__":
    main()
