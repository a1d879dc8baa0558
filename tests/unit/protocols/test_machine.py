"""The tables: whole, in order, and with an end on every way."""

import pytest

from caxton.protocols import MACHINES, Role
from caxton.protocols.machine import START, UNIVERSAL

EACH = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)


@EACH
def test_every_row_leads_from_known_states_to_a_known_one(machine):
    """No row names a state that the machine does not have, and nothing is said after an end."""
    names = [state.name for state in machine.states]
    assert len(set(names)) == len(names)
    for row in machine.rows:
        assert set(row.at) <= {START, *names}
        assert row.to in names
        assert not [at for at in row.at if at != START and machine.states[machine.place_of[at]].kind]


@EACH
def test_every_state_is_reached(machine):
    """From the start, by what is said or by deadlines."""
    reached, growing = {START}, True
    while growing:
        found = {row.to for row in machine.rows if reached & set(row.at)}
        found |= {state.lapses_to for state in machine.own_states if state.name in reached and state.kind is None}
        growing = not found <= reached
        reached |= found
    assert {state.name for state in machine.own_states} <= reached


@EACH
def test_every_state_is_an_end_or_somebody_owes_a_word_in_time(machine):
    """What is awaited of the participant or initiator has a row, and after the deadlines there is an end."""
    for state in machine.own_states:
        if state.kind is not None:
            assert state.awaits is None
            continue
        assert state.answer_ms > 0
        assert machine.expected(machine.place_of[state.name])[state.awaits]
        passed = [state.name]
        while machine.states[machine.place_of[passed[-1]]].kind is None:
            passed.append(machine.states[machine.place_of[passed[-1]]].lapses_to)
            assert passed.count(passed[-1]) == 1, f"deadlines go round: {passed}"


@EACH
def test_states_stand_in_the_order_of_the_lattice(machine):
    """What is said leads to a later state, stays, or begins a round; an end is later than what it ends."""
    for row in machine.rows:
        for at in row.at:
            is_end = machine.states[machine.place_of[row.to]].kind is not None
            assert row.next_round or is_end or machine.place_of[at] <= machine.place_of[row.to], (at, row)
    for place, state in enumerate(machine.states):
        lapsed = machine.place_of[state.lapses_to]
        assert state.kind or machine.states[lapsed].kind or place < lapsed


@EACH
def test_who_opens_a_line_is_its_initiator_unless_somebody_was_recruited(machine):
    """And what opens it is asked of nobody."""
    opening = [row for row in machine.rows if START in row.at]
    assert {row.by for row in opening} == ({*Role} if machine.name == "fipa-recruiting" else {Role.INITIATOR})
    assert all(row.rule is not None for row in opening if row.by is Role.PARTICIPANT)


def test_numbers_and_places_are_for_ever():
    """They are stored: a machine with other states, or the same in another order, takes another number."""
    names = {machine.number: " ".join(state.name for state in machine.own_states) for machine in MACHINES}
    assert " ".join(state.name for state in UNIVERSAL) == "not-understood undelivered unanswered cancelled"
    assert names == {
        1: "asked agreed refused failed done",
        2: "asked agreed refused failed done",
        3: "asked agreed refused failed done",
        4: "proposed rejected accepted",
        5: "asked subscribed refused failed",
        6: "called proposed accepted no-proposal refused undecided rejected failed done",
        7: "called proposed accepted no-proposal refused undecided rejected failed done",
        8: "announced called called-leading passed bid outbid leading closed abandoned lost ended won",
        9: "announced called passed bid outbid abandoned lost won",
        10: "asked agreed passed-on answering refused failed answered",
        11: "asked agreed answering refused failed answered recruited",
        12: "offered countered rejected agreed",
    }
