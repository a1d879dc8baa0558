import os

import pytest

from caxton.agents.deployment import Deployment
from caxton.client.calls.deployments import Modules, manifest_of
from caxton.errors import InvalidModule, ValidationError


class Shared(bytearray):
    """Bytes of a caller's, of which no second ones are to be kept."""


@pytest.fixture
def modules():
    return Modules()


@pytest.fixture
def manifest(modules):
    async def of(wasm):
        return await manifest_of(Deployment("a", wasm), modules)

    return of


async def test_a_module_that_cannot_be_read_says_so(manifest, tmp_path):
    """It is an error of the deployment, with the path; nothing that is there holds up whoever deploys it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, says in (
        (tmp_path / "none.wasm", "none.wasm: No such file or directory"),
        (pipe, "pipe: not a regular file"),
        ("/dev/zero", "/dev/zero: not a regular file"),
        (tmp_path, "not a regular file"),
        ("a\0b", "null byte"),
    ):
        with pytest.raises(InvalidModule, match=says):
            await manifest(path)


async def test_what_is_no_module_at_all_is_refused(manifest):
    """Neither a path nor bytes; nor bytes that somebody has let go of."""

    class OfBytes:
        def __fspath__(self):
            return b"a.wasm"

    released = memoryview(b"")
    released.release()
    for wasm in (5, None, OfBytes(), released):
        with pytest.raises(ValidationError):
            await manifest(wasm)


async def test_a_link_is_what_it_leads_to(manifest, modules, tmp_path):
    """Whoever names a link means that."""
    (tmp_path / "link").symlink_to(tmp_path / "a.wasm")
    (tmp_path / "a.wasm").write_bytes(b"x")

    assert await modules.content(await manifest(tmp_path / "link")) == b"x"


def held(modules):
    """What is kept of modules, but for their names."""
    return [*modules._given.values(), *(given for given, _ in modules._by_identity.values())]


async def test_what_is_in_files_is_not_kept(manifest, modules, tmp_path):
    """However many there are: each is read again when it is sent. Bytes are the caller's own, not copies of them."""
    paths = [tmp_path / f"{number}.wasm" for number in range(5)]
    for path in paths:
        path.write_bytes(path.name.encode())
    shared = Shared(b"shared")
    found = [await manifest(path) for path in (*paths, *map(str, paths), shared)]

    assert [await modules.content(one) for one in found] == [*(path.name.encode() for path in paths)] * 2 + [b"shared"]
    assert {type(one) for one in held(modules)} == {type(paths[0]), Shared}
    assert all(one is shared for one in held(modules) if isinstance(one, Shared))


async def test_a_module_that_changes_meanwhile_is_refused(manifest, modules, tmp_path):
    """What was registered under a hash is never something else."""
    path, shared = tmp_path / "a.wasm", Shared(b"one")
    path.write_bytes(b"one more")
    found = [await manifest(wasm) for wasm in (path, shared)]
    path.write_bytes(b"another")
    shared[0] = 0
    for one in found:
        with pytest.raises(InvalidModule, match="was changed while it was being deployed"):
            await modules.content(one)
    path.unlink()
    with pytest.raises(InvalidModule, match="No such file"):
        await modules.content(found[0])


async def test_what_is_too_long_is_not_copied(manifest):
    """A buffer of any kind says how long it is."""
    for wasm in (bytes(64 << 20 | 1), memoryview(bytearray(64 << 20 | 1))):
        with pytest.raises(InvalidModule, match="67108865 bytes"):
            await manifest(wasm)
