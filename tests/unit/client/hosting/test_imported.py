"""What a command line may name as agents, and what is said of the rest."""

import sys
from textwrap import dedent

import pytest

from caxton.client.hosting.definition import definition_of
from caxton.client.hosting.imported import agents_of
from caxton.errors import ConfigurationError, ValidationError

SHOP = dedent("""
    import caxton

    @caxton.agent("translator")
    async def translate(message):
        return message.content

    @caxton.agent("seller")
    class Seller:
        def on_cfp(self, message):
            return None

    def nothing():
        return None
""")


@pytest.fixture(autouse=True)
def shop(tmp_path, monkeypatch):
    """A directory, the present one, with a module of two agents."""
    (tmp_path / "shop.py").write_text(SHOP, encoding="utf-8")
    (tmp_path / "empty_shop.py").write_text("x = 7\n", encoding="utf-8")
    (tmp_path / "broken_shop.py").write_text("import nothing_of_that_name\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    before = {*sys.modules}
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name in {*sys.modules} - before:
        del sys.modules[name]


def named(*specs):
    return [definition_of(agent).name for agent in agents_of(specs)]


def test_a_module_stands_for_all_its_agents():
    """A module's agents are found, or the one that is named, each once."""
    assert named("shop") == ["translator", "seller"]
    assert named("shop:Seller") == ["seller"]
    assert named("shop:Seller", "shop") == ["seller", "translator"]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("shop:translat", "is shop:translate meant?"),
        ("shop:", "see what shop defines"),
        ("shop.py", "name the module: shop"),
        ("./market/shop.py:Seller", "name the module: market.shop"),
        ("empty_shop", "there is no agent in this module"),
        ("no_shop_at_all", "there is no such module"),
        ("", "there is no such module"),
    ],
)
def test_what_names_no_agent_is_refused(spec, says):
    """Each wrong name says what is wrong, and what is meant."""
    with pytest.raises(ConfigurationError) as caught:
        agents_of([spec])
    assert says in str(caught.value)


def test_what_is_no_agent_is_refused():
    """A function that was never decorated is refused by name."""
    with pytest.raises(ValidationError, match="is no agent; decorate it"):
        agents_of(["shop:nothing"])


def test_what_a_module_lacks_is_its_own_error():
    """A module that cannot be imported since another one is missing says which."""
    with pytest.raises(ModuleNotFoundError, match="nothing_of_that_name"):
        agents_of(["broken_shop"])
