"""Having the modules of manifests compiled without a runtime: by the process and within the limits of a deployment."""

import asyncio
from pathlib import Path

from caxton.agents.limits import DEFAULT_LIMITS, Limits
from caxton.cli.progress import modules_done
from caxton.errors import CaxtonError, DeploymentError, ValidationError
from caxton.manifests.reading import Reading
from caxton.store.module_file import read_module
from caxton.supervisor.compiler.process import COMPILER_COMMAND, CompilerProcess
from caxton.wire.compile_job import CompileJob


async def check_modules(reading: Reading) -> None:
    """Have each module compiled once for each limit of memory; what is refused is a mistake of all who name it."""
    answers: dict[tuple[Path, int], str | None] = {}
    kinds = {_kind(one.wasm, one.limits) for one in reading.agents}
    with modules_done(len(kinds)) as advance:
        for one in reading.agents:
            kind = _kind(one.wasm, one.limits)
            if kind not in answers:
                answers[kind] = await _problem(one.name, kind[0], one.limits or DEFAULT_LIMITS)
                advance(1)
            if (problem := answers[kind]) is not None:
                place = reading.places[one.name]
                reading.mistakes.add(place.file, place.module_line, "wasm", problem)


def _kind(wasm: object, limits: Limits | None) -> tuple[Path, int]:
    return Path(str(wasm)), (limits or DEFAULT_LIMITS).max_memory_bytes


async def _problem(agent: str, path: Path, limits: Limits) -> str | None:
    """Return why a module is refused, None if it is not."""
    try:
        compiler = CompilerProcess(COMPILER_COMMAND)
    except OSError as error:
        return f"it cannot be compiled here: {error.strerror}"
    try:
        if await compiler.ready() is None:
            return "it cannot be compiled here: the compiler does not start"
        await compiler.compile(CompileJob(agent, limits, await asyncio.to_thread(read_module, path)))
    except DeploymentError as error:
        names = ", ".join(getattr(error, "names", ()))
        return f"{error.problem} ({names})" if names else error.problem
    except ValidationError as error:  # it was read before, so somebody has put something else there
        return error.problem
    except (CaxtonError, OSError) as error:
        return str(error)
    finally:
        compiler.end()
    return None
