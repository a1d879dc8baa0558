"""A real collector of OpenTelemetry, built from its Go modules, and a runtime that exports to it."""

import json
import os
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from caxton.testing import runtime as serve

SOURCE = Path(__file__).parent / "collector"
DEADLINE_S = 60
# From nothing it is a minute or more of two cores: modules are fetched, and everything is compiled.
BUILD_S = 900
# It takes a quarter less to compile so, and is fast enough.
UNOPTIMIZED = "-gcflags=all=-N -l"
# The first release that fetches another one, where a module asks for that.
FETCHES_BY_ITSELF = (1, 21)
CONFIG = """\
receivers: {otlp: {protocols: {http: {endpoint: "127.0.0.1:0"}}}}
exporters: {lines: {path: "%s"}}
service:
  pipelines:
    traces: {receivers: [otlp], exporters: [lines]}
    metrics: {receivers: [otlp], exporters: [lines]}
    logs: {receivers: [otlp], exporters: [lines]}
"""


class Collector:
    """What a collector took. url: where it takes it."""

    def __init__(self, child, url, path):
        self.child, self.url, self._path = child, url, path

    def requests(self, kind):
        """What came of one kind: "resourceSpans", "resourceMetrics" or "resourceLogs", by resource, oldest first."""
        raw = self._path.read_bytes() if self._path.exists() else b""
        whole = raw[: raw.rfind(b"\n") + 1]
        return [one for line in whole.splitlines() for one in json.loads(line).get(kind, [])]

    def spans(self):
        return [s for one in self.requests("resourceSpans") for scope in one["scopeSpans"] for s in scope["spans"]]

    def metrics(self):
        """The last of each name that came."""
        told = [
            m for one in self.requests("resourceMetrics") for scope in one["scopeMetrics"] for m in scope["metrics"]
        ]
        return {metric["name"]: metric for metric in told}

    def logs(self):
        told = self.requests("resourceLogs")
        return [r for one in told for scope in one["scopeLogs"] for r in scope["logRecords"]]


@pytest.fixture(scope="session")
def collector_program(tmp_path_factory):
    """Build the collector; modules and what is compiled are kept where Go keeps them for its user."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("there is no Go to build OpenTelemetry's collector with: scripts/system-packages")
    folder = tmp_path_factory.mktemp("collector")
    try:
        go = new_enough(go, folder)
        told(go, "list", "-deps", ".", cwd=SOURCE)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this Go, or its modules, cannot be had for OpenTelemetry's collector: {error.stderr[-500:]}")
    program = folder / "collector"
    flags = ("-trimpath", "-buildvcs=false", "-ldflags=-s", UNOPTIMIZED)
    told(go, "build", *flags, "-o", program, ".", cwd=SOURCE)
    return program


def told(go, *words, cwd):
    """What Go says to a command; since 1.21 it fetches by itself the release that a module asks for."""
    env = os.environ | {"GOTOOLCHAIN": os.environ.get("GOTOOLCHAIN", "auto"), "GOROOT": ""}
    done = subprocess.run([go, *words], check=True, capture_output=True, text=True, cwd=cwd, env=env, timeout=BUILD_S)
    return done.stdout


def new_enough(go, folder):
    """Return a Go that can build the collector: an old one, as Debian 12 has it, fetches it as a module."""
    (folder / "go.mod").write_text("module caxton.example/fetch\n")
    version, system, machine = told(go, "env", "GOVERSION", "GOOS", "GOARCH", cwd=folder).split()
    if tuple(int(part) for part in version.removeprefix("go").split(".")[:2]) >= FETCHES_BY_ITSELF:
        return go
    needed = re.search(r"^go (\S+)$", (SOURCE / "go.mod").read_text(), re.MULTILINE)[1]
    module = f"golang.org/toolchain@v0.0.1-go{needed}.{system}-{machine}"
    root = Path(json.loads(told(go, "mod", "download", "-json", module, cwd=folder))["Dir"])
    for program in (*root.glob("bin/*"), *root.glob("pkg/tool/*/*")):
        program.chmod(0o755)  # modules are fetched as files that nobody may run
    return str(root / "bin/go")


@contextmanager
def collecting(program, folder):
    """Run a collector at a port of its own."""
    (folder / "config.yaml").write_text(CONFIG % (folder / "lines"))
    child = subprocess.Popen([program, "--config", folder / "config.yaml"], stderr=subprocess.PIPE, text=True)
    try:
        said, url = [], None
        timer = threading.Timer(DEADLINE_S, child.kill)
        timer.start()
        for line in child.stderr:
            said.append(line)
            told = json.loads(line)
            if told["msg"] == "Starting HTTP server":
                url = f"http://{told['endpoint']}"
            if told["msg"].startswith("Everything is ready"):
                break
        timer.cancel()
        assert url is not None, said
        reading = threading.Thread(target=child.stderr.read)  # so that it never waits for who reads
        reading.start()
        yield Collector(child, url, folder / "lines")
    finally:
        child.terminate()
        child.wait(DEADLINE_S)
        child.stderr.close()


@pytest.fixture(scope="module")
def collector(collector_program, tmp_path_factory):
    with collecting(collector_program, tmp_path_factory.mktemp("collected")) as collector:
        yield collector


@pytest.fixture(scope="module")
def exporting(collector):
    """A runtime that exports to the collector, without a proxy between them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        patch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "1000")
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            patch.delenv(name, raising=False)
        with serve(workers=2, options=("--otlp",)) as served:
            yield served
