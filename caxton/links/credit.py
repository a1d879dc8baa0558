"""How far a source may run ahead of its target, before the target has said a word, and without any limit."""

# The first credit of every link (design: a new link starts at 64 messages); both ends count from the same numbers.
FIRST_MESSAGES = 64
FIRST_BYTES = 1 << 20
# The same for a source whose frames are stored as they are, with up to 256 messages each: one has to fit.
FIRST_STORED = 256
# What stands for "as far as you like" where a number is wanted: beyond any sequence, within a signed 64-bit number.
UNLIMITED = (1 << 63) - 1


def grown(told: int, settled: int, window: int | None, first: int) -> int:
    """Return the mark that the source may reach, never below `told`, what it was told before.

    `settled` is what has been placed, in messages or bytes. The window opens from `first` by what was placed, so it
    doubles with every round trip until it is `window` wide; None opens it for good.
    """
    if window is None:
        return UNLIMITED
    return max(told, settled + min(window, first + settled))
