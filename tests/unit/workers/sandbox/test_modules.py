"""Workers load compiled modules from the cache, and only those that carry its mark."""

import hashlib
from pathlib import Path

import pytest

from caxton.store.module_cache import ModuleCache
from workers.sandbox import modules
from workers.sandbox.modules import ModuleMissing, Modules


@pytest.fixture
def cache(tmp_path):
    return ModuleCache(tmp_path / "modules", b"k" * 32)


def _put(cache, engine, nursery, name: bytes = b"echo") -> bytes:
    sha256 = hashlib.sha256(name).digest()
    cache.put_artifact(sha256, engine.engine_id, bytes(nursery.module("echo").serialize()))
    return sha256


def test_a_module_is_read_once(cache, engine, nursery):
    """Asking again gives the same module, without reading the file again."""
    loaded = Modules(cache, engine)
    sha256 = _put(cache, engine, nursery)
    assert loaded.load(sha256) is loaded.load(sha256)
    assert loaded.loads == 1


def test_what_is_not_there_is_missing(cache, engine):
    """An unknown sha256 is a ModuleMissing that names it, and a LookupError."""
    with pytest.raises(ModuleMissing) as raised:
        Modules(cache, engine).load(b"\0" * 32)
    assert raised.value.sha256 == b"\0" * 32
    assert isinstance(raised.value, LookupError)


def test_native_code_without_the_mark_is_not_loaded(cache, engine, nursery):
    """One changed byte anywhere in the file makes the module missing, and is counted."""
    sha256 = _put(cache, engine, nursery)
    (path,) = Path(cache._directory).glob("*.native")
    whole = path.read_bytes()
    for at in (0, 1, 32, 33, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(ModuleMissing):
            Modules(cache, engine).load(sha256)
    assert cache.rejected == 6


def test_an_artifact_that_the_engine_does_not_take_is_missing(cache, engine):
    """Marked bytes that are no artifact of this engine are counted and compiled anew."""
    loaded = Modules(cache, engine)
    cache.put_artifact(b"\1" * 32, engine.engine_id, b"from another machine")
    with pytest.raises(ModuleMissing):
        loaded.load(b"\1" * 32)
    assert loaded.unreadable == 1


def test_the_modules_used_last_are_kept(cache, engine, nursery, monkeypatch):
    """Beyond the bound the module that was used longest ago is let go."""
    monkeypatch.setattr(modules, "MAX_LOADED", 2)
    loaded = Modules(cache, engine)
    one, two, three = (_put(cache, engine, nursery, name) for name in (b"1", b"2", b"3"))
    for sha256 in (one, two, one, three, one):
        loaded.load(sha256)
    assert loaded.loads == 3
    loaded.load(two)
    assert loaded.loads == 4
