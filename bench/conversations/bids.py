"""What is negotiated for in every contract net of the bench: one job, and what each bidder asks for it."""

import msgspec

from caxton.demo.carriers import Asked
from caxton.demo.freight import Tariff

JOB = b'{"km": 480, "kg": 1200}'


def tariff_of(place: int) -> Tariff:
    """Return what the bidder at that place asks: more than all before it, so that the first wins."""
    return Tariff(1_000 + place, 9, 3, 2_500, 8_000)


def bid(place: int, job: bytes) -> bytes:
    """Return the price that the bidder at that place proposes, as `caxton/guests/carrier.c` does; b"": it refuses."""
    asked = msgspec.json.decode(job, type=Asked)
    price = tariff_of(place).price(asked.km, asked.kg)
    return b"" if price is None else b"%d" % price
