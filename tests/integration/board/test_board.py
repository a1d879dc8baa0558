"""The dashboard in a browser, used as an operator uses it."""

import os
import re
import signal

import pytest
from playwright.sync_api import expect

from caxton.errors import CaxtonError

# What agents say is shown so, to the letter.
SHOWN = "<img src=x onerror=document.title='owned'>\\u202egnp.exe\\u0000\\u001b[31m"
LOOKS = [((1_280, 900), "light"), ((1_280, 900), "dark"), ((360, 740), "light"), ((360, 740), "dark")]


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_every_page_can_be_used_by_everybody(board_of, owner, token, size, scheme):
    """On a desk and on a phone, light and dark: whatever is shown is text, and axe finds nothing wrong."""
    board = board_of(size=size, scheme=scheme)
    expect(board.page.get_by_role("heading", name="Sign in")).to_be_visible()
    board.check()
    board.sign_in(token("admin"))
    expect(board.page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(board.page.get_by_role("img", name=re.compile("Messages a second: turns [0-9]"))).to_be_visible()
    board.check()
    board.go("#/agents", "Agents")
    expect(
        board.page.get_by_role("group", name="Agents", exact=True).get_by_role("link", name="greeter")
    ).to_be_visible()
    board.check()
    board.go(f"#/agents/{owner.id_of('logger')}", "logger")
    expect(board.page.get_by_role("log")).to_contain_text("\\u202egnp.exe")
    board.check()
    board.go("#/conversations", "Conversations")
    board.page.get_by_role("group", name="Conversations", exact=True).locator("a").first.click()
    expect(board.page.get_by_role("img", name="6 messages between 3 parties")).to_be_visible()
    board.check()
    board.go("#/dead-letters", "Dead letters")
    board.page.get_by_role("group", name="Dead letters", exact=True).locator("a").first.click()
    expect(board.page.get_by_role("heading", name="What it says")).to_be_visible()
    board.check()
    board.go("#/ledger", "Ledger")
    expect(board.page.get_by_role("row", name="Balanced")).to_contain_text("balanced")
    board.check()
    board.go("#/events", "Events")
    expect(board.page.get_by_role("row", name="Agent deployed").first).to_be_visible()
    board.check()
    board.go("#/audit", "Audit")
    expect(board.page.get_by_text("whole", exact=True)).to_be_visible()
    expect(board.page.get_by_role("row", name="Deploy").first).to_be_visible()
    board.check()


def test_a_wrong_token_is_told_as_it_is(board_of, token):
    """Whoever then has the right one comes in, stays in when the page is loaded again, and goes out."""
    board = board_of()
    board.sign_in("cx_" + "A" * 43)
    expect(board.page.get_by_role("alert")).to_contain_text("Token refused")
    board.sign_in(token("viewer"))
    expect(board.page.get_by_role("heading", name="Overview")).to_be_visible()
    board.page.reload()
    expect(board.page.get_by_text("viewer at work")).to_be_visible()
    assert board.page.evaluate("document.cookie") == ""
    assert "cx_" not in board.page.evaluate("JSON.stringify([localStorage, sessionStorage, location.href])")
    board.page.get_by_role("button", name="Sign out").click()
    expect(board.page.get_by_role("heading", name="Sign in")).to_be_visible()
    board.forgive("401")


def test_who_is_revoked_is_out_at_once(board_of, owner):
    """And reads why."""
    made = owner.create_token("brief", "viewer")
    board = board_of(made.token)
    owner.revoke_token(made.about.token_id)
    expect(board.page.get_by_text("The session has ended: sign in again.")).to_be_visible()
    board.forgive("401")


def test_who_may_only_look_is_offered_nothing_else(board_of, owner, token):
    """No button that would be refused is there; a token for some agents has the pages that are about them."""
    viewer = board_of(token("viewer")).page
    expect(viewer.get_by_role("heading", name="Overview")).to_be_visible()
    expect(viewer.get_by_role("button", name="Restart workers")).to_have_count(0)
    viewer.goto(f"{viewer.url.split('#')[0]}#/agents/{owner.id_of('echo')}")
    expect(viewer.get_by_role("heading", name="What it is")).to_be_visible()
    for name in ("Pause", "Drain", "Stop", "Remove", "Send"):
        expect(viewer.get_by_role("button", name=name)).to_have_count(0)

    some = board_of(token("operator", "shop-*")).page
    expect(some.get_by_role("group", name="Agents", exact=True).get_by_role("link", name="shop-00")).to_be_visible()
    expect(some.get_by_role("link", name="greeter")).to_have_count(0)
    expect(some.get_by_role("link", name="Overview")).to_have_count(0)
    some.get_by_role("link", name="shop-00").click()
    expect(some.get_by_role("button", name="Pause")).to_be_visible()


def test_agents_are_found(board_of, token):
    """By a part of the name, by state and capability, page by page; each search is a link."""
    board = board_of(token("viewer"))
    page = board.page
    board.go("#/agents", "Agents")
    listed = page.get_by_role("group", name="Agents", exact=True)
    page.get_by_role("link", name="Next page").click()
    expect(listed.get_by_role("link", name="shop-59")).to_be_visible()
    page.get_by_role("link", name="First page").click()
    page.get_by_label("Name").fill("op-0")
    page.get_by_label("State").select_option("running")
    page.get_by_role("button", name="Search").click()
    expect(listed.get_by_role("link")).to_have_count(10)
    assert page.url.endswith("?name=op-0&state=running")
    listed.get_by_role("button", name="Name").click()
    listed.get_by_role("button", name="Name").click()
    expect(listed.get_by_role("link").first).to_have_text("shop-09")
    page.get_by_label("Name").fill("")
    page.get_by_label("State").select_option("")
    page.get_by_label("Capability").fill("greet")
    page.get_by_label("Capability").press("Enter")
    expect(listed.get_by_role("link")).to_have_text(["greeter"])
    page.get_by_role("combobox", name="by", exact=True).select_option("failures")
    expect(page).to_have_url(re.compile("by=failures"))


def test_an_agent_is_paused_asked_drained_and_removed(board_of, owner, token, echo_wasm):
    """By buttons, of which those that take something away ask first; its answer and its problems are shown."""
    owner.deploy("victim", echo_wasm)
    board = board_of(token("admin"))
    page = board.page
    board.go(f"#/agents/{owner.id_of('victim')}", "victim")
    page.get_by_label("Content").fill("are you there?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("pre")).to_have_text("are you there?")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.get_by_role("button", name="Drain").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    for name in ("Stop", "Remove"):
        page.get_by_role("button", name=name).click()
        page.get_by_role("dialog").get_by_role("button", name=name).click()
    expect(page.get_by_role("heading", name="Agents", level=1)).to_be_visible()
    with pytest.raises(CaxtonError):
        owner.inspect("victim")


def test_a_conversation_is_shown_with_what_was_said(board_of, token):
    """From the list, by who takes part: an arrow and a line for each message, in their order, and all of it is text."""
    board = board_of(token("viewer"))
    page = board.page
    board.go("#/conversations", "Conversations")
    page.get_by_label("Agent").fill("greeter")
    page.get_by_label("State").select_option("in progress")
    page.get_by_role("button", name="Search").click()
    listed = page.get_by_role("group", name="Conversations", exact=True)
    listed.get_by_role("link").click()
    said = page.get_by_role("region", name="Messages").get_by_role("listitem")
    expect(said).to_have_count(6)
    expect(said.nth(2)).to_contain_text("greeter")
    expect(said.nth(2).locator("pre")).to_have_text(SHOWN)
    expect(page.locator("svg.sequence .act")).to_have_text(["request", "inform"] * 3)
    page.get_by_role("link", name="greeter").first.click()
    expect(page.get_by_role("heading", name="greeter", level=1)).to_be_visible()
    expect(page.get_by_role("region", name="Conversations").locator("a.code")).to_have_count(1)


@pytest.mark.usefixtures("letters")
def test_dead_letters_are_found_looked_into_and_sent_again(board_of, owner, token):
    """Some of them by their boxes, one from its own page, and what is forgotten is asked for before."""
    board = board_of(token("operator"))
    page = board.page
    board.go("#/dead-letters", "Dead letters")
    listed = page.get_by_role("group", name="Dead letters", exact=True)
    expect(listed.get_by_role("checkbox")).to_have_count(3)
    page.get_by_label("To agent").fill("echo")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("There is no such dead letter.")).to_be_visible()
    page.get_by_label("To agent").fill("broken")
    page.get_by_label("Reason").select_option(label="Poison (3)")
    page.get_by_role("button", name="Search").click()
    listed.get_by_role("checkbox").first.check()
    page.get_by_role("button", name="Requeue 1 chosen").click()
    expect(page.get_by_text("1 messages were sent again.")).to_be_visible()
    expect(listed.get_by_role("checkbox")).to_have_count(3)  # it died of the same again

    listed.locator("a.code").first.click()
    expect(listed).to_have_count(0)
    expect(page.get_by_text("WasmExecutionFailed")).to_be_visible()
    expect(page.locator("pre")).to_have_text("\\u0000")
    page.get_by_role("button", name="Requeue").click()
    expect(page.get_by_role("heading", name="Dead letters", level=1)).to_be_visible()
    expect(listed.get_by_role("checkbox")).to_have_count(3)
    page.get_by_role("button", name="Purge all that fit").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert owner.dead_letter_stats().total_messages == 3
    page.get_by_role("button", name="Purge all that fit").click()
    page.get_by_role("dialog").get_by_role("button", name="Purge").click()
    expect(page.get_by_text("3 dead letters are forgotten.")).to_be_visible()
    assert owner.dead_letter_stats().total_messages == 0


def test_events_are_told_as_they_happen(board_of, owner, token):
    """Newest first, with a link to the agent; a kind or an agent is chosen, and a token for some sees these alone."""
    board = board_of(token("viewer"))
    page = board.page
    board.go("#/events", "Events")
    rows = page.get_by_role("group", name="Events", exact=True).locator("tbody tr")
    expect(rows.first).to_be_visible()
    owner.pause("shop-07")
    paused = rows.filter(has_text="Agent paused")
    expect(paused.get_by_role("link", name="shop-07")).to_be_visible()
    owner.resume("shop-07")
    page.get_by_role("searchbox", name="What").fill("agent_resumed")
    page.get_by_label("Of the last").select_option("an hour")
    page.get_by_role("button", name="Search").click()
    expect(rows.filter(has_text="Agent resumed").get_by_role("link", name="shop-07").first).to_be_visible()
    expect(paused).to_have_count(0)

    some = board_of(token("viewer", "shop-*"))
    some.go("#/events", "Events")
    told = some.page.get_by_role("group", name="Events", exact=True).locator("tbody tr")
    expect(told.filter(has_text="shop-07").first).to_be_visible()
    expect(told.filter(has_text="greeter")).to_have_count(0)


def test_the_audit_is_for_admins(board_of, owner, token):
    """What was done is found by agent, with whom it was done for; others have no such page."""
    board = board_of(token("admin"))
    owner.pause("shop-08")
    owner.resume("shop-08")
    board.go("#/audit", "Audit")
    board.page.get_by_role("searchbox", name="Agent").fill("shop-08")
    board.page.get_by_role("button", name="Search").click()
    rows = board.page.get_by_role("group", name="Audit", exact=True).locator("tbody tr")
    expect(rows.first).to_contain_text("Resume")
    expect(rows.first).to_contain_text("the owner")

    other = board_of(token("operator"))
    expect(other.page.get_by_role("link", name="Events")).to_be_visible()
    expect(other.page.get_by_role("link", name="Audit")).to_have_count(0)


def test_a_gateway_that_is_killed_is_missed_and_comes_back(board_of, served, token):
    """The page says so, has nobody sign in again, and goes on by itself."""
    board = board_of(token("viewer"))
    expect(board.page.get_by_role("heading", name="Overview")).to_be_visible()
    pid = next(event["pid"] for event in reversed(served.events) if event["event"] == "gateway_ready")
    os.kill(pid, signal.SIGSTOP)  # where it is killed at once, the next one answers before anybody has waited
    expect(board.page.get_by_text("The gateway does not answer.")).to_be_visible()
    os.kill(pid, signal.SIGKILL)
    expect(board.page.get_by_text("The gateway answers again.")).to_be_visible()
    expect(board.page.get_by_role("heading", name="Overview")).to_be_visible()
    board.forgive("ERR_")
