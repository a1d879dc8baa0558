"""Deploying an agent by HTTP: what it is as JSON, with its module in base64, or as a form with a file."""

from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.datastructures import UploadFile

from caxton.agents.deployment import Deployment
from caxton.agents.limits import DEFAULT_LIMITS, Limits
from caxton.agents.manifest import DEFAULT_WEIGHT
from caxton.agents.names import normal_name
from caxton.errors import CaxtonError, InvalidMessageFormat
from caxton.forms.agent_form import AgentForm
from caxton.gateway.body import as_kind, check_form, check_json, read
from caxton.gateway.caller import Caller
from caxton.gateway.limits import DEPLOY_TIMEOUT_S
from caxton.tokens.role import Role

FORM = "multipart/form-data"


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of an agent, as in a manifest file: docs/manifests.md has what each may be."""

    name: str
    encoding: str = "content"
    capabilities: tuple[str, ...] = ()
    limits: Limits = DEFAULT_LIMITS
    escalate_to: str | None = None
    weight: int = DEFAULT_WEIGHT
    version: str = ""
    system: str = ""


class AgentToDeploy(About, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An agent and its module. wasm: the module in base64."""

    wasm: str


@post("/v1/agents", summary="Deploy an agent", tags=["agents"], opt={"body": AgentToDeploy, "form": About})
async def deploy_agent(caller: Caller, request: Request[Any, Any, Any]) -> Response[AgentForm]:
    """Deploy one agent; as a form its part `agent` is the JSON without `wasm`, and its part `wasm` the file."""
    caller.grant.allows_some(Role.ADMIN)  # before a module is there
    about, wasm = await _of_form(request) if check_json(request, FORM) == FORM else await _of_json(request)
    caller.grant.allows(Role.ADMIN, normal_name("name", about.name))
    if about.escalate_to is not None:
        caller.grant.allows(Role.ADMIN, normal_name("escalate_to", about.escalate_to))
    deployment = Deployment(
        about.name,
        wasm,
        about.encoding,
        about.capabilities,
        about.limits,
        about.escalate_to,
        about.weight,
        about.version,
        about.system,
    )
    async with caller.speaking() as client:
        (deployed,) = await client.deploy_many([deployment], timeout_s=DEPLOY_TIMEOUT_S)
        if isinstance(deployed, CaxtonError):
            raise deployed
        form = AgentForm.of(await client.inspect(deployed))
    return Response(form, status_code=201, headers={"Location": f"/v1/agents/{deployed}"})


async def _of_json(request: Request[Any, Any, Any]) -> tuple[About, bytes]:
    found = await read(request, AgentToDeploy, large="wasm")
    try:
        return found, msgspec.convert(found.wasm, bytes)  # in a tenth of the time that Python's own base64 takes
    except msgspec.ValidationError as error:
        raise InvalidMessageFormat("wasm", f"its base64 cannot be read: {error}") from None


async def _of_form(request: Request[Any, Any, Any]) -> tuple[About, bytes]:
    try:
        parts = await request.form()
    except (LookupError, UnicodeDecodeError) as error:  # a charset that there is not, or text that is none of it
        raise InvalidMessageFormat("body", f"a part of the form cannot be read: {error}") from None
    if {*parts} != {"agent", "wasm"} or len([*parts.multi_items()]) != len({*parts}):
        raise InvalidMessageFormat("body", "a form has the parts agent and wasm, each once, and no others")
    about, module = parts["agent"], parts["wasm"]
    raw = await about.read() if isinstance(about, UploadFile) else str(about).encode()
    if not isinstance(module, UploadFile):
        raise InvalidMessageFormat("wasm", "send it as a file, with a filename")
    check_form(request, raw)
    return as_kind(raw, About), await module.read()


ROUTES: list[Any] = [deploy_agent]
