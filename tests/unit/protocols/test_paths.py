"""Every legal path of every protocol, by hand; and nothing that is on none of them."""

import re

import pytest

from caxton.acl.performative import ACTS, Performative
from caxton.protocols import BY_NAME, MACHINES, Wrong
from caxton.protocols.machine import START

# How each line ends, or where it stands, after what was said on it: initiator, participant.
PATHS = {
    "fipa-request": """
        i request → asked
        i request, p refuse → completed refused
        i request, p agree → agreed
        i request, p agree, p inform → completed done
        i request, p agree, p failure → failed failed
        i request, p inform → completed done
        i request, p failure → failed failed
    """,
    "fipa-query": """
        i query-if → asked
        i query-ref, p refuse → completed refused
        i query-if, p agree → agreed
        i query-ref, p agree, p inform → completed done
        i query-ref, p agree, p failure → failed failed
        i query-if, p inform → completed done
        i query-ref, p failure → failed failed
    """,
    "fipa-request-when": """
        i request-when → asked
        i request-when, p refuse → completed refused
        i request-when, p agree → agreed
        i request-when, p agree, p inform → completed done
        i request-when, p agree, p failure → failed failed
    """,
    "fipa-propose": """
        i propose → proposed
        i propose, p accept-proposal → completed accepted
        i propose, p reject-proposal → completed rejected
    """,
    "fipa-subscribe": """
        i subscribe → asked
        i subscribe, p refuse → completed refused
        i subscribe, p failure → failed failed
        i subscribe, p agree → subscribed
        i subscribe, p inform → subscribed
        i subscribe, p agree, p inform, p inform, p inform → subscribed
        i subscribe, p inform, p failure → failed failed
        i subscribe, p agree, i cancel, p inform → cancelled cancelled
    """,
    "fipa-contract-net": """
        i cfp → called
        i cfp, p refuse → completed refused
        i cfp, p propose → proposed
        i cfp, p propose, i reject-proposal → completed rejected
        i cfp, p propose, i accept-proposal → accepted
        i cfp, p propose, i accept-proposal, p inform → completed done
        i cfp, p propose, i accept-proposal, p failure → failed failed
    """,
    "fipa-iterated-contract-net": """
        i cfp → called
        i cfp, p refuse → completed refused
        i cfp, p propose → proposed
        i cfp, p propose, i reject-proposal → completed rejected
        i cfp, p propose, i cfp → called
        i cfp, p propose, i cfp, p refuse → completed refused
        i cfp, p propose, i cfp, p propose, i cfp, p propose, i accept-proposal → accepted
        i cfp, p propose, i accept-proposal, p inform → completed done
        i cfp, p propose, i cfp, p propose, i accept-proposal, p failure → failed failed
    """,
    "fipa-auction-english": """
        i inform → announced
        i inform, i inform → completed lost
        i inform, i cfp → called
        i inform, i cfp, i cfp → called
        i inform, i cfp, i inform → completed lost
        i inform, i cfp, 30 s → passed
        i inform, i cfp, 30 s, i cfp → called
        i inform, i cfp, 30 s, i inform → completed lost
        i inform, i cfp, p propose → bid
        i inform, i cfp, p propose, i reject-proposal → outbid
        i inform, i cfp, p propose, i reject-proposal, i cfp → called
        i inform, i cfp, p propose, i reject-proposal, i inform → completed lost
        i inform, i cfp, p propose, i accept-proposal → leading
        i inform, i cfp, p propose, i accept-proposal, i cfp → called-leading
        i inform, i cfp, p propose, i accept-proposal, i cfp, i cfp → called-leading
        i inform, i cfp, p propose, i accept-proposal, i cfp, p propose → bid
        i inform, i cfp, p propose, i accept-proposal, i cfp, i inform → closed
        i inform, i cfp, p propose, i accept-proposal, i inform → closed
        i inform, i cfp, p propose, i accept-proposal, i inform, i request → completed won
    """,
    "fipa-auction-dutch": """
        i inform → announced
        i inform, i inform → completed lost
        i inform, i cfp → called
        i inform, i cfp, i cfp → called
        i inform, i cfp, i inform → completed lost
        i inform, i cfp, 30 s → passed
        i inform, i cfp, 30 s, i cfp → called
        i inform, i cfp, 30 s, i inform → completed lost
        i inform, i cfp, p propose → bid
        i inform, i cfp, p propose, i accept-proposal → completed won
        i inform, i cfp, p propose, i reject-proposal → outbid
        i inform, i cfp, p propose, i reject-proposal, i cfp → called
        i inform, i cfp, p propose, i reject-proposal, i inform → completed lost
    """,
    "fipa-brokering": """
        i proxy → asked
        i proxy, p refuse → completed refused
        i proxy, p agree → agreed
        i proxy, p failure → failed failed
        i proxy, p agree, p failure → failed failed
        i proxy, p inform → passed-on
        i proxy, p agree, p inform → passed-on
        i proxy, p inform, p failure → failed failed
        i proxy, p inform, p ANSWER → answering
        i proxy, p inform, p ANSWER, p ANSWER → answering
        i proxy, p inform, p inform, p failure → failed failed
    """,
    "fipa-recruiting": """
        i proxy → asked
        i proxy, p refuse → completed refused
        i proxy, p agree → agreed
        i proxy, p failure → failed failed
        i proxy, p agree, p failure → failed failed
        i proxy, p inform → completed recruited
        i proxy, p agree, p inform → completed recruited
    """,
    "caxton:negotiation": """
        i propose → offered
        i propose, p accept-proposal → completed agreed
        i propose, p reject-proposal → completed rejected
        i propose, p propose → countered
        i propose, p propose, i accept-proposal → completed agreed
        i propose, p propose, i reject-proposal → completed rejected
        i propose, p propose, i propose → offered
        i propose, p propose, i propose, p propose, i accept-proposal → completed agreed
    """,
}
ANSWERS = "inform confirm disconfirm agree refuse propose accept-proposal reject-proposal"


def paths_of(name):
    """The paths of a protocol, with where they lead."""
    for text in filter(None, map(str.strip, PATHS[name].splitlines())):
        words, end = text.split(" → ")
        for answer in ANSWERS.split() if "ANSWER" in words else [""]:
            yield words.replace("ANSWER", answer), end


CASES = [(name, words, end) for name in PATHS for words, end in paths_of(name)]
EACH = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)


@pytest.mark.parametrize(("name", "words", "end"), CASES)
def test_a_legal_path_is_walked_to_its_end(path, name, words, end):
    """Both parties see the same, every step of the way."""
    line = path(BY_NAME[name], words)
    assert " ".join(filter(None, [line.kind, line.state])) == end


@EACH
def test_the_paths_go_by_every_row_of_the_table(path, machine):
    """Each act of each row in each state, but for what crosses and for those who were recruited."""
    walked = set()
    for words, _ in paths_of(machine.name):
        said = words.split(", ")
        for n, word in enumerate(said):
            state = path(machine, ", ".join(said[:n])).state if n else START
            if word != "30 s":
                walked.add((state, *word.split()))
    in_table = {
        (at, "ip"[row.by], act.act)
        for row in machine.rows
        for at in row.at
        for act in row.acts
        if not row.crossing and (at != START or row.by == 0) and at + machine.name != "answeringfipa-recruiting"
    }
    assert walked - in_table <= {("subscribed", "i", "cancel"), ("subscribed", "p", "inform")}
    assert in_table - walked == set()


@EACH
def test_whatever_is_on_no_path_is_refused(path, machine):
    """In every state that a path leads to, each of the 22 acts by either: fits by the paths, or is a violation."""
    found = {}
    for words, _ in paths_of(machine.name):
        said = words.split(", ")
        for n in range(len(said)):
            line = path(machine, ", ".join(said[:n])) if n else None
            found.setdefault(line.state if line else START, (said[:n], set()))[1].add(said[n])
        found.setdefault(path(machine, words).state, (said, set()))
    for state, (said, legal) in found.items():
        for who in "ip":
            for act in ACTS:
                line = path(machine, ", ".join(said))
                if act in {"cancel", "not-understood"}:
                    continue  # tests of their own
                if state == START and who == "p":
                    continue  # whoever opens is the initiator
                wrong = line.say(who, act)
                assert (wrong is None) == (f"{who} {act}" in legal), (state, who, act)


@EACH
def test_the_same_thing_twice_is_said_to_be_that(path, machine):
    """A proposal, a refusal, an acceptance: whoever repeats it is told so, before and after the end."""
    for words, _ in paths_of(machine.name):
        last = words.split(", ")[-1]
        if last == "30 s":
            continue
        line = path(machine, words)
        wrong = line.say(*last.split())
        if wrong is not None:
            assert wrong.wrong is (Wrong.ENDED if line.kind else Wrong.REPEATED), words


def test_rounds_are_bounded(line):
    """Who bargains on is told that it is enough, and may still accept."""
    machine = BY_NAME["caxton:negotiation"]
    one = line(machine)
    for n in range(machine.max_rounds):
        assert one.say("ip"[n % 2], "propose") is None
    wrong = one.say("ip"[machine.max_rounds % 2], "propose")
    assert wrong.wrong is Wrong.ROUNDS
    assert one.say("ip"[machine.max_rounds % 2], "accept-proposal") is None
    assert one.kind == "completed"


def test_a_violation_says_what_was_expected(path):
    """In words, by role, with the state as this agent sees it; and it is an error with the same fields."""
    line = path(BY_NAME["fipa-contract-net"], "i cfp, p propose")
    wrong = line.say("p", "inform")
    assert (wrong.protocol, wrong.role, wrong.state) == ("fipa-contract-net", "initiator", "proposed")
    assert wrong.expected == "reject-proposal or accept-proposal from the initiator, or cancel from the initiator"
    text = str(wrong.error())
    assert all(re.search(word, text) for word in ("inform", "fipa-contract-net", "initiator", "proposed", "accept"))


@EACH
def test_before_the_start_only_the_opening_fits(line, machine):
    """Neither a cancel nor an answer opens a line."""
    opening, answers = (
        {act for row in machine.rows if START in row.at and row.by == by for act in row.acts} for by in (0, 1)
    )
    for act in set(Performative) - answers:
        assert (line(machine).say("i", act) is None) == (act in opening)
