"""Levels of modules, as somebody writes them."""

import logging

import pytest

from caxton.config.effective import LOG_LEVEL, MODULE_LEVELS, changed, levels_of
from caxton.config.log_levels import LogLevels, read_log_levels
from caxton.config.setting import Setting
from caxton.errors import ConfigurationError, ValidationError


def test_modules_have_levels_of_their_own():
    """In any order, with spaces or without."""
    assert read_log_levels("guest=debug") == {"guest": logging.DEBUG}
    assert read_log_levels(" gateway = info,worker=error ") == {"gateway": logging.INFO, "worker": logging.ERROR}


@pytest.mark.parametrize(
    "text",
    ["", ",", "debug", "guest=", "guest=loud", "guest=DEBUG", "caxton=info", "guest=info,", "=info", "x" * 500],
)
def test_what_is_no_module_with_a_level_is_refused(text):
    """The error names it, cut where it is long, and says which modules there are."""
    with pytest.raises(ConfigurationError, match="gateway, guest, worker") as refused:
        read_log_levels(text)
    assert len(str(refused.value)) < 400


def test_a_module_has_one_level():
    """What is there twice is a mistake, also where both say the same."""
    with pytest.raises(ConfigurationError, match="twice"):
        read_log_levels("guest=info,guest=info")


def test_where_nobody_says_workers_tell_more():
    """Info in workers, warning elsewhere."""
    assert (LogLevels().of_workers, LogLevels().of_others) == (logging.INFO, logging.WARNING)
    said = LogLevels.of("error", "guest=debug")
    assert (said.of_workers, said.of_others, said.modules) == (logging.ERROR, logging.ERROR, {"guest": logging.DEBUG})


def test_settings_say_the_levels_and_change():
    """Each of both for itself; null is what holds where nobody sets it."""
    settings = [Setting(key=key, value=None, source="default", changeable=True) for key in (LOG_LEVEL, MODULE_LEVELS)]
    settings = changed(settings, {MODULE_LEVELS: "guest=debug"})
    assert levels_of(settings) == LogLevels(None, {"guest": logging.DEBUG})
    settings = changed(settings, {LOG_LEVEL: "error"})
    assert levels_of(settings) == LogLevels(logging.ERROR, {"guest": logging.DEBUG})
    assert levels_of(changed(settings, {MODULE_LEVELS: None, LOG_LEVEL: None})) == LogLevels()


@pytest.mark.parametrize("value", ["guest=loud", "", 5, True, 1.5])
def test_a_value_that_cannot_be_changes_nothing(value):
    """Whatever it is."""
    settings = [Setting(key=MODULE_LEVELS, value=None, source="default", changeable=True)]
    with pytest.raises(ValidationError, match="guest=debug,gateway=info"):
        changed(settings, {MODULE_LEVELS: value})
