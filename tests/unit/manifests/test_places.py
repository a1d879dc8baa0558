"""Where keys stand, and which texts are not parsed at all."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.manifests import places
from caxton.manifests.places import MAX_DEPTH, Unreadable, places_of

TEXT = '''# a comment with [brackets] and "quotes
system = "shop" # = [
'quoted key' = """
[[agent]]
name = "no key" \\"""
"""

[[agent]]
name = "a"
capabilities = [
    "x", # ]
    "y",
    ["z"],
]
[agent.limits]
max_fuel = 1.5e3
"max.hops" = 2

[[agent]]
limits = { max_fuel = 7, deep = { er = [ { x = 1 }, 2 ] } }
a . b = \'\'\'
]]\'\'\'
at = 1979-05-27 07:32:00
'''
LINES = {
    ("system",): 2,
    ("quoted key",): 3,
    ("agent",): 8,
    ("agent", 0): 8,
    ("agent", 0, "name"): 9,
    ("agent", 0, "capabilities"): 10,
    ("agent", 0, "capabilities", 1): 12,
    ("agent", 0, "capabilities", 2, 0): 13,
    ("agent", 0, "limits"): 15,
    ("agent", 0, "limits", "max_fuel"): 16,
    ("agent", 0, "limits", "max.hops"): 17,
    ("agent", 1): 19,
    ("agent", 1, "limits", "deep", "er", 0, "x"): 20,
    ("agent", 1, "a", "b"): 21,
    ("agent", 1, "at"): 23,
}


def paths(value, at=()):
    """Every key and element of a parsed text."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield (*at, key)
        yield from paths(below, (*at, key))


def test_every_key_has_its_line():
    """In tables, arrays of tables, inline tables, arrays and dotted keys; strings and comments hold none."""
    found = places_of(TEXT)

    assert {key: found.lines.get(key) for key in LINES} == LINES
    assert sorted(found.lines, key=str) == sorted(paths(tomllib.loads(TEXT)), key=str)


def test_a_key_that_is_not_there_is_where_it_belongs():
    """What is missing in a table is looked for at the table's line."""
    found = places_of(TEXT)

    assert found.line(("agent", 1, "name")) == 19
    assert found.line(("nothing",)) == found.line(()) == 1


KEYS = st.sampled_from(["a", "b", "c-d", '"e f"', "'g.h'"])
SCALARS = st.sampled_from(
    ["1", "-2.5e3", "true", '"x]"', "'{'", '"""\n"a"\n"""', "'''\n''a'''", "2026-11-29T07:32:00Z"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[\n" + "\n, # ]\n".join(items) + "]"),
        st.dictionaries(KEYS, inner, max_size=3).map(
            lambda items: f"{{ {', '.join(f'{k} = {v}' for k, v in items.items())} }}"
        ),
    ),
    max_leaves=6,
)
STATEMENTS = st.one_of(
    st.builds("{} = {}".format, KEYS, VALUES),
    st.builds("{}.{} = {}".format, KEYS, KEYS, VALUES),
    st.builds("[{}]".format, KEYS),
    st.builds("[[{}]]".format, KEYS),
    st.builds("[ {} . {} ]".format, KEYS, KEYS),
    st.just("# a = ["),
)


def scanned(text):
    """The places of a text, or why it has none."""
    try:
        return places_of(text)
    except Unreadable as refused:
        return refused


@given(statements=st.lists(STATEMENTS, max_size=8))
def test_what_is_parsed_has_places_for_all_of_it(statements):
    """Of every text that tomllib takes, each key and each element is found, and nothing else."""
    text = "\n".join(statements) + "\n"
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    found = scanned(text)
    if isinstance(found, Unreadable):
        assert "deep" in found.problem
        return

    assert set(found.lines) == set(paths(parsed))
    assert all(1 <= line <= text.count("\n") for line in found.lines.values())


@given(text=st.text(st.sampled_from("[]{}=.,\"'\\\n# ab1+-")))
def test_any_text_is_scanned_to_an_end(text):
    """Whatever it is: it has places, or a line from which on it cannot be read; and what it refuses is no TOML."""
    refused = scanned(text)
    if isinstance(refused, Unreadable):
        assert 1 <= refused.line <= text.count("\n") + 1
        if "deep" not in refused.problem and "parts" not in refused.problem:
            with pytest.raises(tomllib.TOMLDecodeError):
                tomllib.loads(text)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a = 1\nb = " + "[" * (MAX_DEPTH + 1), 2, "deep"),
        ("b = " + "[" * 500_000, 1, "deep"),
        ("b = " + "{a = " * (MAX_DEPTH + 1), 1, "deep"),
        (".".join("a" * (MAX_DEPTH + 1)) + " = 1", 1, "parts"),
        ("a" + ".a" * 500_000 + " = 1", 1, "parts"),
        ("[" + "a." * 500_000 + "a]", 1, "parts"),
        ('\na = "open\n', 2, "does not end"),
        ('a = """open\n' + '\\"""\n' * 100_000, 1, "does not end"),
        ("a = '''open\n" + "''\n" * 100_000, 1, "does not end"),
        ("a = $", 1, "cannot stand here"),
        ("a = \u202e", 1, "cannot stand here"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_what_goes_beyond_the_bounds_is_not_parsed(text, line, problem):
    """Depth, parts of a key, how many there are, strings without an end: refused while the text is read once."""
    with pytest.raises(Unreadable, match=problem) as refused:
        places_of(text)
    assert refused.value.line == line


def test_the_number_of_keys_and_values_is_bounded(monkeypatch):
    """As many as may be have places; one more is refused, on its line."""
    monkeypatch.setattr(places, "MAX_PLACES", 5)
    text = "a = [1, 2,\n3,\n"
    assert len(places_of(text + "4]").lines) == 5
    with pytest.raises(Unreadable, match="more than 5 keys") as refused:
        places_of(text + "4, 5]")
    assert refused.value.line == 3


def test_what_is_within_the_bounds_is_parsed():
    """As deep and with as many parts as may be."""
    found = places_of(".".join("a" * MAX_DEPTH) + " = " + "[" * MAX_DEPTH + "]" * MAX_DEPTH)

    assert len(found.lines) == 2 * MAX_DEPTH - 1
