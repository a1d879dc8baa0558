import os
import shutil
from pathlib import Path

import caxton.guests
from caxton.cli.validation import check_modules
from caxton.manifests.reading import examine

ECHO = Path(caxton.guests.__file__).parent / "echo.wasm"


async def test_a_module_that_is_none_any_more_is_a_mistake(tmp_path):
    """What was a file when the manifest was read is looked at again, and holds up nobody."""
    manifest, module = tmp_path / "agent.toml", tmp_path / "echo.wasm"
    manifest.write_text('name = "echo"\nwasm = "echo.wasm"\n')
    shutil.copy(ECHO, module)
    reading = examine([manifest])
    module.unlink()
    os.mkfifo(module)
    await check_modules(reading)

    assert [(one.line, one.key, one.problem) for one in reading.mistakes.found] == [(2, "wasm", "not a regular file")]
