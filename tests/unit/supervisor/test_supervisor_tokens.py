import os

import pytest

from caxton.client.supervisor_line import SupervisorLine
from caxton.errors import SecurityError
from caxton.tokens.role import Role
from caxton.wire.supervision import EndSession, OpenSession
from caxton.wire.tokens import CreateToken, ListTokens

CREATE = CreateToken("ci", Role.ADMIN, ("*",))


async def test_tokens_are_for_lines_of_the_runtimes_owner(run):
    """A line without a session, or whose session acts for others or has ended, is refused, and nothing is made."""
    running = run(gateway_principals=True)
    await running.event("ready")
    lines = [SupervisorLine(running.directory.path) for _ in range(3)]
    stranger, gateway, owner = lines
    try:
        await gateway.ask(OpenSession(os.getpid(), "test", principal="alice"), 60)
        opened = await owner.ask(OpenSession(os.getpid(), "test"), 60)
        for line in (stranger, gateway):
            for request in (CREATE, ListTokens()):
                with pytest.raises(SecurityError, match="runtime's owner"):
                    await line.ask(request, 60)
        made = await owner.ask(CREATE, 60)
        assert (await owner.ask(ListTokens(), 60)).tokens == [made.about]
        await gateway.ask(OpenSession(os.getpid(), "test"), 60)
        with pytest.raises(SecurityError):
            await gateway.ask(ListTokens(), 60)
        owner.tell(EndSession(opened.session, opened.mark))
        with pytest.raises(SecurityError):
            await owner.ask(ListTokens(), 60)
    finally:
        for line in lines:
            line.close()
