"""What may be decorated as an agent, and what a decorator says of the rest."""

from functools import partial

import pytest

import caxton
from caxton.acl.performative import Performative
from caxton.client.hosting.definition import definition_of, instance_of, methods_of
from caxton.errors import ValidationError


class Seller:
    def __init__(self, price=7):
        self.price = price

    async def on_cfp(self, message, turn):
        """Bid."""

    def on_accept_proposal(self, message):
        """Deliver."""

    def helper(self):
        """Nothing that handles a message."""


def test_a_function_stays_what_it_is():
    """What is decorated can be called as before, and knows what kind of agent it is."""

    @caxton.agent("adder", capabilities=["add"], concurrency=3)
    def add(message):
        return message + 1

    assert add(1) == 2
    definition = definition_of(add)
    assert (definition.name, definition.capabilities, definition.concurrency) == ("adder", ("add",), 3)
    assert methods_of(add)[None].is_plain


def test_a_class_has_a_method_for_each_act():
    """Methods named after acts are found, in a class and in what it makes, with what they take and where they run."""
    seller = instance_of(caxton.agent("seller")(Seller))
    methods = methods_of(seller)

    assert {act: (method.takes_turn, method.is_plain) for act, method in methods.items()} == {
        Performative.CFP: (True, False),
        Performative.ACCEPT_PROPOSAL: (False, True),
    }
    assert (definition_of(seller).name, seller.price) == ("seller", 7)


def test_what_can_be_called_handles_messages():
    """A coroutine function, a bound method, a partial and an object that is called are agents too."""

    class Called:
        async def __call__(self, message):
            """Handle it."""

    async def with_price(price, message):
        """Handle it."""

    bound = Seller().on_cfp
    for thing, takes_turn in ((bound, True), (Called(), False), (partial(with_price, 7), False)):
        method = methods_of(thing)[None]
        assert (method.takes_turn, method.is_plain) == (takes_turn, False)


class Misspelt:
    def on_requst(self, message):
        """Never called."""


class Blank:
    def handle(self, message):
        """Never called."""


class Wanting:
    def __init__(self, price):
        self.price = price

    def on_message(self, message):
        """Handle it."""


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        (Misspelt, "on_requst names none of FIPA's 22 acts; is on_request meant?"),
        (Blank, "has no method on_message, and none for an act such as on_request"),
        (7, "has no method on_message"),
        (lambda: 0, "takes 0 arguments; it is called with a message, or also a turn"),
        (lambda a, b, c: 0, "takes 3 arguments"),
    ],
)
def test_what_cannot_handle_messages_is_refused(thing, says):
    """The decorator says what is wrong, and which method was meant."""
    with pytest.raises(ValidationError) as caught:
        caxton.agent("broken")(thing)
    assert says in str(caught.value)


def test_a_name_is_checked_where_it_is_written():
    """A name that no agent may have is refused by the decorator, and so is a capability."""
    caxton.agent("0123456789abcdef")  # it may be registered already; if it is not, its shard refuses it
    with pytest.raises(ValidationError, match="blanks"):
        caxton.agent(" x")
    with pytest.raises(ValidationError, match="capabilit"):
        caxton.agent("x", capabilities=["y" * 101])


def test_what_is_none_of_ours_is_refused():
    """What was never decorated, and a class that wants arguments, are refused with what to do."""
    with pytest.raises(ValidationError, match="decorate it with"):
        definition_of(print)
    with pytest.raises(ValidationError, match="give an instance of it"):
        instance_of(caxton.agent("wanting")(Wanting))
    assert definition_of(Wanting(3)).name == "wanting"


@pytest.mark.parametrize("encoding", ["yaml", "", "JSON", b"json", ["json"], 7], ids=repr)
def test_an_encoding_that_values_do_not_have_is_refused(encoding):
    """Whatever it is."""
    with pytest.raises(ValidationError, match="is not one of json, msgpack"):
        caxton.agent("x", encoding=encoding)
