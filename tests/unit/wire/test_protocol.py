"""Which version of the protocol a client and a runtime speak with each other."""

import pytest

from caxton.errors import OtherProtocol
from caxton.wire.protocol import ASKED, SPOKEN, Versions, agreed


@pytest.mark.parametrize(
    ("runtime", "client", "version"),
    [((1, 1), (1, 1), 1), ((1, 3), (2, 5), 3), ((2, 5), (1, 3), 3), ((1, 3), (3, 9), 3), ((4, 4), (1, 9), 4)],
)
def test_the_newest_that_both_speak_is_agreed_on(runtime, client, version):
    """Neither has to be of the same release as the other."""
    assert agreed(Versions(*runtime), Versions(*client)) == version


@pytest.mark.parametrize(("runtime", "client"), [((1, 2), (3, 4)), ((3, 4), (1, 2)), ((2, 2), (1, 1))])
def test_without_a_common_version_both_ranges_are_told(runtime, client):
    """Whoever is too old, or too new, learns what either side speaks."""
    with pytest.raises(OtherProtocol) as caught:
        agreed(Versions(*runtime), Versions(*client))
    error = caught.value
    assert (error.runtime_oldest, error.runtime_newest) == runtime
    assert (error.client_oldest, error.client_newest) == client
    assert f"versions {runtime[0]} to {runtime[1]}" in str(error)


def test_clients_of_the_first_version_are_served_and_its_runtimes_are_refused():
    """Sessions that name no version, as at first, speak version 1; a runtime of then does not know our calls."""
    assert agreed(SPOKEN, Versions(1, 1)) == 1
    with pytest.raises(
        OtherProtocol, match="the runtime speaks versions 1 to 1 of the protocol, and this client 2 to 2"
    ):
        agreed(Versions(1, 1), ASKED)
    assert agreed(SPOKEN, ASKED) == SPOKEN.newest
