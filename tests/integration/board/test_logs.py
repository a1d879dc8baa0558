"""The log of an agent as it is written: across a restart of its worker, and not while nobody sees it."""

import os
import signal

from playwright.sync_api import expect

HIDE = """hidden => {
    Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_log_goes_on_after_its_worker_was_restarted(board_of, token, owner):
    """Its numbers begin anew then, and a note says that what there was is gone; what was shown stays."""
    board = board_of(token("viewer"))
    for number in range(3):
        owner.request("logger", b"before %d" % number)
    board.go(f"#/agents/{owner.id_of('logger')}", "logger")
    lines = board.page.get_by_role("log")
    expect(lines).to_contain_text("before 2")
    for worker in owner.health().workers:
        os.kill(worker.pid, signal.SIGKILL)
    expect(lines).to_contain_text("the worker was restarted")
    owner.request("logger", b"after it", timeout_s=30)
    expect(lines).to_contain_text("after it")
    expect(lines).to_contain_text("before 2")
    for status in ("502", "503"):  # of what was asked when the workers ended, and before they were back
        board.forgive(status)


def test_a_log_that_nobody_sees_is_not_read(board_of, token, owner):
    """Its stream ends with a tab that is hidden, and goes on behind what was shown when that is seen again."""
    board = board_of(token("viewer"))
    page = board.page
    owner.request("logger", b"seen")
    with page.expect_response(lambda answer: "/logs?" in answer.url) as begun:
        board.go(f"#/agents/{owner.id_of('logger')}", "logger")
    expect(page.get_by_role("log")).to_contain_text("seen")
    with page.expect_event("requestfailed", lambda request: request == begun.value.request):
        page.evaluate(HIDE, arg=True)
    owner.request("logger", b"meanwhile")
    with page.expect_response(lambda answer: "/logs?" in answer.url):
        page.evaluate(HIDE, arg=False)
    expect(page.get_by_role("log")).to_contain_text("meanwhile")
    expect(page.get_by_role("log").get_by_text("seen", exact=True)).to_have_count(1)
