"""What is remembered of an agent whose turns took long."""


class LongTurns:
    """Made at a long visit, kept until it is forgiven; `workers.queues.turn_time` owns it.

    next_ns: the virtual time from which it may have its next turn. took_ns: its last visit. until_ns: when (monotonic)
    a short visit forgives it.
    """

    __slots__ = ("next_ns", "took_ns", "until_ns")

    def __init__(self, at_ns: int) -> None:
        self.next_ns = at_ns
        self.took_ns = self.until_ns = 0
