"""A plugin of pytest that tells how one test ended: `-p faultlab.limits.witness`, which the command gives it.

CAXTON_LIMITS_TEST is the test's name, CAXTON_LIMITS_SEEN the file for what was seen.
"""

import os
import resource
from pathlib import Path
from typing import Any

import hypothesis
import msgspec
import pytest

from faultlab.limits.outcome import Seen

# Of memory that is written to: what a guest's address space reserves is not counted.
_MOST_MEMORY = 3 << 30


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let nothing take all of the machine's memory, and hypothesis tell the first failure that it finds."""
    del config
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, most))
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
    hypothesis.settings.register_profile("limits", hypothesis.settings(), phases=phases, database=None)
    hypothesis.settings.load_profile("limits")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the one test, with all of its cases."""
    wanted = os.environ["CAXTON_LIMITS_TEST"]
    others = [item for item in items if getattr(item, "originalname", item.name) != wanted]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


def pytest_runtest_makereport(item: pytest.Item, call: "pytest.CallInfo[Any]") -> None:
    """Write down how a step of the test ended: well, or with which error."""
    info = call.excinfo
    if info is None:
        seen = Seen(item.name, call.when, "", "")
    else:
        kinds = " ".join(f"{kind.__module__}.{kind.__name__}" for kind in info.type.__mro__)
        seen = Seen(item.name, call.when, kinds, str(info.value))
    with Path(os.environ["CAXTON_LIMITS_SEEN"]).open("ab") as file:
        file.write(msgspec.json.encode(seen) + b"\n")
