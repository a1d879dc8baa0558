"""Where a runtime cannot keep what it promises it does not serve, and says why."""

import sys

import pytest

from caxton.errors import ConfigurationError
from caxton.supervisor.premises.interpreter import check_interpreter


def test_the_usual_build_on_a_usual_machine_will_do():
    """Here everything holds."""
    check_interpreter()


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("_is_gil_enabled", lambda: False, "interpreter lock; set PYTHON_GIL=1"),
        ("byteorder", "big", "big-endian, 64 bits; use x86-64"),
        ("maxsize", (1 << 31) - 1, "little-endian, 32 bits"),
    ],
)
def test_others_are_refused_by_name(monkeypatch, name, value, text):
    """A build without the lock, a processor of the other order, one with small words."""
    monkeypatch.setattr(sys, name, value, raising=False)
    with pytest.raises(ConfigurationError, match=text):
        check_interpreter()
