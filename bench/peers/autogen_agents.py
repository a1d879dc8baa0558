"""AutoGen Core: an agent of the runtime in the client's own process; tasks that await one message each."""

import importlib.metadata
from dataclasses import dataclass

from autogen_core import AgentId, MessageContext, RoutedAgent, SingleThreadedAgentRuntime, message_handler

from bench.peers.form import FEW, ONE_BY_ONE, Form, arguments, report
from bench.peers.loops import alone_in, new_runner, of_tasks


@dataclass
class Said:
    """A message; the runtime writes each as JSON, so that bytes go as text."""

    content: str


class Echo(RoutedAgent):
    """Answers with what it was given."""

    @message_handler
    async def answer(self, message: Said, ctx: MessageContext) -> Said:  # noqa: ARG002 (the signature that it wants)
        """Return the content."""
        return Said(message.content)


async def _start() -> SingleThreadedAgentRuntime:
    runtime = SingleThreadedAgentRuntime()
    await Echo.register(runtime, "echo", lambda: Echo("an echo"))
    runtime.start()
    return runtime


def main() -> None:
    """Start a runtime with one agent, and measure it under uvloop."""
    content, seconds = arguments()
    with new_runner() as runner:
        runtime = runner.run(_start())
        echo = AgentId("echo", "default")

        async def ask(asked: bytes) -> bytes:
            answer: Said = await runtime.send_message(Said(asked.decode("latin-1")), echo)
            return answer.content.encode("latin-1")

        try:
            form = Form(
                ONE_BY_ONE,
                of_tasks(runner, ask, content),
                FEW,
                alone_in(runner, ask, content),
                note="one process and one task: nothing crosses a process, nothing is isolated",
            )
            report(importlib.metadata.version("autogen-core"), 1, [form], seconds)
        finally:
            runner.run(runtime.stop())


if __name__ == "__main__":
    main()
