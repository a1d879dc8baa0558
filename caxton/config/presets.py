"""Values for a purpose: what holds where neither a flag, nor the environment, nor a file says anything."""

from typing import Any

from caxton.config.keys import BY_PATH

# By name, then by key, as a file would write it. What a preset leaves out has its default.
_VALUES: dict[str, dict[str, int | float | str]] = {
    "development": {
        "runtime.log_level": "debug",
        "router.worker_thread_count": 2,
        "router.conversation_timeout_ms": 1_800_000,
        "router.inbound_queue_size": 1_000,
        "router.outbound_queue_size": 1_000,
        "router.max_retries": 3,
    },
    "testing": {
        "runtime.log_level": "info",
        "router.worker_thread_count": 4,
        "router.conversation_timeout_ms": 2_700_000,
        "router.inbound_queue_size": 10_000,
        "router.outbound_queue_size": 4_000,
        "router.max_retries": 4,
    },
    "production": {
        "runtime.log_level": "warning",
        "router.worker_thread_count": 16,
        "router.conversation_timeout_ms": 3_600_000,
        "router.inbound_queue_size": 100_000,
        "router.outbound_queue_size": 8_192,  # 100,000 were specified: this is the most there is
        "router.max_retries": 5,
    },
}
# By name, then by parameter of `caxton serve`, as that takes it.
PRESETS: dict[str, dict[str, Any]] = {
    name: {BY_PATH[path].option: BY_PATH[path].read(str(value)) for path, value in values.items()}
    for name, values in _VALUES.items()
}
