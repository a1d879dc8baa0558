import asyncio
import hashlib
import os

import pytest

from caxton.agents.limits import BOUNDS, DEFAULT_LIMITS
from caxton.errors import InvalidModule, ValidationError
from caxton.store.module_cache import ModuleCache
from caxton.supervisor.desk.caller import Caller
from caxton.supervisor.desk.module_intake import UNUSED_MS, ModuleIntake
from caxton.wire.supervision import UploadModule

ENGINE = "00ff"


class Compiler:
    """Compiles a module into itself in capitals; refuses those that say no. `seen` is what it was given."""

    def __init__(self):
        self.seen = []

    async def engine_id(self):
        return ENGINE

    async def compile(self, agent, limits, wasm, owner=None):
        self.seen.append((agent, limits, wasm))
        self.owner = owner
        if wasm.startswith(b"no"):
            raise InvalidModule(agent, "says no")
        return wasm.upper()


@pytest.fixture
def cache(tmp_path):
    return ModuleCache(tmp_path / "modules", bytes(32))


@pytest.fixture
def compiler():
    return Compiler()


@pytest.fixture
def intake(cache, compiler):
    return ModuleIntake(cache, compiler)


def pieces_of(content, size=4, sha256=None):
    sha256 = sha256 or hashlib.sha256(content).digest()
    return [
        UploadModule(sha256, len(content), offset, content[offset : offset + size], "agent", DEFAULT_LIMITS)
        for offset in range(0, len(content), size)
    ]


async def upload(intake, pieces):
    return [(await intake.take(Caller(1, 1), piece)).wanted for piece in pieces]


async def test_whose_a_module_is_is_told_where_it_waits(intake, compiler):
    """The process that brought it, and for whom that acts."""
    for piece in pieces_of(b"abcdef"):
        await intake.take(Caller(1, 2, "token:a"), piece)
    assert compiler.owner == (2, "token:a")


async def test_a_module_is_compiled_and_kept(intake, cache, compiler):
    """The last piece is answered when source and artifact are on disk; each piece says where the next begins."""
    wanted = await upload(intake, pieces_of(b"a module"))

    sha256 = hashlib.sha256(b"a module").digest()
    assert wanted == [4, 8]
    assert cache.source(sha256) == b"a module"
    assert cache.artifact(sha256, ENGINE) == b"A MODULE"
    assert compiler.seen == [("agent", DEFAULT_LIMITS, b"a module")]


async def test_a_known_module_is_ready_at_its_first_piece(intake, compiler):
    """A module whose artifact is there is answered at once, with its whole size, and not compiled again."""
    await upload(intake, pieces_of(b"a module"))

    assert (await intake.take(Caller(2, 1), pieces_of(b"a module")[0])).wanted == 8
    assert len(compiler.seen) == 1
    assert len(intake.uploads) == 0


async def test_a_damaged_artifact_is_compiled_anew(intake, cache, compiler, tmp_path):
    """An artifact that was tampered with does not count as there."""
    await upload(intake, pieces_of(b"a module"))
    (artifact,) = (tmp_path / "modules").glob("*.native")
    artifact.write_bytes(artifact.read_bytes()[:-1] + b"!")

    await upload(intake, pieces_of(b"a module"))

    assert cache.artifact(hashlib.sha256(b"a module").digest(), ENGINE) == b"A MODULE"
    assert len(compiler.seen) == 2


async def test_a_wrong_sha256_is_refused(intake, compiler):
    """Bytes that do not have the sha256 that was announced are refused, and reach no compiler."""
    with pytest.raises(ValidationError, match="sha256"):
        await upload(intake, pieces_of(b"a module", sha256=bytes(32)))

    assert compiler.seen == []


async def test_a_refused_module_leaves_nothing(intake, cache):
    """What the compiler refuses is not kept, and the caller gets its error."""
    with pytest.raises(InvalidModule, match="says no"):
        await upload(intake, pieces_of(b"no module"))

    assert cache.sources() == []


async def test_what_lacks_an_artifact_is_compiled_at_the_start(intake, cache, compiler):
    """Sources without an artifact for this engine are compiled under the widest limits; a refusal is told."""
    for wasm in (b"a module", b"no module", b"known"):
        cache.put_source(wasm)
    cache.put_artifact(hashlib.sha256(b"known").digest(), ENGINE, b"KNOWN")
    cache.put_artifact(hashlib.sha256(b"a module").digest(), "abcd", b"of another engine")
    refused = []

    await intake.compile_missing(lambda sha256, error: refused.append((sha256, type(error))))

    assert sorted(wasm for _, _, wasm in compiler.seen) == [b"a module", b"no module"]
    assert {limits.max_memory_bytes for _, limits, _ in compiler.seen} == {BOUNDS["max_memory_bytes"][1]}
    assert refused == [(hashlib.sha256(b"no module").hexdigest(), InvalidModule)]
    assert cache.artifact(hashlib.sha256(b"a module").digest(), ENGINE) == b"A MODULE"


async def test_two_callers_with_one_module_both_get_it(intake, cache):
    """The same module from two callers at once is ready for both."""
    pieces = pieces_of(b"a module", size=8)

    answers = await asyncio.gather(*(intake.take(caller, pieces[0]) for caller in (Caller(1, 1), Caller(2, 1))))

    assert [answer.wanted for answer in answers] == [8, 8]
    assert cache.artifact(hashlib.sha256(b"a module").digest(), ENGINE) == b"A MODULE"


async def test_what_no_agent_is_made_from_goes(intake, cache, tmp_path):
    """Five minutes before the round in which the last shard marked its modules: older than that, a module is unused."""
    old, young = b"an old module", b"a young module"
    await upload(intake, pieces_of(old))
    await upload(intake, pieces_of(young))
    shas = [hashlib.sha256(wasm).digest() for wasm in (old, young)]
    for sha256, at_ms in zip(shas, (9_999, 10_000), strict=True):
        for path in (tmp_path / "modules").glob(f"{sha256.hex()}.*"):
            os.utime(path, ns=(0, at_ms * 1_000_000))

    assert await intake.remove_unused([UNUSED_MS + 20_000, 0]) == [], "a shard has not said what it uses"
    assert await intake.remove_unused([]) == []
    marked = [UNUSED_MS + 20_000, UNUSED_MS + 10_000]
    assert await intake.remove_unused(marked) == [], "few bytes are kept"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("caxton.supervisor.desk.module_intake.MOST_UNUSED_BYTES", 0)
        assert await intake.remove_unused(marked) == shas[:1]
    assert cache.sources() == shas[1:]


async def test_what_is_about_to_be_deployed_is_marked(intake, cache, tmp_path):
    """A module that is there already is as young as a new one when somebody wants to deploy it."""
    (piece,) = pieces_of(b"a module", 8)
    await upload(intake, [piece])
    for path in (tmp_path / "modules").iterdir():
        os.utime(path, ns=(0, 1))
    await upload(intake, [piece])
    assert cache.sweep(2, 0) == []
