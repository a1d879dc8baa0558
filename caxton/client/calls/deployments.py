"""Deploying agents: modules are hashed, uploaded and compiled once; registrations go to each shard in batches."""

import asyncio
from collections.abc import Iterable
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import Any

import msgspec

from caxton.agents.deployment import Deployment
from caxton.agents.limits import DEFAULT_LIMITS, MAX_MODULE, with_capacity
from caxton.agents.manifest import Encoding, Manifest, capabilities_of
from caxton.agents.names import new_name, normal_label, normal_name
from caxton.client.calls.arguments import listed
from caxton.client.runtime_line import RuntimeLine
from caxton.errors import (
    AgentAlreadyRegistered,
    CaxtonError,
    InvalidModule,
    MessageTooLarge,
    ModuleUnknown,
    Timeout,
    ValidationError,
    from_fields,
)
from caxton.ids import AgentId
from caxton.printable import shown
from caxton.store.module_file import read_module
from caxton.wire.calls import MAX_BATCH, Deploy, Deployed
from caxton.wire.supervision import MODULE_CHUNK, Accepted, UploadModule


class Deployments:
    """Deploys over one line to a runtime."""

    def __init__(self, runtime: RuntimeLine) -> None:
        self._runtime = runtime
        self._names = runtime.names
        # A caller has one upload at a time; and whoever waits for the same module finds it compiled.
        self._uploading = asyncio.Lock()

    async def deploy(self, wanted: Iterable[Deployment], timeout_s: float) -> list[AgentId | CaxtonError]:
        """Deploy agents and return the id of each, or why it was refused.

        Raises Timeout and NetworkError when a shard does not answer: then what was asked of it is unknown.
        """
        modules = Modules()
        results: list[AgentId | CaxtonError] = []
        manifests: dict[int, Manifest] = {}
        seen: set[str] = set()
        for place, deployment in enumerate(listed(wanted, Deployment, "deployments")):
            try:
                manifest = await manifest_of(deployment, modules)
                agent_id = AgentId(self._names.id_of(manifest.name))
                if manifest.name in seen:
                    raise AgentAlreadyRegistered(manifest.name)
            except CaxtonError as error:
                results.append(error)
                continue
            seen.add(manifest.name)
            results.append(agent_id)
            manifests[place] = manifest
        refused = await self._register(manifests, timeout_s)
        again: dict[int, Manifest] = {}
        for place, why in refused.items():
            if isinstance(why, ModuleUnknown):
                again[place] = manifests[place]
            else:
                results[place] = why
        if again:
            for place, why in (await self._upload_and_register(again, modules, timeout_s)).items():
                results[place] = why
        return results

    async def compile(self, deployment: Deployment, timeout_s: float) -> None:
        """Have a module compiled for an agent that is not deployed yet. Raises InvalidModule, and why it is unknown."""
        modules = Modules()
        manifest = await manifest_of(deployment, modules)
        error = await self._upload(manifest, modules, timeout_s)
        if error is not None:
            raise error

    async def _upload_and_register(
        self, manifests: dict[int, Manifest], modules: "Modules", timeout_s: float
    ) -> dict[int, CaxtonError]:
        refused: dict[int, CaxtonError] = {}
        ready: dict[int, Manifest] = {}
        tried: dict[tuple[bytes, int], CaxtonError | None] = {}
        for place, manifest in manifests.items():
            kind = (manifest.module, manifest.limits.max_memory_bytes)
            if kind not in tried:
                tried[kind] = await self._upload(manifest, modules, timeout_s)
            error = tried[kind]
            if error is None:
                ready[place] = manifest
            else:
                refused[place] = error
        return {**refused, **await self._register(ready, timeout_s)}

    async def _upload(self, manifest: Manifest, modules: "Modules", timeout_s: float) -> CaxtonError | None:
        """Upload a module and have it compiled; returns why it was not. It is not sent when it is there by then."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._uploading.acquire()
        except TimeoutError:
            return Timeout("uploading the module, behind others", timeout_s)
        limits = with_capacity(manifest.limits, self._runtime.mailbox_capacity)
        try:
            wasm, offset = await modules.content(manifest), 0
            while True:
                chunk = wasm[offset : offset + MODULE_CHUNK]
                upload = UploadModule(manifest.module, len(wasm), offset, chunk, manifest.name, limits)
                offset = (await self._runtime.ask(upload, Accepted, timeout_s)).wanted
                if offset >= len(wasm):
                    return None
        except CaxtonError as error:
            return error.with_traceback(None)  # it would keep the module for as long as somebody has the error
        finally:
            self._uploading.release()

    async def _register(self, manifests: dict[int, Manifest], timeout_s: float) -> dict[int, CaxtonError]:
        """Register manifests on their shards, all shards at once; returns why for each that was refused."""
        by_shard: dict[int, list[tuple[int, Manifest]]] = {}
        for place, manifest in manifests.items():
            shard = self._runtime.table.shard_of(self._names.id_of(manifest.name))
            by_shard.setdefault(shard, []).append((place, manifest))
        refused: dict[int, CaxtonError] = {}
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._on_shard(shard, some, timeout_s)) for shard, some in by_shard.items()]
        for task in tasks:
            refused |= task.result()
        return refused

    async def _on_shard(
        self, shard: int, manifests: list[tuple[int, Manifest]], timeout_s: float
    ) -> dict[int, CaxtonError]:
        refused: dict[int, CaxtonError] = {}
        for start in range(0, len(manifests), MAX_BATCH):
            some = manifests[start : start + MAX_BATCH]
            try:
                asked = Deploy([self._filled_in(manifest) for _, manifest in some])
                result = await self._runtime.call(shard, asked, Deployed, timeout_s)
            except CaxtonError as error:
                refused |= dict.fromkeys((place for place, _ in some), error)
                continue
            for at, failed in result.refused.items():
                refused[some[at][0]] = from_fields(failed.error, failed.fields)
        return refused

    def _filled_in(self, manifest: Manifest) -> Manifest:
        """Return a manifest with what this runtime has for what was left open."""
        limits = with_capacity(manifest.limits, self._runtime.mailbox_capacity)
        return manifest if limits is manifest.limits else msgspec.structs.replace(manifest, limits=limits)


class Modules:
    """The modules of one call, each hashed once. What is in a file is not kept: it is read again where it is needed."""

    def __init__(self) -> None:
        # What the caller has given as the module of this sha256: a path, or whatever holds bytes.
        self._given: dict[bytes, object] = {}
        self._by_path: dict[Path, bytes] = {}
        # With what has this identity, which nobody else gets as long as it is kept.
        self._by_identity: dict[int, tuple[object, bytes]] = {}

    async def digest(self, agent: str, wasm: object) -> bytes:
        """Return the sha256 of a module; raises InvalidModule when it cannot be read or is too large."""
        if isinstance(wasm, str | PathLike):
            path = _path_of(wasm)
            found = self._by_path.get(path)
            if found is None:
                found = self._by_path[path] = await asyncio.to_thread(_digest_of, agent, path)
                self._given[found] = path
            return found
        if id(wasm) not in self._by_identity:
            digest = sha256(_bytes_of(agent, wasm)).digest()
            self._by_identity[id(wasm)] = wasm, digest
            self._given[digest] = wasm
        return self._by_identity[id(wasm)][1]

    async def content(self, manifest: Manifest) -> bytes:
        """Return the bytes of a module that was hashed. Raises InvalidModule when they are others by now."""
        agent, given = manifest.name, self._given[manifest.module]
        wasm = await asyncio.to_thread(_read, agent, given) if isinstance(given, Path) else _bytes_of(agent, given)
        if await asyncio.to_thread(lambda: sha256(wasm).digest()) != manifest.module:
            what = given if isinstance(given, Path) else "its module"
            raise InvalidModule(agent, f"{what} was changed while it was being deployed; deploy it again")
        return wasm


async def manifest_of(deployment: object, modules: Modules, system: str | None = None) -> Manifest:
    """Return what is registered for a deployment, or for it in a system; its module is read into `modules`.

    Raises why it cannot be.
    """
    if not isinstance(deployment, Deployment):
        raise ValidationError("deployments", f"{type(deployment).__name__} where a Deployment is wanted")
    name = new_name("name", deployment.name)
    encoding = Encoding.parse(deployment.encoding)
    digest = await modules.digest(name, deployment.wasm)
    limits = DEFAULT_LIMITS if deployment.limits is None else deployment.limits
    above = None if deployment.escalate_to is None else normal_name("escalate_to", deployment.escalate_to)
    can = capabilities_of(deployment.capabilities)
    version, system = (
        normal_label("version", deployment.version),
        normal_label("system", deployment.system if system is None else system),
    )
    return Manifest(name, digest, encoding, can, limits, above, deployment.weight, version=version, system=system)


def _bytes_of(agent: str, wasm: Any) -> bytes:
    """Return what any buffer holds, copied unless it is bytes already; a large one is refused before that."""
    try:
        buffer = memoryview(wasm)
    except TypeError:
        raise ValidationError("wasm", f"{type(wasm).__name__} where a path or bytes are wanted") from None
    except ValueError as error:  # it was released, or is closed
        raise ValidationError("wasm", str(error)) from None
    if buffer.nbytes > MAX_MODULE:
        raise InvalidModule(agent, str(MessageTooLarge.of(buffer.nbytes, MAX_MODULE, "module")))
    return wasm if isinstance(wasm, bytes) else buffer.tobytes()


def _path_of(wasm: Any) -> Path:
    try:
        return Path(wasm)
    except TypeError:
        raise ValidationError("wasm", f"{shown(wasm)} is a path of bytes; give it as text") from None


def _digest_of(agent: str, path: Path) -> bytes:
    return sha256(_read(agent, path)).digest()


def _read(agent: str, path: Path) -> bytes:
    try:
        return read_module(path)
    except ValidationError as error:
        raise InvalidModule(agent, f"{path}: {error.problem}") from None
