"""What the dashboard's pages are made of, in a browser: numbers, bounds, keys, a tab that is hidden."""

import random
import re

import pytest
from playwright.sync_api import expect

from caxton.delivery.latency import percentile_us

HIDE = """hidden => {
    Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
    document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def run(board_of):
    """Run a function of JavaScript that is given one of the page's modules, and a value."""
    page = board_of().page
    source = page.locator("script").get_attribute("src")

    def call(module, function, value=None):
        there = source.replace("app.js", module)
        return page.evaluate(f"async ([there, value]) => ({function})(await import(there), value)", [there, value])

    return call


def test_percentiles_are_those_of_the_runtime(run):
    """From the same buckets the page works out what `caxton stats` tells."""
    dice = random.Random(7)
    histograms = [[dice.choice([0, 0, 3, 1_000]) for _ in range(length)] for length in (1, 5, 40, 120)]
    told = run("history.js", "(m, all) => all.map(one => [0.5, 0.99].map(part => m.percentile(one, part)))", histograms)

    for histogram, (p50, p99) in zip(histograms, told, strict=True):
        if sum(histogram):
            expected = percentile_us(histogram, 0.5), percentile_us(histogram, 0.99)
            assert (p50, p99) == pytest.approx(expected)


def test_an_hour_is_kept_and_no_more(run):
    """Of looks for a day the last 1,800 are left, and a runtime that began anew makes no negative rates."""
    told = run(
        "history.js",
        """m => {
            const history = new m.History();
            const look = (errors, uptime) => ({runtime: {uptime_s: uptime, total_errors: errors, latencies: {},
                messages_per_second: 1, inbound_queue_depth: 0, outbound_queue_depth: 0, memory_usage_bytes: 1}});
            for (let i = 0; i < 43_200; i += 1) history.take(look(i, i), i * m.PERIOD_MS);
            history.take(look(0, 1), 43_200 * m.PERIOD_MS);
            const points = history.points("errors", 0);
            return [history.points("messages", 0).length, points.length, Math.min(...points.map(one => one[1]))];
        }""",
    )
    assert told == [1_800, 1_799, 0.5]


def test_a_plot_has_a_name_before_there_is_anything_in_it(run):
    """Else a page says of a picture nothing but that it is one, until the first numbers come."""
    told = run(
        "plot.js", """m => new m.Plot("Memory", [], String).element.querySelector("svg").getAttribute("aria-label")"""
    )
    assert told == "Memory: nothing yet"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "a\\u202eb"),
        ("a\x00\x1b[31m", "a\\u0000\\u001b[31m"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("Grüße, 世界 🎉\n\tx", "Grüße, 世界 🎉\n\tx"),
        ("x" * 30_000, "x" * 20_000 + "…"),
    ],
)
def test_all_of_a_text_shows_in_its_order(run, text, shown):
    """What shows nothing, or turns a line around, is an escape; what is too long is cut."""
    assert run("format.js", "(m, text) => m.shown(text)", text) == shown


def test_numbers_are_written_so_that_they_can_be_compared(run):
    """Each with its unit, and nothing for what is not known."""
    told = run(
        "format.js",
        """m => [m.bytes(1023), m.bytes(1536), m.bytes(5 * 2 ** 30), m.micros(0.4), m.micros(12_345),
            m.duration(61_000), m.rate(0), m.rate(0.126), m.rate(12_345.6),
            m.count(1_234_567), m.count(null), m.bytes(NaN)]""",
    )
    assert told == [
        *("1,023 B", "1.5 KiB", "5.0 GiB", "0 µs", "12.3 ms", "1 min 1 s"),
        *("0", "0.13", "12,346", "1,234,567", "\N{EN DASH}", "\N{EN DASH}"),
    ]


def test_a_page_is_used_by_keys_alone(board_of, token):
    """From the token to an agent's page, with a way around the head, and the focus is seen to follow."""
    board = board_of()
    page = board.page
    expect(page.get_by_label("Token")).to_be_focused()
    page.keyboard.insert_text(token("operator"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.get_by_role("link", name="Agents").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Agents", level=1)).to_be_visible()
    expect(page.get_by_role("main")).to_be_focused()
    page.get_by_label("Name").focus()
    page.keyboard.insert_text("greeter")
    page.keyboard.press("Enter")
    listed = page.get_by_role("group", name="Agents", exact=True).get_by_role("link")
    expect(listed).to_have_text(["greeter"])
    listed.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Stop").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
    expect(page.get_by_role("heading", name="greeter", level=1)).to_be_visible()


def test_the_theme_is_the_systems_until_somebody_chooses(board_of):
    """The choice stays when the page is loaded again."""
    board = board_of(scheme="dark")
    page = board.page
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.evaluate("localStorage.setItem('caxton-theme', 'light')")
    page.reload()
    expect(page.get_by_label("Token")).to_be_visible()

    assert dark != page.evaluate(ground) == "rgb(244, 246, 248)"


def test_a_hidden_tab_asks_for_nothing(board_of, token):
    """And goes on when it is seen again."""
    board = board_of(token("viewer"))
    page = board.page
    page.clock.install()
    with page.expect_response(re.compile("/v1/stats")):
        page.reload()
    page.evaluate(HIDE, arg=True)
    page.evaluate("fetch('/ready').then(() => fetch('/ready'))")  # what was under way is over
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(60_000)
    assert asked == []
    with page.expect_response(re.compile("/v1/stats")):
        page.evaluate(HIDE, arg=False)


def test_what_is_not_there_is_told(board_of, token):
    """An agent or a dead letter that nobody has, and a page that there is not."""
    board = board_of(token("viewer"))
    for place, text in (
        ("#/agents/0123456789abcdef", "there is no agent"),
        ("#/dead-letters/0-999999", "there is none with the number"),
        ("#/conversations/nonsense", "400"),
        ("#/nowhere", "There is no such page"),
        ("#/agents/%E0%A4%A", "there is no agent"),
    ):
        board.page.evaluate("place => { location.hash = place; }", place)
        expect(board.page.get_by_role("main")).to_contain_text(text)
    board.forgive("40")


def test_a_name_that_could_not_be_asked_for_is_asked_for_again(run, board_of):
    """And that of an agent that is gone is not."""
    told = run(
        "names.js",
        """async m => {
            const asked = [];
            let status = 503;
            window.fetch = async path => {
                asked.push(path);
                const told = {name: "echo", detail: "no", code: "No"};
                return new Response(JSON.stringify(told), {status});
            };
            const gone = "0000000000000002", name = "0000000000000001", found = [];
            for (status of [503, 200, 503]) found.push(await m.nameOf(name));
            status = 404;
            for (let i = 0; i < 2; i += 1) found.push(await m.nameOf(gone));
            return [found, asked.length];
        }""",
    )
    assert told == [["0000000000000001", "echo", "echo", "0000000000000002", "0000000000000002"], 3]
