"""The engine's identity, and what it lets two processes exchange."""

import re

import pytest
import wasmtime

from workers.sandbox import engine as engine_module
from workers.sandbox.engine import GuestEngine
from workers.sandbox.engine_version import engine_version


def test_engines_of_one_profile_have_one_id_and_exchange_artifacts(engine, nursery):
    """What one engine compiled another of the same id loads and runs."""
    other = GuestEngine()
    assert other.engine_id == engine.engine_id
    assert len(engine.engine_id) == 16
    int(engine.engine_id, 16)
    artifact = nursery.module("echo").serialize()
    assert wasmtime.Module.deserialize(other.wasmtime, artifact).exports


def test_an_interrupt_is_counted(engine):
    """Epoch says how often guests were interrupted."""
    before = engine.epoch
    engine.interrupt()
    assert engine.epoch == before + 1


def test_a_module_is_linked_once_and_forgotten_with_it(engine, nursery):
    """The linked form is kept while the module lives."""
    module = wasmtime.Module.deserialize(engine.wasmtime, nursery.module("echo").serialize())
    linked = engine.linked(module)
    assert engine.linked(module) is linked
    kept = len(engine._linked)
    del module
    assert len(engine._linked) == kept - 1


def test_the_version_is_what_the_library_says():
    """A version of three numbers, from the library's own text."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", engine_version())


def test_a_library_that_does_not_say_its_version_is_known_by_its_content(tmp_path):
    """Two libraries without a version have two names, and one has the same each time."""
    one, other = tmp_path / "one.so", tmp_path / "other.so"
    one.write_bytes(b"\x7fELF one")
    other.write_bytes(b"\x7fELF other")
    assert engine_version(one) == engine_version(one) != engine_version(other)


def test_another_version_of_the_library_is_another_engine(engine, monkeypatch):
    """What was compiled by an engine of another version is not loaded, whatever its wheel is called."""
    monkeypatch.setattr(engine_module, "engine_version", lambda: "50.9.9")
    assert GuestEngine().engine_id != engine.engine_id


@pytest.mark.parametrize("feature", ["wasm_gc", "wasm_threads"])
def test_the_library_is_built_with_what_the_profile_switches_off(feature):
    """What is off here is off by a setting, and not left out of the library, where other faults would be ours."""
    config = wasmtime.Config()
    setattr(config, feature, True)
    assert wasmtime.Engine(config)
