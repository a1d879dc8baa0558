import json
import struct
from pathlib import Path

import wasmtime

import caxton

LOGS = Path(__file__).parents[2] / "guests" / "log_at.wat"
WARNING, ERROR = 2, 3


def test_a_file_says_how_a_runtime_serves_and_how_a_data_directory_is_made(serve, caxton, place):
    """Its number of workers makes the directory; later another one is told, and those that are there serve."""
    file = place / "caxton.yaml"
    file.write_text("preset: production\nrouter:\n  worker_thread_count: 1\n")
    first = serve("--config", file, workers=None)
    assert first.event("ready")["workers"] == 1
    assert caxton("stop", "--runtime-dir", first.runtime_dir).code == 0

    file.write_text("router:\n  worker_thread_count: 3\n")
    other = serve("--config", file, workers=None)
    told = other.event("workers_as_made")

    assert (told["workers"], told["configured"]) == (1, 3)
    assert "caxton reshard --workers 3" in told["text"]
    assert other.event("ready")["workers"] == 1


def test_logs_are_json_where_that_is_asked_for(serve):
    """A guest's line names its agent, its message and, as that is sampled, its trace."""
    served = serve("--log-format", "json", "--log-level", "error", workers=1)
    served.event("ready")
    with caxton.connect_sync(served.runtime_dir, trace_sampling_ratio=1.0) as client:
        agent = client.deploy("talker", bytes(wasmtime.wat2wasm(LOGS.read_text())))
        sent = client.send(agent, struct.pack("<iii", ERROR, 1_024, 15))
        traces = {span.trace_id for span in client.spans().spans if span.name == "message_process"}
    served.process.terminate()
    served.process.wait(60)

    lines = [json.loads(line) for line in served.process.stderr.read().splitlines()]
    (line,) = (line for line in lines if line["logger"] == "caxton.guest")
    assert (line["level"], line["agent"], line["message_id"]) == ("error", "talker", str(sent.message_id))
    assert {line["trace_id"]} == traces


def test_the_log_level_holds_in_workers(serve):
    """Of a guest's warning and its error, workers write the error alone."""
    served = serve("--log-level", "error", workers=1)
    served.event("ready")
    with caxton.connect_sync(served.runtime_dir) as client:
        agent = client.deploy("talker", bytes(wasmtime.wat2wasm(LOGS.read_text())))
        for level in (WARNING, ERROR):
            client.send(agent, struct.pack("<iii", level, 1_024, 15))
    served.process.terminate()
    served.process.wait(60)

    assert served.process.stderr.read().count("at your service") == 1
