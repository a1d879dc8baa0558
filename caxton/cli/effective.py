"""What `caxton serve` is told, by setting, and by whom."""

from typing import Any

from caxton.cli.layers import layers_of, source_of
from caxton.cli.options import resolve_data_dir, resolve_runtime_dir
from caxton.config.effective import CHANGEABLE
from caxton.config.keys import KEYS, Key, Kind
from caxton.config.setting import Setting


def effective(ctx: Any) -> list[Setting]:
    """Return every setting as a command with the options of `caxton serve` has it. Raises ConfigurationError."""
    return [_setting(key, ctx) for key in KEYS]


def _setting(key: Key, ctx: Any) -> Setting:
    name = key.option
    source, value = source_of(ctx, name), ctx.params[name]
    if key.name == "preset" and value is None and (found := layers_of(ctx).get("preset")):
        value = found.value
    if key.kind is Kind.PATH:
        value = str(resolve_runtime_dir(value) if name == "runtime_dir" else resolve_data_dir(value))
    elif key.kind is Kind.FILE and value is not None:
        value = str(value)
    place = {"flag": key.flag, "environment": key.variable}.get(source)
    if place is None and source != "default":
        place = layers_of(ctx)[name].place
    return Setting(
        key=key.path,
        value=key.written(value),
        source=source,
        place=place,
        sets=key.sets or None,
        changeable=key.path in CHANGEABLE,
    )
