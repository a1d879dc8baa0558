"""What a row of the supervisor's audit says of what was asked of it, and of what happened. Pure: time comes in."""

from collections.abc import Iterator, Mapping
from typing import Any

from caxton.supervisor.events import Event
from caxton.wire.audit import RUNTIME, Entry
from caxton.wire.tokens import TokenView

# Events that are rows too, and what each is about; {} is filled in from its fields.
_INCIDENTS = {
    "compiler_died": "compiler",
    "file_put_back": "{path}",
    "files_gone": "files",
    "gateway_died": "gateway",
    "gateway_failed": "gateway",
    "shard_failed": "shard {shard}",
    "shard_quarantined": "shard {shard}",
    "worker_died": "shard {shard}",
    "worker_hung": "shard {shard}",
    "worker_over_memory": "shard {shard}",
}


def incident(event: Event, at: int) -> Entry | None:
    """Return the row of an event that is one."""
    about = _INCIDENTS.get(event.name)
    return None if about is None else Entry(at, event.name, RUNTIME, about.format(**event.fields), event.text)


def token_created(token: TokenView, principal: str, at: int) -> Entry:
    """A token was made: what it grants."""
    until = "" if token.expires_at is None else f", until {token.expires_at}"
    grants = f"role {token.role}, agents {' '.join(token.agents)}{until}"
    return Entry(at, "create_token", principal, f"token:{token.token_id}", f"{token.name}: {grants}")


def token_revoked(token: TokenView, principal: str, at: int) -> Entry:
    """A token lets nobody in any more."""
    return Entry(at, "revoke_token", principal, f"token:{token.token_id}", token.name)


def settings_changed(values: Mapping[str, Any], principal: str, at: int) -> Iterator[Entry]:
    """Settings were changed until the runtime ends."""
    for key, value in values.items():
        yield Entry(at, "change_setting", principal, key, "as nobody sets it" if value is None else f"to {value}")
