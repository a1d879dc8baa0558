"""Keys of `caxton top`, and what they change."""

import pytest

from caxton.cli.top.view import MOST_FILTER, View, keys_of
from caxton.wire.busy import BusyBy


def after(keys, view=None):
    view = view or View()
    for key in keys:
        view = view.after(key)
    return view


@pytest.mark.parametrize(
    ("keys", "view"),
    [
        ("", View()),
        ("u", View(BusyBy.TIME)),
        ("ft", View(BusyBy.TURNS)),
        ("m", View(BusyBy.MAILBOX)),
        ("p", View(paused=True)),
        ("pp", View()),
        ("zQ\x00", View()),
        ("q", View(quits=True)),
    ],
)
def test_a_key_changes_one_thing(keys, view):
    """And one without a meaning changes nothing."""
    assert after(keys) == view


def test_a_filter_is_typed():
    """Letters are letters while it is typed; Escape ends it; it has a bound, and what does not print is left out."""
    assert after("/q\x00m\u202e") == View(wanted="qm", typing=True)
    assert after("/qmx\x7f\r") == View(wanted="qm")
    assert after("/qm\x1b") == after("/qm\r\x1b") == View()
    assert len(after("/" + "x" * 1_000).wanted) == MOST_FILTER
    assert after("/ab\r").shows("xABx")
    assert not after("/ab\r").shows("a b")


@pytest.mark.parametrize(
    ("raw", "keys"),
    [
        (b"q", ["q"]),
        (b"\x1b", ["\x1b"]),
        (b"\x1b[A\x1b[1;5Bq\x1bOP", ["q"]),
        ("é漢".encode(), ["é", "漢"]),
        (b"\xff\xfeq", ["q"]),
        (b"", []),
    ],
)
def test_arrows_and_what_is_no_character_are_no_keys(raw, keys):
    """Whatever a terminal sends, nothing but characters and Escape comes of it."""
    assert keys_of(raw) == keys
