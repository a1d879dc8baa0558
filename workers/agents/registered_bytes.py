"""What agents say of themselves, in bytes: beside their number, that is what a shard's registrations take of memory."""

from caxton.agents.manifest import Manifest

# Of all agents of a shard. With one capability each a million fit.
MOST_REGISTERED_BYTES = 384 << 20
# Of the index, beside the text itself; measured with 64 of each agent.
_EACH_CAPABILITY = 320


def registered_bytes(manifest: Manifest) -> int:
    """Return what the texts of a manifest take in memory, about: as they are, and as others are told them."""
    names = manifest.name, manifest.version, manifest.system, manifest.escalate_to or ""
    length = sum(len(text.encode()) for text in (*names, *manifest.capabilities))
    return 2 * length + _EACH_CAPABILITY * len(manifest.capabilities)
