"""What a runtime relies on of the interpreter and the processor, looked at before anything is made."""

import sys

from caxton.errors import ConfigurationError


def check_interpreter() -> None:
    """Raise ConfigurationError where something does not hold that the runtime relies on.

    The watchdog looks at a call and interrupts it under the interpreter lock, which it does not give away in between;
    without the lock it might interrupt the next call. Books are words in the machine's order, marks have their first
    byte first, and both are written by single stores of eight bytes.
    """
    has_lock = getattr(sys, "_is_gil_enabled", lambda: True)  # there since 3.13
    if not has_lock():
        raise ConfigurationError(
            "Python", "it runs without the interpreter lock", "set PYTHON_GIL=1, or use a build that has the lock"
        )
    if sys.byteorder != "little" or sys.maxsize < 1 << 62:
        raise ConfigurationError(
            "the processor", f"{sys.byteorder}-endian, {sys.maxsize.bit_length() + 1} bits", "use x86-64 or aarch64"
        )
