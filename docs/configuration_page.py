"""Writes docs/configuration.md from the table of keys: `python docs/configuration_page.py`.

A test holds the page to it.
"""

from pathlib import Path
from typing import Any

from caxton.config.file import MAX_FILE_BYTES
from caxton.config.keys import KEYS, PRESET_NAMES, REFUSED, SECTIONS, Key, Kind
from caxton.config.presets import PRESETS

PAGE = Path(__file__).with_name("configuration.md")
HEAD = """# Configuration

Every setting of `caxton serve`. `python docs/configuration_page.py` writes this page from `caxton/config/keys.py`.

A setting may be a flag, a variable of the environment, a key of a file, and part of a preset; what comes first in this
list counts, and then its default. The file is named by `--config` or `CAXTON_CONFIG_PATH`, the preset by `--preset`,
`CAXTON_PRESET` or the file's key `preset`. An empty variable is none.

```yaml
preset: production        # what this file does not say
runtime:
  data_dir: ./data        # relative to this file
  log_level: info
router:
  worker_thread_count: 4
  retention: 36h
```

```sh
caxton config validate caxton.yaml       # all mistakes at once: line, key, what may be chosen; then exit code 1
caxton config show --config caxton.yaml --effective    # every setting, and where it comes from
caxton serve --config caxton.yaml --retention 12h
```

`caxton config show` takes the flags of `caxton serve` behind `--`. Other commands look for the runtime where the file
of `CAXTON_CONFIG_PATH` has its `runtime_dir`; programs that connect are told by `CAXTON_RUNTIME_DIR`.

**Number of workers.** It counts when the data directory is made. Later another number in a file, a variable or a preset
changes nothing: `caxton serve` says so (`workers_as_made`) and goes on, and `caxton reshard` changes it. As a flag,
`--workers` is refused if it is not the number that the data directory was made with.

**Queues.** What is kept has its bounds whatever these say: `inbound_queue_size` is the mailbox of an agent that is
deployed or attached later without a `mailbox_capacity` of its own, and clients wait from three quarters of it on; all
mailboxes of a shard hold 200,000 messages and 256 MiB. `outbound_queue_size` is what one client may have on its way to
one shard, on each lane; many clients share 32,768 messages, so that each has less, and what more it sends waits in its
program. Between shards nothing is set: 65,536 messages and 64 MiB wait for each other one. [limits.md](limits.md) has
all of it.

**Retries.** `max_retries` is for durable messages whose options have the usual number, 3, and for all that guests
send: `DeliveryOptions(max_retries=5)` stays 5. It holds when a message fails, also for those that wait since before.

**The file.** One document of YAML in UTF-8, at most SIZE KiB. It must be the user's own or root's, and nobody else may
write it; a link to such a file will do. Anchors, aliases, tags, lists and keys that come twice are mistakes. A file
with a mistake is not used at all.
"""
REFUSED_HEAD = """What was specified and is not done, since each message would pay for it. In a file it is a mistake.
"""


def page() -> str:
    """Return the whole page."""
    parts = [HEAD.replace("SIZE", str(MAX_FILE_BYTES >> 10)), "\n## Keys\n"]
    for section in ("", *SECTIONS):
        title = f"`{section}:`" if section else "At the top"
        rows = "".join(f"| {' | '.join(_row(key))} |\n" for key in KEYS if key.section == section)
        parts.append(
            f"\n### {title}\n\n| key | what | may be | default | flag | variable |\n|---|---|---|---|---|---|\n{rows}"
        )
    names = " | ".join(PRESET_NAMES)
    changed = [key for key in KEYS if any(key.option in values for values in PRESETS.values())]
    rows = "".join(
        f"| `{key.path}` | {' | '.join(_of_preset(key, name) for name in PRESET_NAMES)} |\n" for key in changed
    )
    parts.append(f"\n## Presets\n\n| key | {names} |\n|---|{'---|' * len(PRESET_NAMES)}\n{rows}")
    rows = "".join(f"| `{path}` | {why} | {instead} |\n" for path, (why, instead) in REFUSED.items())
    parts.append(f"\n## What is no setting\n\n{REFUSED_HEAD}\n| key | why | instead |\n|---|---|---|\n{rows}")
    return "".join(parts)


def _row(key: Key) -> list[str]:
    bounds = f"{key.kind.value}: {key.bounds}" if key.bounds else key.kind.value
    return [f"`{key.name}`", key.means, bounds, _default(key), f"`{key.flag}`", f"`{key.variable}`"]


def _default(key: Key) -> str:
    return key.unset if key.default is None else _shown(key, key.default)


def _of_preset(key: Key, name: str) -> str:
    return _shown(key, PRESETS[name][key.option]) if key.option in PRESETS[name] else _default(key)


def _shown(key: Key, value: Any) -> str:
    written = key.written(value)
    if key.kind is Kind.SWITCH:
        return str(written).lower()
    return f"{written:,}" if isinstance(written, int) else str(written)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
