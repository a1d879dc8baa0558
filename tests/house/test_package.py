import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib

import pytest

import caxton

# What a distribution is called when it is imported, where that differs.
IMPORTED_AS = {
    "opentelemetry-exporter-otlp-proto-http": "opentelemetry",
    "opentelemetry-sdk": "opentelemetry",
    "prometheus-client": "prometheus_client",
    "pyyaml": "yaml",
    "pyzmq": "zmq",
}
# Extras of the package itself, not of what is done to it: each import of theirs says how to install it where it fails.
EXTRAS = ("http", "otel", "pytest", "reload", "remote")


@pytest.fixture(scope="module")
def declared(root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [requirement for extra in EXTRAS for requirement in project["optional-dependencies"][extra]]
    names = {re.match(r"[\w-]+", requirement).group() for requirement in project["dependencies"] + extras}
    return {IMPORTED_AS.get(name, name) for name in names}


@pytest.fixture(scope="module")
def imported(sources, tree):
    found = set()
    for path in sources("caxton", "workers"):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"caxton", "workers"}


def test_every_import_is_declared(declared, imported):
    """The packages import no third party that pyproject.toml does not name."""
    assert imported - declared == set()


def test_every_dependency_is_used(declared, imported):
    """Every dependency that pyproject.toml names is imported somewhere."""
    assert declared - imported == set()


def test_one_version_everywhere():
    """The installed distribution and the package tell the same version."""
    assert importlib.metadata.version("caxton") == caxton.__version__


def test_importing_caxton_costs_a_worker_nothing():
    """`import caxton` alone loads no third party and no other module of the package."""
    probe = "import sys; before = set(sys.modules); import caxton; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-P", "-c", probe], capture_output=True, text=True, check=True, timeout=30)

    loaded = set(ast.literal_eval(done.stdout))
    assert {name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names} == {"caxton"}


def test_the_package_ships_its_guests_and_types(root):
    """The installed distribution has every guest, every schema, the dashboard and the marks that say it is typed."""
    shipped = {str(path) for path in importlib.metadata.files("caxton") or ()}
    if "caxton/__init__.py" not in shipped:
        pytest.skip("installed as editable: nothing was shipped; tox installs the wheel")
    wanted = [
        path
        for kind in ("*.wasm", "*.c", "*.sql", "*.html", "*.css", "*.js", "*.svg", "py.typed")
        for path in root.glob(f"caxton/**/{kind}")
    ]

    assert {str(path.relative_to(root)) for path in wanted} - shipped == set()
    assert {"caxton/py.typed", "workers/py.typed"} <= shipped


def test_whoever_is_cancelled_ends(sources, root):
    """The package waits by asyncio.timeout; on Python 3.11 wait_for loses a cancellation that comes with a result."""
    waits = "asyncio.wait_for("
    found = [path for path in sources("caxton", "workers") if waits in path.read_text(encoding="utf-8")]
    assert [str(path.relative_to(root)) for path in found] == []
