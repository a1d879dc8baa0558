import threading

from caxton.sync.called import Called


async def test_a_plain_handler_runs_in_a_thread():
    """It holds up no loop, and what it returns is what the call returns."""
    called = Called(lambda given: (given, threading.get_ident()), 2)

    given, thread = await called.handler("given")

    assert given == "given"
    assert thread != threading.get_ident()
    called.close()
    called.close()


async def test_a_coroutine_function_runs_in_the_loop():
    """A handler that is one is called as it is."""

    async def handle(given):
        return threading.get_ident()

    called = Called(handle, 1)

    assert called.handler is handle
    assert await called.handler("given") == threading.get_ident()
    called.close()


async def test_what_a_plain_handler_returns_to_be_awaited_is_awaited():
    """A handler that returns a coroutine, as a lambda may, is understood."""

    async def answer():
        return b"answer"

    called = Called(lambda _: answer(), 1)

    assert await called.handler("given") == b"answer"
    called.close()


def test_what_is_no_handler_is_left_to_be_refused():
    """What cannot be called is handed on, for the client to say so."""
    assert Called(5, 1).handler == 5
