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
    (tmp_path / "unread_shop.py").write_text("x = 7\ndef sell(:\n", encoding="utf-8")
    (tmp_path / "torn_shop.py").write_text("def price():\n    return 1 / 0\n\nprice()\n", encoding="utf-8")
    (tmp_path / "far_shop.py").write_text("x = 7\nimport torn_shop\n", encoding="utf-8")
    (tmp_path / "blank_shop.py").write_text("import caxton\n\ncaxton.agent(' x')(print)\n", encoding="utf-8")
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
        ("unread_shop", "unread_shop.py:2: SyntaxError: "),
        ("unread_shop", "; mend it; `python -c 'import unread_shop'` shows"),
        ("torn_shop", "torn_shop.py:4: ZeroDivisionError: division by zero"),
        ("broken_shop", "broken_shop.py:1: ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("far_shop", "torn_shop.py:4: ZeroDivisionError"),
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


def test_what_caxton_says_of_a_module_is_raised():
    """An error that is Caxton's own keeps its type."""
    with pytest.raises(ValidationError, match="blanks at its ends"):
        agents_of(["blank_shop"])
