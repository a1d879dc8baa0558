"""`caxton protocol` against bidders of this program."""

import json
import os
import subprocess
import sys

import pytest

import caxton
from caxton.client.own_runtime import own_runtime

CAXTON = [sys.executable, "-P", "-m", "caxton"]
SHOP = """
import caxton

class Seller:
    def __init__(self, price):
        self.price = price

    async def on_reject_proposal(self, message):
        pass

    async def on_cfp(self, message):
        if message.protocol.startswith("fipa-auction"):
            return message.reply(b"", performative="propose") if int(message.content) <= int(self.price or 0) else None
        return message.reply(self.price, performative="propose" if self.price else "refuse")

    async def on_query_ref(self, message):
        return [message.reply(b"", performative="agree"), message.reply(self.price)]

    async def on_inform(self, message):
        pass

    async def on_subscribe(self, message):
        if not self.price:
            return message.reply(b"nothing to tell", performative="refuse")
        return [message.reply(self.price), message.reply(message.content)]

    async def on_cancel(self, message):
        pass

    async def on_accept_proposal(self, message):
        return message.content + b" it is"

anna, bert, carl = (caxton.agent(name, capabilities=["sell"])(Seller(price)) for name, price in
                    (("anna", b"9"), ("bert", b"7"), ("carl", b"")))
"""


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """Run a command line, in whose runtime three sellers are."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.py").write_text(SHOP, encoding="utf-8")
    with own_runtime(1) as directory:
        environment = {"cwd": folder, "env": os.environ | {"CAXTON_RUNTIME_DIR": str(directory)}, "text": True}

        def run(*arguments, command=("protocol", "contract-net")):
            command = [*CAXTON, *command, *arguments]
            return subprocess.run(command, capture_output=True, check=False, timeout=120, **environment)

        program = subprocess.Popen([*CAXTON, "attach", "shop"], stdout=subprocess.PIPE, **environment)
        try:
            assert program.stdout.readline().startswith("attached")
            yield run
        finally:
            program.terminate()
            program.communicate(timeout=60)


def test_a_contract_net_for_programs(shell):
    """JSON has the outcome, who won, what it said, and what all others said."""
    done = shell("{}", "--to", "anna", "--to", "bert", "--to", "carl", "-o", "json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["outcome"], told["winner"]) == (0, "awarded", "bert")
    assert told["result"] == {"performative": "inform", "content": "7 it is"}
    assert told["proposals"] == {"anna": {"content": "9"}, "bert": {"content": "7"}}
    assert told["refusals"] == {"carl": {"performative": "refuse", "content": ""}}
    assert caxton.ConversationId.parse(told["conversation_id"])


def test_everybody_with_a_capability_is_asked(shell):
    """`--to @sell` asks all sellers, and tells them by their names; it stands alone, and nobody is an error."""
    done = shell("{}", "--to", "@sell", "-o", "json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["winner"], [*told["proposals"]]) == (0, "bert", ["anna", "bert"])
    assert told["refusals"] == {"carl": {"performative": "refuse", "content": ""}}
    assert "stands alone" in shell("{}", "--to", "@sell", "--to", "anna").stderr
    assert "@fly" in shell("{}", "--to", "@fly").stderr


def test_a_contract_net_for_people(shell):
    """A table has a line for each agent; the winner and what it said stand below."""
    done = shell("{}", "--to", "anna", "--to", "bert", "--to", "carl", "--choose", "highest")
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr, lines[-2:]) == (0, "", ["awarded: anna", "inform 9 it is"])
    assert [line.split() for line in lines[-5:-2]] == [
        ["anna", "propose", "9"],
        ["bert", "propose", "7"],
        ["carl", "refuse"],
    ]


def test_a_task_that_nobody_does_is_a_failure(shell):
    """Exit code 1 says that it was not done; who is not there is told as such."""
    done = shell("{}", "--to", "carl", "--to", "nobody")
    assert done.returncode == 1
    assert "no proposals: nobody" in done.stdout
    assert "no agent nobody" in done.stdout


def test_nobody_to_ask_is_an_error(shell):
    """A contract net without agents says so."""
    done = shell("{}")
    assert done.returncode == 2
    assert "0 agents, where 1 to 1,000 may be asked" in done.stderr


def test_a_question_in_a_protocol(shell):
    """With --protocol the answer is what follows the agree."""
    ask = ("message", "request")
    done = shell("anna", "price", "--performative", "query-ref", "--protocol", "fipa-query", command=ask)
    assert (done.stdout, done.returncode) == ("9", 0)
    wrong = shell("anna", "x", "--performative", "inform", "--protocol", "fipa-request", command=ask)
    assert "begins with request" in wrong.stderr


def test_a_broadcast(shell):
    """Each has a receipt or an error of its own; exit code 1 when one did not get it."""
    tell = ("message", "broadcast")
    done = shell("hello", "--to", "@sell", "-o", "json", command=tell)
    told = json.loads(done.stdout)["results"]
    assert (done.returncode, [*told]) == (0, ["anna", "bert", "carl"])
    assert {each["reliability"] for each in told.values()} == {"at_least_once"}
    done = shell("hello", "--to", "anna", "--to", "nobody", command=tell)
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "sent to 1 of 2")
    assert "no agent nobody" in done.stdout


def test_a_subscription(shell):
    """A line for each message, up to --count; a refuse is shown and is exit code 1."""
    listen = ("protocol", "subscribe")
    done = shell("anna", "more", "--count", "2", "--timeout", "60", command=listen)
    assert (done.returncode, done.stdout.splitlines()) == (0, ["9", "more"])
    done = shell("bert", "--count", "1", "--timeout", "60", "-o", "json", command=listen)
    assert json.loads(done.stdout)["content"] == "7"
    done = shell("carl", "--timeout", "60", command=listen)
    assert (done.returncode, done.stdout) == (1, "refuse nothing to tell\n")


def test_an_auction(shell):
    """Every price with who bid it, and who has it; JSON has all of it; not sold is exit code 1."""
    sell = ("protocol", "auction")
    prices = ("cow", "--to", "@sell", "--start", "6", "--step", "1", "--deadline", "3")
    done = shell(*prices, "-o", "json", command=sell)
    told = json.loads(done.stdout)
    assert (done.returncode, told["outcome"], told["winner"], told["out"]) == (0, "sold", "anna", {})
    assert told["rounds"][0] == {"price": "6", "bidders": ["anna", "bert"]}
    done = shell("cow", "--to", "carl", "--start", "6", "--step", "x", command=sell)
    assert (done.returncode, "'x' is no number" in done.stderr) == (2, True)
    done = shell("cow", "--to", "carl", "--start", "6", "--step", "1", "--deadline", "0.2", command=sell)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "no bidders: nobody")
