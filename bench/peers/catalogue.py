"""The peers: what each needs to be installed, and which module measures it."""

import importlib.util
import shutil
import sys
from dataclasses import dataclass

from bench.peers.surroundings import PATH

_INSTALL = "pip install '.[peers]'"
_ACTORS = "its actors have no performatives, and no contract net is written for them here"
_TRANSPORT = "it moves messages, and has no agents that could bid"


@dataclass(frozen=True)
class Peer:
    """A peer and the command that measures it, to which bytes and seconds are added.

    modules, programs: what must be there. install: how to get it. own_network: it listens on more addresses than it is
    told, and so runs only in a network that has nothing but a loopback. why_no_net: why it holds no contract net; empty
    where it does.
    """

    name: str
    command: tuple[str, ...]
    modules: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    install: str = _INSTALL
    own_network: bool = False
    why_no_net: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether everything that it needs is there."""
        modules = all(importlib.util.find_spec(module) for module in self.modules)
        return modules and all(shutil.which(program, path=PATH) for program in self.programs)


def _measured_by(module: str) -> tuple[str, ...]:
    return sys.executable, "-m", f"bench.peers.{module}"


CAXTON = Peer("caxton", _measured_by("caxton_agents"))
PEERS = {
    peer.name: peer
    for peer in (
        CAXTON,
        Peer("autogen", _measured_by("autogen_agents"), modules=("autogen_core",)),
        Peer("pyzmq", _measured_by("raw_pyzmq"), why_no_net=_TRANSPORT),
        Peer(
            "erlang",
            _measured_by("erlang_vms"),
            programs=("erl", "erlc", "epmd"),
            install="Erlang/OTP, with erl, erlc and epmd on the PATH",
            why_no_net=_ACTORS,
        ),
        Peer(
            "nats",
            _measured_by("nats_request"),
            modules=("nats",),
            programs=("nats-server",),
            why_no_net=_TRANSPORT,
        ),
        Peer("pykka", _measured_by("pykka_actors"), modules=("pykka",), why_no_net=_ACTORS),
        Peer("ray", _measured_by("ray_actors"), modules=("ray",), own_network=True, why_no_net=_ACTORS),
        Peer("spade", _measured_by("spade_agents"), modules=("spade", "pyjabber"), own_network=True),
        Peer("thespian", _measured_by("thespian_actors"), modules=("thespian",), own_network=True, why_no_net=_ACTORS),
        Peer("xoscar", _measured_by("xoscar_actors"), modules=("xoscar",), why_no_net=_ACTORS),
    )
}
