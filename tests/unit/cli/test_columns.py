import pytest

from caxton.cli.columns import LONGEST_CELL, Columns


def test_columns_are_as_wide_as_what_is_in_them():
    """Each column begins at the same place in every line; nothing stands behind the last cell."""
    lines = [*Columns(["id", "name", "state"]).page([[1, "echo", "running"], [22, "a longer name", None]])]

    assert lines == ["id  name           state", "1   echo           running", "22  a longer name"]


def test_columns_without_names_have_no_line_of_names():
    """A table of names and values begins with its first row."""
    assert [*Columns(["", ""]).page([["a", 1], ["long", 2]])] == ["a     1", "long  2"]


def test_names_are_written_once():
    """Pages follow each other under one line of names; columns grow where they have to."""
    columns = Columns(["id", "name"])
    first, second = [*columns.page([["1", "a"]])], [*columns.page([["1000", "b"]])]

    assert (first, second) == (["id  name", "1   a"], ["1000  b"])
    assert [*Columns(["id", "name"]).page([])] == ["id  name"]


@pytest.mark.parametrize("name", ["[/]", "[red]", "[link=https://example.org]click[/link]", ":boom:", "{}", "%s"])
def test_text_is_text(name):
    """What looks like markup stands there as it is."""
    assert [*Columns(["", ""]).page([[name, 1]])] == [f"{name}  1"]


def test_what_does_not_print_is_escaped():
    """No cell moves the cursor, ends its line or turns the direction of what follows."""
    (line,) = Columns(["", ""]).page([["\x1b[2J\n\u202e\udcff", "next"]])

    assert line == "\\x1b[2J\\n\\u202e\\udcff  next"


def test_wide_and_combining_characters_keep_the_columns():
    """A character that takes two places counts as two, one that takes none as none."""
    lines = [*Columns(["", ""]).page([["木木", 1], ["e\u0301", 2], ["abcd", 3]])]

    assert lines == ["木木  1", "e\u0301     2", "abcd  3"]


def test_a_huge_cell_is_cut():
    """A cell of any size takes no more than its share of the screen, and shows that it was cut."""
    (line,) = Columns([""]).page([["\x1b" * 1_000_000]])

    assert len(line) == LONGEST_CELL
    assert line.endswith("…")
