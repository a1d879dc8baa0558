"""What holds for all tests."""

from hypothesis import settings

# A machine that is shared makes single examples slow, which says nothing of the code; pytest-timeout ends a real hang.
settings.register_profile("caxton", deadline=None)
settings.load_profile("caxton")
