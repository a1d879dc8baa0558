import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.printable import counted, one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[red]ağaç 木 👍 \\x1b[/]", "[red]ağaç 木 👍 \\x1b[/]"),
        ("\x1b[2J\x9b31m\x07\x7f", "\\x1b[2J\\x9b31m\\x07\\x7f"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\u202egnp.exe\u2066\u200b\u2028", "\\u202egnp.exe\\u2066\\u200b\\u2028"),
        ("\udcff\ud800", "\\udcff\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
    ids=["markup", "controls", "lines", "directions", "surrogates", "tags"],
)
def test_what_does_not_print_is_escaped(text, shown):
    """Controls, line ends, directions and surrogates are escaped; letters, markup and backslashes stay as they are."""
    assert printable(text) == shown


@given(st.text(st.characters(exclude_categories=())), st.integers(1, 40))
def test_any_text_becomes_printable_and_bounded(text, most):
    """Whatever the text, what is shown prints, can be encoded, and is no longer than it may be."""
    for shown in (printable(text), printable(text, most), one_line(text, most)):
        assert shown.isprintable()
        shown.encode()
    assert max(len(printable(text, most)), len(one_line(text, most))) <= most
    assert (printable(text, len(text)) == text) == text.isprintable()


def test_some_characters_may_be_kept():
    """Line ends stay where several lines may be shown, and nothing else does."""
    assert printable("a\n\x1bb", keep="\n\t") == "a\n\\x1bb"


def test_white_space_is_folded_into_one_line():
    """A text of several lines becomes one, cut with an ellipsis."""
    assert one_line(" a\n\n\tb  c ", 9) == "a b c"
    assert one_line("a" * 50, 9) == "aaaaaaaa…"


@pytest.mark.parametrize(
    ("number", "what", "text"),
    [
        (0, "agents", "0 agents"),
        (1, "agents", "1 agent"),
        (1_000, "agents", "1,000 agents"),
        (1, "capabilities", "1 capability"),
        (1, "messages that wait", "1 message that waits"),
        (1, "dead letters", "1 dead letter"),
    ],
)
def test_what_is_counted_is_one_or_several(number, what, text):
    """One thing is named in the singular."""
    assert counted(number, what) == text
