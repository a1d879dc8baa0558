"""A runtime with a dashboard, agents that do all kinds of things, and a browser that looks at it."""

import contextlib
import shutil
import time
from pathlib import Path

import pytest
import wasmtime
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

import caxton
import caxton.testing

ECHO = Path(caxton.__file__).parent / "guests" / "echo.wasm"
GUESTS = Path(__file__).parents[2] / "guests"
CHROMIUM = shutil.which("chromium")
# As good as any script can be, in a browser that would run it.
HOSTILE = "<img src=x onerror=document.title='owned'>"
HOSTILE_TEXT = f"{HOSTILE}\u202egnp.exe\x00\x1b[31m"
DESKTOP, PHONE = (1_280, 900), (360, 740)
# On a machine that is busy with others.
PATIENCE_MS = 30_000
WITHIN_S = 60.0
LETTERS = 3

expect.set_options(timeout=PATIENCE_MS)


def guest(name):
    """Return the module that a guest written as text is."""
    return bytes(wasmtime.wat2wasm((GUESTS / f"{name}.wat").read_text()))


@pytest.fixture(scope="session")
def echo_wasm():
    """An agent that answers what it is sent."""
    return ECHO


@pytest.fixture
def guest_named():
    """A function that returns the module of a guest that is written as text."""
    return guest


@pytest.fixture(scope="module")
def served():
    """A runtime of two workers with agents, one of which has a hostile name, and conversations."""
    with caxton.testing.runtime(workers=2, options=["--http", "127.0.0.1:0"]) as runtime:
        with caxton.connect_sync(runtime.runtime_dir) as client:
            names = ("echo", HOSTILE, *(f"shop-{number:02}" for number in range(60)))
            agents = [caxton.Deployment(name, ECHO) for name in names]
            agents += [caxton.Deployment("greeter", ECHO, capabilities=["greet"])]
            agents += [caxton.Deployment(name, guest(text)) for name, text in (("logger", "log"), ("broken", "faults"))]
            client.deploy_many(agents)
            client.request("logger", HOSTILE_TEXT.encode())
            talk = client.new_conversation()
            kept = caxton.DeliveryOptions(conversation=caxton.ConversationLimits(keep_contents=True))
            for name in ("echo", "greeter", "echo"):  # each shard keeps contents where it is told so
                client.request(name, HOSTILE_TEXT.encode(), conversation_id=talk, options=kept)
        yield runtime


@pytest.fixture(scope="module")
def url(served):
    """Where the dashboard is."""
    return next(event["http"] for event in served.events if event["event"] == "ready")


@pytest.fixture(scope="module")
def owner(served):
    """A client of who owns the runtime."""
    with caxton.connect_sync(served.runtime_dir) as client:
        yield client


@pytest.fixture
def letters(owner):
    """There are so many dead letters, whatever other tests have made of them."""
    missing = LETTERS - owner.dead_letter_stats().total_messages
    if missing:
        owner.pause("broken")
        owner.resume("broken")  # which closes its breaker
    for _ in range(missing):
        with contextlib.suppress(caxton.errors.CaxtonError):
            owner.send("broken", b"\x00", options=caxton.DeliveryOptions(max_retries=1))
    give_up_at = time.monotonic() + WITHIN_S
    while (found := owner.dead_letter_stats().total_messages) != LETTERS:
        assert time.monotonic() < give_up_at, found


@pytest.fixture
def have_died(owner):
    """Wait until messages to an agent have died for each of these reasons."""

    def wait(agent, *reasons):
        give_up_at = time.monotonic() + WITHIN_S
        while missing := [one for one in reasons if not any(owner.dead_letters(agent=agent, reason=one, limit=1))]:
            assert time.monotonic() < give_up_at, missing

    return wait


@pytest.fixture(scope="module")
def token(owner):
    """Make a token of a role, for agents whose names fit; once for each."""
    made = {}

    def make(role, *agents):
        if (role, agents) not in made:
            made[role, agents] = owner.create_token(f"{role} at work", role, agents=list(agents)).token
        return made[role, agents]

    return make


@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium, without a window."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium; scripts/system-packages installs it for root")
    with sync_playwright() as playwright:
        # Its own sandbox takes rights that root in a container has not; what it is shown here is ours.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Board:
    """A browser at the dashboard. wrong: what its console complained of; a test ends with none, or forgives some."""

    def __init__(self, context, url):
        self.context = context
        self.url = url
        self.wrong = []
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.goto(url)

    def _heard(self, message):
        if message.type in {"error", "warning"}:
            self.wrong.append(f"{message.text} {message.location.get('url', '')}")

    def sign_in(self, token):
        """Sign in with a token."""
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()

    def go(self, place, heading):
        """Go to a page, and wait until it is there."""
        self.page.evaluate("place => { location.hash = place; }", place)
        expect(self.page.get_by_role("heading", name=heading, exact=True, level=1)).to_be_visible()

    def forgive(self, part):
        """Let pass what the browser itself tells its console of answers that are meant to be so."""
        self.wrong = [text for text in self.wrong if not (text.startswith("Failed to load resource") and part in text)]

    def check(self):
        """Nothing keeps anybody out, nothing hangs over the edge, and nothing that is shown was run."""
        found = Axe().run(self.page)
        assert found.violations_count == 0, found.generate_report()
        width = self.page.viewport_size["width"]
        assert self.page.evaluate("document.documentElement.scrollWidth") <= width
        assert self.page.locator("main img").count() == 0
        assert "owned" not in self.page.title()


@pytest.fixture
def board_of(chromium, url):
    """Open dashboards, each in a browser of its own that knows of no other; nothing may have been complained of."""
    opened = []

    def open_board(token=None, size=DESKTOP, scheme="light"):
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, reduced_motion="reduce", locale="de-DE"
        )
        opened.append(Board(context, url))
        if token is not None:
            opened[-1].sign_in(token)
            expect(opened[-1].page.get_by_role("button", name="Sign out")).to_be_visible()
        return opened[-1]

    yield open_board
    for board in opened:
        board.context.close()
    assert [text for board in opened for text in board.wrong] == []
