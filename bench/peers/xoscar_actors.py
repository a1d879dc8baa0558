"""xoscar: an actor in the one sub-process of a pool; calls from the main pool, one by one and by `batch`."""

import asyncio
import importlib.metadata
from typing import Any

import xoscar

from bench.peers.form import BATCHED, FEW, FRAMES_OF_256, ONE_BY_ONE, Form, arguments, report
from bench.peers.loops import alone_in, new_runner, of_batches, of_tasks


class Echo(xoscar.Actor):
    """Answers with what it was given."""

    def echo(self, content: bytes) -> bytes:
        """Return the content."""
        return content

    @xoscar.extensible
    def echo_of_many(self, content: bytes) -> bytes:
        """Return the content; the way in for calls that are made as a batch."""
        return content

    @echo_of_many.batch
    def batch_of_echoes(self, calls: list[tuple[bytes]], _named: list[dict[str, object]]) -> list[bytes]:
        """Return the contents of a whole batch, which comes as the arguments of its calls."""
        return [content for (content,) in calls]


async def _start() -> tuple[Any, Any]:
    pool = await xoscar.create_actor_pool("127.0.0.1", n_process=1)
    (sub_pool,) = pool.sub_processes
    return pool, await xoscar.create_actor(Echo, address=sub_pool, uid="echo")


def main() -> None:
    """Start a pool on the loopback address, and measure it under uvloop, which its processes use as well."""
    content, seconds = arguments()
    with new_runner() as runner:
        pool, echo = runner.run(_start())
        try:
            call = echo.echo_of_many.delay
            forms = [
                Form(
                    ONE_BY_ONE,
                    of_tasks(runner, echo.echo, content),
                    FEW,
                    alone_in(runner, echo.echo, content),
                    note="an actor of a sub-process; tasks that await one call each",
                ),
                Form(
                    BATCHED,
                    of_batches(
                        runner, lambda batch: echo.echo_of_many.batch(*[call(each) for each in batch]), content, 256
                    ),
                    FRAMES_OF_256,
                    note="actor.method.batch of 256 calls",
                ),
            ]
            report(importlib.metadata.version("xoscar"), 2, forms, seconds)
        finally:
            runner.run(asyncio.wait_for(pool.stop(), 10))


if __name__ == "__main__":
    main()
