"""Caxton: many WebAssembly agents that nobody has to trust, talking in FIPA-ACL messages.

Only `connect` is here, and it is loaded at first use: every worker process pays for what this file imports.
"""

from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "connect"]


def __getattr__(name: str) -> Any:
    if name == "connect":
        from caxton.client.client import connect  # noqa: PLC0415 (a worker must not load the client)

        return connect
    raise AttributeError(f"module 'caxton' has no attribute {name!r}")
