"""The way of an operator from something that is wrong to books that balance, all of it in the browser."""

import contextlib
import re
import threading

import pytest
from playwright.sync_api import expect

import caxton
from caxton.errors import CaxtonError

NAME = "billing"


def send_for_ever(served, is_mended, ends):
    """Send invoices; now and then one that never ends, behind which others are late, until that is mended."""
    number = 0
    with caxton.connect_sync(served.runtime_dir) as client:
        agent, echo = client.id_of(NAME), client.id_of("echo")
        while not ends.wait(0.05):
            number += 1
            retried = caxton.DeliveryOptions(max_retries=2)
            late = caxton.DeliveryOptions(timeout_ms=1_000)
            endless = [caxton.Message(agent, b"X invoice", delivery_options=retried)]
            batch = endless if number % 40 == 1 and not is_mended.is_set() else []
            invoices = [b"invoice %d" % (10 * number + place) for place in range(5)]
            batch += [caxton.Message(agent, invoice, delivery_options=late) for invoice in invoices]
            with contextlib.suppress(CaxtonError):
                client.send_batch([*batch, caxton.Message(echo, b"x")])


@pytest.fixture
def mended(served, owner, guest_named):
    """An agent that is stuck, under load with others; set it to have the load be well again."""
    owner.deploy(NAME, guest_named("stuck"), limits=caxton.Limits(max_execution_ms=50))
    is_mended, ends = threading.Event(), threading.Event()
    load = threading.Thread(target=send_for_ever, args=(served, is_mended, ends))
    load.start()
    yield is_mended
    ends.set()
    load.join()


def test_a_stuck_agent_is_found_looked_into_and_brought_back(board_of, token, owner, mended, have_died):
    """Found on the overview, paused, its late messages sent again, what it dies of forgotten, resumed, and balanced."""
    board = board_of(token("operator"))
    page = board.page

    # Something is wrong: errors, dead letters, and the agent whose turns fail.
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    failing = page.get_by_role("region", name="Failing now")
    expect(failing.get_by_role("link", name=NAME)).to_be_visible()
    board.check()
    failing.get_by_role("link", name=NAME).click()

    # What it is, what it logged last, and who sends to it.
    expect(page.get_by_role("heading", name=NAME, level=1)).to_be_visible()
    expect(page.get_by_role("log")).to_contain_text("X invoice")
    page.get_by_role("link", name="Who it talks to").click()
    pairs = page.get_by_role("group", name="Pairs")
    expect(pairs.get_by_role("row", name=re.compile(f"clients {NAME}"))).to_be_visible()
    page.get_by_role("group", name="Pairs").get_by_role("link", name=NAME).first.click()

    # It is kept from doing more harm; what comes from now on waits, and nothing dies any more.
    have_died(NAME, "poison", "expired")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    mended.set()

    # What it died of, and what came too late behind that.
    page.get_by_role("link", name="Its dead letters").click()
    listed = page.get_by_role("group", name="Dead letters", exact=True)
    expect(listed.get_by_role("row", name=re.compile("Poison")).first).to_be_visible()
    listed.get_by_role("row", name=re.compile("Poison")).first.locator("a.code").click()
    expect(page.get_by_text("ResourceLimitExceeded")).to_be_visible()
    expect(page.locator("pre")).to_have_text("X invoice")
    page.go_back()
    page.get_by_label("Reason").select_option("expired")
    page.get_by_role("button", name="Search").click()
    expect(listed.get_by_role("row", name=re.compile("Expired")).first).to_be_visible()
    expect(listed.get_by_role("row", name=re.compile("Poison"))).to_have_count(0)
    page.get_by_role("button", name="Requeue all that fit").click()
    page.get_by_role("dialog").get_by_role("button", name="Requeue").click()
    expect(page.get_by_text(re.compile("^[1-9][0-9]* messages were sent again"))).to_be_visible()
    page.get_by_label("Reason").select_option("poison")
    page.get_by_role("button", name="Search").click()
    expect(listed.get_by_role("row", name=re.compile("Expired"))).to_have_count(0)
    page.get_by_role("button", name="Purge all that fit").click()
    page.get_by_role("dialog").get_by_role("button", name="Purge").click()
    expect(page.get_by_text(re.compile("dead letters? (is|are) forgotten"))).to_be_visible()

    # It goes on, and handles what waited.
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Agents").click()
    page.get_by_role("searchbox", name="Name").fill(NAME)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("group", name="Agents", exact=True).get_by_role("link", name=NAME).click()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.get_by_role("term").filter(has_text="Waits").locator("xpath=..")).to_contain_text("nothing")

    # And every message is accounted for.
    page.get_by_role("link", name="Ledger").click()
    expect(page.get_by_role("row", name="Balanced")).to_contain_text("balanced")
    board.check()
    assert owner.ledger().balanced
    assert owner.inspect(NAME).state == "running"
