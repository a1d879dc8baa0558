"""The page of errors by other names: complete, and true of the code."""

import ast
import re

import pytest

from caxton.errors import BY_NAME

PLANNED = """
AgentAlreadyRegistered AgentError AgentNotFound CacheError CaxtonError CircuitBreakerOpen ConfigurationError
ConnectionPoolExhausted ConsistencyError ConversationError ConversationNotFound ConversationTimeout CpuLimitExceeded
DeliveryFailed DeploymentError DrainError HandlerFailed HealthCheckFailed IndexError InvalidFormat InvalidMessageFormat
InvalidPercentage InvalidRatio InvalidState InvalidStateTransition InvalidUuid LoadError LocalDeliveryFailed LookupError
MemoryLimitExceeded MessageTooLarge NetworkError NoCapableAgents NoMemoryExport NoRoute NotFound ObservabilityError
ParseError PoolError ProcessingError ProtocolError QueueFull RegistrationError RemoteDeliveryFailed ResourceError
ResourceExhausted ResourceLimitExceeded RetryLimitExceeded RolledBack RouterError RoutingError SandboxError
SecurityError SerializationError SerializationFailed SpawnError StartError StorageError Timeout TooManyParticipants
ValidationError ValidationFailed WasmExecutionFailed ZeroId
"""
ITSELF, TO_COME = "itself", "to come"


@pytest.fixture(scope="module")
def rows(root):
    """What the page says is raised, by name."""
    page = (root / "docs/errors.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", page, re.MULTILINE))


@pytest.fixture(scope="module")
def made(sources, tree):
    """The errors that the code makes, by their class or its `of`, and those that these are a kind of."""
    found = set()
    for path in sources("caxton", "workers"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name) and node.exc.id in BY_NAME:
                found |= {kind.__name__ for kind in BY_NAME[node.exc.id].__mro__}
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func).removeprefix("errors.").removesuffix(".of")
                found |= {kind.__name__ for kind in BY_NAME[name].__mro__} if name in BY_NAME else set()
    return found


def test_every_planned_name_is_on_the_page(rows):
    """In the order of the alphabet, and no other."""
    assert list(rows) == sorted(rows, key=str.lower)
    assert sorted(rows) == sorted(PLANNED.split())


def test_what_the_page_says_is_raised_is_raised(rows, made):
    """Itself or others, each is a class of the tree that the code makes; what is to come is none yet."""
    for name, text in rows.items():
        if text == TO_COME:
            assert name not in BY_NAME, f"{name} is here"
            continue
        raised = [name] if text == ITSELF else re.findall(r"`(\w+)`", text)
        assert raised, f"{name}: nothing is raised"
        assert [kind for kind in raised if kind not in made] == [], f"of {name}"


def test_no_error_is_there_that_nothing_raises(made):
    """Every class of the tree is made somewhere, or one of its kinds is."""
    assert set(BY_NAME) - made == set()
