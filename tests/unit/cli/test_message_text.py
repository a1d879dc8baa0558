import json

import pytest

from caxton.acl.envelope import Envelope, Rare
from caxton.cli.message_text import content_values, letter_values, moment, name_of
from caxton.cli.output import print_json
from caxton.wire.calls import DeadLetter, Failed


def letter(**fields):
    message = Envelope(
        bytes(15) + b"\x01",
        18,
        1 << 63,
        7,
        b"hello",
        created_at=1_000,
        rare=Rare(trace_context="00-ab", receiver_name="echo"),
    )
    return DeadLetter(
        number=17,
        shard=2,
        reason="expired",
        error=Failed("MessageExpired", {"receiver": "tally", "timeout_s": 1.0}),
        attempts=3,
        died_at=2_000,
        content_bytes=5,
        envelope=fields.pop("envelope", message),
        **fields,
    )


def test_a_dead_letter_is_named_by_shard_and_number():
    """The name of a dead letter is what the commands take."""
    assert name_of(letter()) == "2-17"


def test_a_dead_letter_tells_all():
    """In JSON a dead letter has its reason, error, attempts, times, sizes, ids and trace; content only if asked."""
    values = letter_values(letter(requeued_from=5), with_content=False)

    assert (values["id"], values["reason"], values["attempts"]) == ("2-17", "expired", 3)
    assert values["error"] == {"error": "MessageExpired", "fields": {"receiver": "tally", "timeout_s": 1.0}}
    assert (values["sent_at"], values["died_at"]) == ("1970-01-01T00:00:01.000+00:00", "1970-01-01T00:00:02.000+00:00")
    assert (values["receiver"], values["sender"]) == ("0000000000000007", "8000000000000000")
    assert (values["content_bytes"], values["requeued_from"], values["trace_context"]) == (5, "2-5", "00-ab")
    assert values["performative"] == "request"
    assert "content" not in values
    assert letter_values(letter(), with_content=True)["content"] == "hello"


def test_extreme_values_are_printed(capsys):
    """A letter with the largest ids and numbers that travel is printed as JSON all the same."""
    most = (1 << 64) - 1
    message = Envelope(b"\xff" * 16, 21, most, most, b"\xff", created_at=most)

    print_json(letter_values(letter(envelope=message), with_content=True))

    values = json.loads(capsys.readouterr().out)
    assert values["content_base64"] == "/w=="
    assert values["sent_at"] == f"{most} ms"


@pytest.mark.parametrize(
    ("content", "name"), [(b"", "content"), ("ö".encode(), "content"), (b"\xff", "content_base64")]
)
def test_content_is_text_if_it_can_be(content, name):
    """Content that is UTF-8 is shown as text, other content in base64."""
    assert list(content_values(content)) == [name]


def test_no_moment_is_none():
    """Where nothing happened there is no moment."""
    assert moment(None) is None
