"""Agents that accept whatever is proposed to them."""

import wasmtime

from caxton.agents.deployment import Deployment
from caxton.client.client import Client
from caxton.errors import CaxtonError
from caxton.ids import AgentId

_AT = 1_024
# {"messages": [{"performative": "accept-proposal"}]}: without a receiver it answers what is handled.
_ANSWER = b"\x81\xa8messages\x91\x81\xacperformative\xafaccept-proposal"
_MODULE = """
(module
  (memory (export "memory") 3)
  (data (i32.const {at}) "{answer}")
  (func (export "caxton_alloc") (param i32) (result i32) (i32.const 131072))
  (func (export "handle_message") (param i32 i32) (result i64) (i64.const {returns})))
"""


async def deploy_takers(client: Client, count: int) -> list[AgentId]:
    """Deploy so many takers and return their ids; raises the error of the first that is refused."""
    answer = "".join(f"\\{byte:02x}" for byte in _ANSWER)
    wasm = bytes(wasmtime.wat2wasm(_MODULE.format(at=_AT, answer=answer, returns=_AT << 32 | len(_ANSWER))))
    agents = []
    for result in await client.deploy_many(
        [Deployment(f"taker-{number}", wasm, encoding="msgpack") for number in range(count)]
    ):
        if isinstance(result, CaxtonError):
            raise result
        agents.append(result)
    return agents
