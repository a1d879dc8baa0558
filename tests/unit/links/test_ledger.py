"""What a dead worker's books say."""

from caxton.links.ledger import BookView, Loss, Totals, close_books


def book(owner, links, **counters):
    return BookView(owner, counters, {peer: Totals(*totals) for peer, totals in links.items()})


def test_a_death_costs_what_was_on_its_way_in_and_out_and_what_was_queued():
    """Each term is counted once, from the books of both ends."""
    dead = book(1, {2: (100, 40), 3: (0, 7), 4: (5, 0)}, queued=11)
    others = [book(2, {1: (50, 90)}), book(3, {1: (7, 0)}), book(4, {1: (0, 5), 2: (1_000, 0)})]
    loss = close_books(dead, others)
    assert loss == Loss(inbound=10, queued=11, outbound=10)
    assert loss.total == 31


def test_a_source_that_the_dead_never_heard_of_has_lost_everything_it_sent():
    """The dead has no row for it."""
    assert close_books(book(1, {}), [book(2, {1: (9, 0)})]) == Loss(9, 0, 0)


def test_what_went_to_a_peer_without_books_is_unknown():
    """Nobody can say whether it came, so it is no known loss."""
    loss = close_books(book(1, {9: (30, 0)}), [book(1, {1: (5, 5)})])
    assert (loss.total, loss.unknown) == (0, 30)


def test_books_that_were_committed_after_the_fact_never_make_a_loss_negative():
    """A target may have taken what the dead had sent before its last commit."""
    assert close_books(book(1, {2: (10, 20)}), [book(2, {1: (15, 12)})]).total == 0
