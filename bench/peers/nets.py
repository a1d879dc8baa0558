"""The contract net that Caxton and peers hold (FIPA SC00029): one asks ten, each proposes, the cheapest does it.

A round is 31 messages: ten calls for proposals, ten proposals, an acceptance, nine rejections, and that it is done.
"""

from collections.abc import Sequence

from bench.load.closed_loop import WrongAnswer

BIDDERS = 10
# Rounds under way: what is tried, to find how many are best.
AT_ONCE = (1, 4, 16, 32)
CFP, PROPOSE, ACCEPT, REJECT, INFORM = "cfp", "propose", "accept-proposal", "reject-proposal", "inform"
NOT_SELECTED = "Proposal not selected"


def cheapest(prices: Sequence[int]) -> int:
    """Return whose price is the lowest; raises WrongAnswer unless that is the first of ten, as the tariffs have it."""
    place = min(range(len(prices)), key=prices.__getitem__)
    if (len(prices), place) != (BIDDERS, 0):
        raise WrongAnswer(f"bidder {place} of {len(prices)} was the cheapest")
    return place
