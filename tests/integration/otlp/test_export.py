"""Traces of a real runtime, exported by its gateway to a receiver of OpenTelemetry's protocol."""

import asyncio
import gzip
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import caxton
from caxton.testing import runtime as serve

DEADLINE_S = 60


class Receiver(ThreadingHTTPServer):
    """Keeps the spans that it is told, with the attributes of their resources."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Told)
        self.news = threading.Condition()
        self.spans, self.resources, self.paths = [], [], set()

    def wait_for(self, trace, most):
        """The spans of a trace, once there are so many."""

        def found():
            return [span for span in self.spans if span.trace_id.hex() == trace]

        with self.news:
            assert self.news.wait_for(lambda: len(found()) >= most, DEADLINE_S), f"{len(found())} spans came"
            return found()


class Told(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request = ExportTraceServiceRequest.FromString(body)
        with self.server.news:
            self.server.paths.add(self.path)
            for of_resource in request.resource_spans:
                self.server.resources.append({a.key: a.value.string_value for a in of_resource.resource.attributes})
                self.server.spans += [span for scope in of_resource.scope_spans for span in scope.spans]
            self.server.news.notify_all()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


@pytest.fixture
def runtime(receiver, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{receiver.server_port}")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serve(workers=2, options=("--otlp",)) as served:
        yield served


async def test_a_contract_net_comes_to_a_receiver_as_one_tree(receiver, runtime):
    """Every span has its parent there but the first, and says what it is about; what is turned off does not come."""
    assert "url" not in await runtime.event("gateway_ready")

    class Seller:
        async def on_cfp(self, message):
            return message.reply(b"7", performative="propose")

        async def on_accept_proposal(self, message):
            return message.reply(b"done")

        async def on_reject_proposal(self, message):
            pass

    async with (
        caxton.connect(runtime.runtime_dir, trace_sampling_ratio=1.0) as client,
        client.host(caxton.agent("anna")(Seller()), caxton.agent("bert")(Seller())),
    ):
        result = await client.contract_net(b"task", ["anna", "bert"])
        spans = await asyncio.to_thread(receiver.wait_for, result.result.trace_context[3:35], 9)
    ids = {span.span_id for span in spans}
    assert [span.name for span in spans if not span.parent_span_id] == ["contract_net_protocol"]
    assert all(span.parent_span_id in ids for span in spans if span.parent_span_id)
    assert {span.name for span in spans} == {"contract_net_protocol", "message_routing", "message_process"}

    assert all(span.end_time_unix_nano >= span.start_time_unix_nano > 0 for span in spans)
    assert receiver.resources[0]["service.name"] == "caxton"
    assert receiver.paths == {"/v1/traces"}


async def yes(_):
    return b"yes"


async def test_a_collector_that_never_answers_holds_up_nobody(monkeypatch):
    """What it does not take is counted, of each signal; the gateway answers meanwhile, and ends in time."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{mute.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with serve(options=("--otlp", "--metrics", "127.0.0.1:0", "--metrics-open")) as served:
            url = next(event["metrics"] for event in served.events if event["event"] == "ready")
            async with (
                caxton.connect(served.runtime_dir, trace_sampling_ratio=1.0) as client,
                client.attach("anna", yes),
                httpx.AsyncClient(trust_env=False, timeout=DEADLINE_S) as asking,
                asyncio.timeout(DEADLINE_S),
            ):
                missing = {"traces", "metrics", "logs"}
                while missing:
                    assert (await client.request("anna", b"x")).content == b"yes"
                    text = (await asking.get(url)).text
                    missing -= {s for s in missing if f'{{reason="not taken",signal="{s}"}}' in text}
            assert served.stop() == 0
