"""Workers load compiled modules from the cache, and only those that carry its mark."""

import gc
import hashlib
import weakref
from pathlib import Path

import pytest

from caxton.agents.limits import Limits
from caxton.store.module_cache import ModuleCache
from workers.sandbox import modules
from workers.sandbox.modules import ModuleMissing, Modules
from workers.sandbox.sandbox import Sandbox


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


@pytest.mark.parametrize(("sizes", "kept"), [(2, 2), (1.9, 1), (0.1, 1)])
def test_unused_modules_keep_to_their_bytes(cache, engine, nursery, monkeypatch, sizes, kept):
    """Beyond the bound of bytes those go that were used longest ago; one is kept, however large it is."""
    shas = [_put(cache, engine, nursery, name) for name in (b"1", b"2", b"3")]
    size = len(cache.artifact(shas[0], engine.engine_id))
    monkeypatch.setattr(modules, "MAX_LOADED_BYTES", int(size * sizes))
    loaded = Modules(cache, engine)
    for sha256 in [*shas, *reversed(shas)]:
        loaded.load(sha256)
    assert loaded.loads == 3 + 3 - kept


def test_a_module_is_gone_when_nobody_uses_it(cache, engine, nursery, monkeypatch):
    """Nothing but what is kept, and instances, refers to a module: with the last of these its native code is freed."""
    monkeypatch.setattr(modules, "MAX_LOADED", 1)
    loaded = Modules(cache, engine)
    one, two = (_put(cache, engine, nursery, name) for name in (b"1", b"2"))
    freed = weakref.ref(loaded.load(one))
    engine.linked(freed())
    loaded.load(two)
    gc.collect()
    assert freed() is None


def test_a_module_of_an_instance_is_not_loaded_twice(cache, engine, nursery, watchdog, monkeypatch):
    """While an instance of it lives, a module that is kept no more is the same one for the next instance."""
    monkeypatch.setattr(modules, "MAX_LOADED", 1)
    loaded = Modules(cache, engine)
    one, two = (_put(cache, engine, nursery, name) for name in (b"1", b"2"))
    sandbox = Sandbox(engine, loaded.load(one), Limits(), watchdog, lambda _level, _line: None)
    used = weakref.ref(sandbox._module)
    loaded.load(two)
    gc.collect()
    assert loaded.load(one) is used()
    assert loaded.loads == 2
    sandbox.close()


def test_what_is_used_is_marked(cache, engine, nursery):
    """Marking goes to the cache, under the engine's name; what is not there is no trouble."""
    loaded = Modules(cache, engine)
    sha256 = _put(cache, engine, nursery)
    assert (loaded.touch(sha256), loaded.touch(bytes(32))) == (True, False)
    loaded.touch_all([sha256, bytes(32)])
