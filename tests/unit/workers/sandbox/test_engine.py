"""The engine's identity, and what it lets two processes exchange."""

import wasmtime

from workers.sandbox.engine import GuestEngine


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
