"""A command whose options may come from a file and a preset too: below flags and the environment, above defaults.

The command line's library has the layers: what `default_map` says counts where neither a flag nor a variable does, and
it knows of each value which layer it came from.
"""

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from caxton.cli.command_group import load

_LAYERS = "caxton.cli.layers"

# Of commands that say what `caxton serve` would do.
ServeFlags = Annotated[
    list[str] | None, typer.Argument(metavar="-- FLAGS...", help="Flags of `caxton serve`, as it would be given them.")
]
ServeConfig = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="The file. Otherwise CAXTON_CONFIG_PATH.")
]
ServePreset = Annotated[
    str | None, typer.Option("--preset", metavar="NAME", help="The preset. Otherwise CAXTON_PRESET.")
]


class LayeredCommand(TyperCommand):
    """It has the options --config and --preset. A file that is not as it should be is a ConfigurationError."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the file and the preset before the options that they are for."""
        given, _, _ = self.make_parser(ctx).parse_args(args=[*args])
        if not ctx.resilient_parsing and not given.get("help"):
            path = given.get("config") or os.environ.get("CAXTON_CONFIG_PATH")
            preset = given.get("preset") or os.environ.get("CAXTON_PRESET")
            if path or preset:
                ctx.meta[_LAYERS] = found = _layered(path, preset)
                ctx.default_map = {name: layer.value for name, layer in found.items()}
        return super().parse_args(ctx, args)


def serve_context(config: str | None, preset: str | None, flags: list[str] | None) -> Any:
    """Return `caxton serve` as it reads these. Raises ConfigurationError, and what a wrong command line raises."""
    given = [*(["--config", config] if config else []), *(["--preset", preset] if preset else []), *(flags or [])]
    return load("serve").make_context("caxton serve", given)


def layers_of(ctx: Any) -> dict[str, Any]:
    """Return what the file and the preset of a command say, by parameter: each a `caxton.config.layers.Found`."""
    return dict(ctx.meta.get(_LAYERS, {}))


def source_of(ctx: Any, parameter: str) -> str:
    """Return which layer a value came from: flag, environment, file, preset or default."""
    source = ctx.get_parameter_source(parameter)
    named = {"COMMANDLINE": "flag", "ENVIRONMENT": "environment"}.get("" if source is None else source.name)
    if named is None and source is not None and source.name == "DEFAULT_MAP":
        named = layers_of(ctx)[parameter].source
    return named or "default"


def _layered(path: str | None, preset: str | None) -> dict[str, Any]:
    from caxton.config.layers import layered  # noqa: PLC0415 (who has no file does not load what reads it)

    return layered(Path(path) if path else None, preset or None)
