"""When a limit is near, and when it is not any more."""

from caxton.delivery.levels import Level, Nearing, NearLimit


def test_a_warning_begins_at_80_percent_and_ends_below_70():
    """It begins once, keeps its moment while the level goes up and down above 70 %, and begins anew after that."""
    nearing, began, held = Nearing(), [], []
    for now_ms, have in enumerate((79, 80, 100, 70, 79, 69, 79, 80)):
        near, new = nearing.look([Level("keys", have, 100)], now_ms)
        held.append([one.since_ms for one in near])
        began.append(len(new))

    assert held == [[], [1], [1], [1], [1], [], [], [7]]
    assert began == [0, 1, 0, 0, 0, 0, 0, 1]


def test_each_owner_has_a_warning_of_its_own():
    """One limit may be near for several, and the fullest comes first; what is not looked at any more has ended."""
    nearing = Nearing()
    near, new = nearing.look([Level("mailbox", 8, 10, "a"), Level("mailbox", 10, 10, "b"), Level("keys", 1, 10)], 5)
    assert near == new == [NearLimit("mailbox", 10, 10, "b", 5), NearLimit("mailbox", 8, 10, "a", 5)]
    near, new = nearing.look([Level("mailbox", 9, 10, "b"), Level("mailbox", 9, 10, "c")], 6)
    assert [(one.whose, one.since_ms) for one in near] == [("b", 5), ("c", 6)]
    assert [one.whose for one in new] == ["c"]


def test_what_has_no_limit_now_is_never_near():
    """A limit of 0 is none."""
    assert Nearing().look([Level("memory", 5, 0)], 0) == ([], [])


def test_the_text_says_whose_it_is():
    """What is so, for a person: whose, how much of how much, and the part."""
    assert NearLimit("mailbox", 9, 10, "agent a", 0).text == "mailbox of agent a: 9 of 10 (90 %)"
    assert NearLimit("keys", 9, 10, "", 0).text == "keys: 9 of 10 (90 %)"
