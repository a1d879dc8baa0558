"""Modules come in: put together, compared with their sha256, compiled unless they are known, kept."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence

from caxton.agents.limits import BOUNDS, Limits
from caxton.errors import CaxtonError, ValidationError
from caxton.store.module_cache import ModuleCache
from caxton.supervisor.compiler.host import CompilerHost
from caxton.supervisor.desk.caller import Caller
from caxton.supervisor.desk.uploads import Uploads
from caxton.wire.supervision import Accepted, UploadModule

# A module may go that no agent of any shard was made from for so long, and that nobody deployed.
UNUSED_MS = 300_000
# Of these the last used are kept, so many bytes of files: who deploys one again need not have it compiled.
MOST_UNUSED_BYTES = 256 << 20
_NS_PER_MS = 1_000_000
# Modules that are there were accepted for some agent once; each agent's own limits are checked when it is deployed.
_WIDEST = Limits(max_memory_bytes=BOUNDS["max_memory_bytes"][1])


class ModuleIntake:
    """From pieces to artifacts. Hashing and disk are waited for on other threads, compiling in the compiler process."""

    def __init__(self, cache: ModuleCache, compiler: CompilerHost) -> None:
        self.uploads = Uploads()
        self._cache = cache
        self._compiler = compiler

    async def take(self, caller: Caller, piece: UploadModule) -> Accepted:
        """Take a piece; the answer's `wanted` is the next offset, or the whole size when the module is ready for use.

        A module whose artifact is there is ready at its first piece. Raises what `Uploads.take` and
        `CompilerHost.compile` raise, ValidationError for a wrong sha256, StorageError when it cannot be kept.
        """
        engine_id = await self._compiler.engine_id()
        if piece.offset == 0 and await asyncio.to_thread(self._is_ready, piece.sha256, engine_id):
            return Accepted(piece.size)
        upload = self.uploads.take(caller, piece, time.monotonic())
        if not upload.complete:
            return Accepted(len(upload.content))
        wasm = bytes(upload.content)
        upload.content.clear()
        if await asyncio.to_thread(_sha256, wasm) != piece.sha256:
            raise ValidationError("upload", "the bytes do not have the sha256 that was announced; send them again")
        await self._compile(piece.agent, piece.limits, wasm, caller.owner)
        return Accepted(piece.size)

    async def compile_missing(self, tell_refused: Callable[[str, CaxtonError], None]) -> None:
        """Compile what was accepted before, for the engine of today: after an upgrade, its artifacts are missing."""
        sources = self._cache.sources()
        if not sources:
            return
        engine_id = await self._compiler.engine_id()
        for sha256 in sources:
            wasm = await asyncio.to_thread(self._source_without_artifact, sha256, engine_id)
            if wasm is None:
                continue
            try:
                await self._compile(f"with module {sha256.hex()[:12]}", _WIDEST, wasm)
            except CaxtonError as error:
                tell_refused(sha256.hex(), error)

    async def remove_unused(self, marked_ms: Sequence[int]) -> list[bytes]:
        """Remove what was not used for a while, and return its sha256s. Raises StorageError.

        marked_ms: when each shard last marked all modules that its agents are made from (ms since 1970), 0 for one that
        has not: then nothing is removed, whatever its agents are made from.
        """
        earliest_ms = min(marked_ms, default=0)
        if earliest_ms <= UNUSED_MS:
            return []
        before_ns = (earliest_ms - UNUSED_MS) * _NS_PER_MS
        return await asyncio.to_thread(self._cache.sweep, before_ns, MOST_UNUSED_BYTES)

    async def _compile(self, agent: str, limits: Limits, wasm: bytes, owner: tuple[int, str] = (0, "")) -> None:
        artifact = await self._compiler.compile(agent, limits, wasm, owner)
        engine_id = await self._compiler.engine_id()
        await asyncio.to_thread(self._keep, wasm, engine_id, artifact)

    def _is_ready(self, sha256: bytes, engine_id: str) -> bool:
        # Read, not only looked for: one that is damaged is compiled anew. And marked: it is about to be deployed.
        return self._cache.artifact(sha256, engine_id) is not None and self._cache.touch(sha256, engine_id)

    def _source_without_artifact(self, sha256: bytes, engine_id: str) -> bytes | None:
        return None if self._is_ready(sha256, engine_id) else self._cache.source(sha256)

    def _keep(self, wasm: bytes, engine_id: str, artifact: bytes) -> None:
        self._cache.put_artifact(self._cache.put_source(wasm), engine_id, artifact)


def _sha256(wasm: bytes) -> bytes:
    return hashlib.sha256(wasm).digest()
