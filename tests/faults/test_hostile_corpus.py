"""Every kind of the hostile corpus, in a sandbox: it meets what it must, and the guest beside it goes on."""

import random

import msgspec
import pytest

from caxton.agents.manifest import Encoding
from faultlab.hostile import mutants
from faultlab.hostile.cell import OUTCOMES, Cell
from faultlab.hostile.corpus import kinds

KINDS = kinds()
ALONE = [kind for kind in KINDS if not kind.apart]


@pytest.fixture(scope="module")
def cell():
    with Cell() as cell:
        yield cell


def test_the_corpus_is_large_enough_and_names_every_kind_once():
    """There are at least 80 kinds, each with a name of its own and something that it must meet."""
    assert len(KINDS) >= 80
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert all(kind.meets for kind in KINDS)


@pytest.mark.parametrize("kind", ALONE, ids=lambda kind: kind.name)
def test_every_kind_meets_what_it_must(cell, kind):
    """A hostile guest is refused, stopped or told for the right reason in each encoding, and its neighbour answers."""
    outcomes = {encoding: cell.outcome(kind.wasm, kind.limits, encoding) for encoding in kind.encodings}

    assert {encoding: o for encoding, o in outcomes.items() if o not in kind.meets} == {}
    assert cell.neighbour_answers()


def test_sections_are_found_and_put_together_again():
    """What the mutator reads of a module is the whole of it."""
    wasm = next(kind for kind in ALONE if kind.name == "a call beyond the table").wasm
    assert mutants._joined(wasm, mutants.sections(wasm)) == wasm
    assert [section.kind for section in mutants.sections(wasm)][:6] == [1, 3, 4, 5, 7, 10]


@pytest.mark.parametrize("way", dict.fromkeys(mutants._WAYS), ids=lambda way: way.__name__)
def test_mutants_end_in_a_known_way(cell, way):
    """Whatever is changed in hostile modules, each ends as guests may, and an echo beside them goes on."""
    dice = random.Random(way.__name__)
    seeds = [kind for kind in ALONE if len(kind.wasm) < 2_000]
    outcomes = set()
    for kind in dice.choices(seeds, k=40):
        limits = msgspec.structs.replace(kind.limits, max_fuel=100_000)
        outcomes.add(cell.outcome(way(kind.wasm, dice), limits, Encoding.MSGPACK))

    assert outcomes <= OUTCOMES
    assert cell.neighbour_answers()


def test_the_same_dice_make_the_same_mutant():
    """A mutant is known by its seed."""
    wasm = ALONE[-1].wasm
    made = [mutants.mutant(wasm, random.Random(7)) for _ in range(2)]
    assert made[0] == made[1] != wasm
