"""What is to be done so that agents are what a system says."""

import msgspec
import pytest

from caxton.agents.limits import Limits, with_capacity
from caxton.agents.manifest import Encoding, Manifest
from caxton.client.calls.apply_calls import check_open
from caxton.client.calls.plans import Action, Change, differences, plan_of
from caxton.errors import ConfigurationError
from caxton.wire.calls import AgentView

MANIFEST = Manifest("a", bytes(32), capabilities=("x", "y"), version="1", system="shop")


def view_of(manifest, **changed):
    """The agent that a manifest has become."""
    fixed = with_capacity(manifest.limits, 1_000)
    limits = {name: getattr(fixed, name) for name in fixed.__struct_fields__}
    view = AgentView(
        7,
        manifest.name,
        "running",
        0,
        manifest.encoding.value,
        manifest.capabilities,
        limits,
        manifest.module,
        instantiated=False,
        queued=0,
        counters={},
        escalate_to=manifest.escalate_to,
        weight=manifest.weight,
        version=manifest.version,
        system=manifest.system,
    )
    return msgspec.structs.replace(view, **changed)


def planned(view, *, replace=False, prune=False, others=()):
    """The changes of a system `shop` with one agent."""
    found = {} if view is None else {view.name: view}
    return plan_of("shop", [MANIFEST], found, others, replace=replace, prune=prune)


def test_what_is_as_it_should_be_is_kept():
    """Nothing differs, whatever the agent does meanwhile: paused and failed ones are an operator's."""
    for state in ("running", "paused", "failed"):
        assert planned(view_of(MANIFEST, state=state)) == [Change(name="a", action=Action.KEEP)]
    assert planned(view_of(MANIFEST, capabilities=("y", "x"), health="unhealthy"))[0].action is Action.KEEP


def test_what_is_not_there_is_deployed():
    """Whoever has no such name is new."""
    assert planned(None) == [Change(name="a", action=Action.DEPLOY)]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"weight": 3}, "weight: 3 -> 1"),
        ({"version": ""}, "version: none -> 1"),
        ({"system": ""}, "system: none -> shop"),
        ({"capabilities": ("z", "x")}, "capabilities: +y, -z"),
    ],
)
def test_what_changes_in_place(changed, says):
    """It needs no word: nothing that waits is touched."""
    (change,) = planned(view_of(MANIFEST, **changed))

    assert (change.action, change.differs, change.needs) == (Action.UPDATE, (says,), "")
    check_open([change])


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"module": bytes([255] * 32)}, "wasm: ffffffffffff -> 000000000000"),
        ({"encoding": "msgpack"}, "encoding: msgpack -> content"),
        ({"escalate_to": "chief"}, "escalate_to: chief -> nobody"),
        ({"limits": {"max_fuel": 7}}, "limits.max_fuel: 7 -> 50000000"),
        ({"state": "stopped"}, "state: stopped -> running"),
        ({"state": "draining"}, "state: draining -> running"),
    ],
)
def test_what_cannot_change_in_place(changed, says):
    """It waits for the word `replace`; without it nothing at all is done."""
    (change,) = planned(view_of(MANIFEST, **changed))
    assert (change.action, change.needs) == (Action.REPLACE, "replace")
    assert says in change.differs
    with pytest.raises(ConfigurationError, match=r"agent a cannot be changed in place .*--replace"):
        check_open([change])

    (change,) = planned(view_of(MANIFEST, **changed), replace=True)
    assert (change.action, change.needs) == (Action.REPLACE, "")
    check_open([change])


def test_every_limit_is_compared():
    """One that differs is told by itself."""
    other = msgspec.structs.replace(MANIFEST, limits=Limits(max_hops=3, mailbox_capacity=9))

    assert differences(other, view_of(MANIFEST)) == {
        "limits.max_hops": "100000 -> 3",
        "limits.mailbox_capacity": "1000 -> 9",
    }


def test_a_capacity_that_is_left_open_is_as_it_is():
    """An agent keeps what it was deployed with, whatever is usual now."""
    has_another = view_of(MANIFEST, limits={**view_of(MANIFEST).limits, "mailbox_capacity": 7})

    assert differences(MANIFEST, has_another) == {}


@pytest.mark.parametrize(
    ("changed", "says"),
    [({"encoding": Encoding.ATTACHED.value}, "a program's agent"), ({"system": "bank"}, "the system bank")],
)
def test_what_is_somebody_elses_is_refused(changed, says):
    """No word helps: the agent belongs to a program, or to another system."""
    (change,) = planned(view_of(MANIFEST, **changed), replace=True)

    assert change.action is Action.REFUSE
    assert says in change.problem
    with pytest.raises(ConfigurationError, match=f"{says}.*, and 1 more; choose another name"):
        check_open([change, change])


def test_who_is_not_wanted_any_more_is_left():
    """Unless the word `prune` is given."""
    assert [change.action for change in planned(None, others=["b", "c"])[1:]] == [Action.LEAVE] * 2
    assert [str(change) for change in planned(None, others=["b"], prune=True)] == ["deploy a", "remove b"]


def test_a_change_says_all_of_itself():
    """What differs, what its drain left, and what went wrong."""
    change = Change(name="a", action=Action.REPLACE, differs=("weight: 1 -> 3",), dead_letters=1, problem="no room")

    assert str(change) == "replace a (weight: 1 -> 3); 1 message left, among the dead letters now: no room"
