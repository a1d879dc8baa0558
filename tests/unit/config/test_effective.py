import pytest

from caxton.config.effective import CHANGEABLE, LOG_LEVEL, MEMORY_LIMIT, changed
from caxton.config.keys import BY_PATH
from caxton.config.setting import Setting
from caxton.errors import ConfigurationError, ValidationError

SETTINGS = [Setting(key=path, value=None, source="default", changeable=path in CHANGEABLE) for path in BY_PATH]


def test_what_is_changed_says_so_and_the_rest_is_as_it_was():
    """Values stand in the unit of a file; the others keep their source."""
    found = {one.key: one for one in changed(SETTINGS, {LOG_LEVEL: "debug", MEMORY_LIMIT: 512})}

    assert (found[LOG_LEVEL].value, found[LOG_LEVEL].source) == ("debug", "change")
    assert (found[MEMORY_LIMIT].value, found[MEMORY_LIMIT].changeable) == (512, True)
    assert [one for one in found.values() if one.key not in CHANGEABLE] == [
        one for one in SETTINGS if one.key not in CHANGEABLE
    ]


@pytest.mark.parametrize("path", sorted(BY_PATH.keys() - CHANGEABLE))
def test_most_settings_do_not_change_while_a_runtime_serves(path):
    """The error says with which flag it is served again."""
    with pytest.raises(ConfigurationError, match=BY_PATH[path].flag):
        changed(SETTINGS, {path: 1})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("nothing", 1),
        (LOG_LEVEL, "loud"),
        (LOG_LEVEL, 3),
        (MEMORY_LIMIT, 0),
        (MEMORY_LIMIT, 1 << 60),
        (MEMORY_LIMIT, "1"),
    ],
)
def test_what_cannot_be_is_refused(path, value):
    """A name that there is not, and values out of bounds."""
    with pytest.raises(ValidationError):
        changed(SETTINGS, {path: value})
