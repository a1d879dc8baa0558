"""The client of a runtime on another machine, by its gateway."""

from caxton.client.client import Client
from caxton.remote.agents import RemoteAgents
from caxton.remote.event_calls import RemoteEvents
from caxton.remote.figures import RemoteFigures
from caxton.remote.letters import RemoteLetters
from caxton.remote.negotiations import RemoteNegotiations


class RemoteClient(RemoteNegotiations, RemoteAgents, RemoteLetters, RemoteFigures, RemoteEvents, Client):
    """The calls of `Client` that HTTP has, with the same results and errors; the others raise Unsupported.

    Made by `caxton.connect` for a URL. Names of agents travel as they are: `id_of` knows those that it was told.
    """
