"""Who talks to whom, in the browser: drawn, and as a table that says all of it."""

import re

import pytest
from playwright.sync_api import expect

from caxton.errors import WasmExecutionFailed

HOSTILE = "<img src=x onerror=document.title='owned'>"
LOOKS = [((1_280, 900), "light"), ((1_280, 900), "dark"), ((360, 740), "light"), ((3_840, 2_160), "dark")]
# Pairs as they are told: who sends, who is sent to, messages and failures a second.
PAIRS = [
    *[(None, "hub", 9, 0), ("hub", "a", 5, 0), ("hub", "b", 4, 1), ("a", None, 5, 0)],
    *[("b", "b", 1, 0), ("x", "y", 1, 0), ("y", "x", 1, 0)],
]
LAID_OUT = """async ([there, pairs]) => {
    const m = await import(there);
    const isBroken = m.drawing(pairs, 1_000).outerHTML.includes("NaN");
    return [Object.fromEntries([...m.layout(pairs)].map(([id, at]) => [id, [at.column, at.row]])), isBroken];
}"""


@pytest.fixture
def talking(board_of, owner, token):
    """Open the page, and let agents talk from when it counts: one has a hostile name, and one fails."""

    def open_page(**look):
        board = board_of(token("viewer"), **look)
        with board.page.expect_response(re.compile("/v1/call-graph")):
            board.go("#/call-graph", "Call graph")
        for _ in range(10):
            owner.request("echo", b"x")
            owner.request(HOSTILE, b"x")
        with pytest.raises(WasmExecutionFailed):
            owner.request("broken", b"\x00")
        return board

    return open_page


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_it_can_be_used_by_everybody(talking, size, scheme):
    """On a desk, a phone and a wall, light and dark: names are text, nothing hangs over, axe finds nothing wrong."""
    board = talking(size=size, scheme=scheme)
    pairs = board.page.get_by_role("group", name="Pairs")
    expect(pairs.get_by_role("link", name=HOSTILE).first).to_be_visible()
    expect(pairs.get_by_role("row", name=re.compile("clients broken"))).to_contain_text("0.")
    expect(board.page.locator("svg.calls a")).not_to_have_count(0)
    expect(board.page.get_by_text("Everything was counted.")).to_be_visible()
    board.check()


def test_pairs_are_sorted_found_and_followed(talking):
    """By any column; by a part of a name, which is a link; and from a box of the drawing to its agent."""
    board = talking()
    page = board.page
    pairs = page.get_by_role("group", name="Pairs")
    expect(pairs.get_by_role("row", name=re.compile("clients broken"))).to_be_visible()
    pairs.get_by_role("button", name="Failed / s").click()
    expect(pairs.locator("tbody tr").first).to_contain_text("broken")
    expect(page.locator("svg.calls .rate.b")).to_contain_text(["failed"])
    page.get_by_role("searchbox", name="With").fill("ECH")
    page.get_by_label("Drawn").select_option("10 pairs")
    page.get_by_role("button", name="Search").click()
    expect(page).to_have_url(re.compile(r"name=ECH&drawn=10$"))
    expect(pairs.get_by_role("link", name="echo")).to_have_count(2)
    expect(pairs.get_by_role("link")).to_have_count(2)
    page.locator("svg.calls a").filter(has_text="echo").first.click()
    expect(page.get_by_role("heading", name="echo", level=1)).to_be_visible()
    page.get_by_role("link", name="Who it talks to").click()
    expect(page).to_have_url(re.compile(r"call-graph\?name=echo$"))


def test_who_may_see_some_agents_has_no_such_page(board_of, token):
    """It is about all of them."""
    board = board_of(token("viewer", "shop-*"))
    expect(board.page.get_by_role("link", name="Events")).to_be_visible()
    expect(board.page.get_by_role("link", name="Call graph")).to_have_count(0)


def test_a_layout_depends_on_who_talks_to_whom_alone(board_of):
    """Not on the order or the rates of pairs: columns by steps from the clients, circles too, and rows by names."""
    page = board_of().page
    there = page.locator("script").get_attribute("src").replace("app.js", "call_graph.js")

    def laid_out(pairs):
        told = [
            {"sender_id": s, "sender": s, "receiver_id": r, "receiver": r, "messages_per_s": m, "failures_per_s": f}
            for s, r, m, f in pairs
        ]
        return page.evaluate(LAID_OUT, [there, told])

    places, is_broken = laid_out(PAIRS)
    assert places == {"clients": [0, 0], "hub": [1, 0], "a": [2, 0], "b": [2, 1], "x": [0, 1], "y": [1, 1]}
    assert not is_broken
    assert laid_out([(s, r, 10 - m, 0) for s, r, m, _ in reversed(PAIRS)]) == [places, False]
    assert laid_out([]) == [{}, False]
    crowd = [(f"a{n}", f"a{n * 7 % 300}", 0, 1) for n in range(300)]
    assert len(laid_out(crowd)[0]) == 300
