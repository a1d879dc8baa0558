"""A file as texts for the splitters."""

import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caxton.demo.lines import MAX_TEXT_BYTES, MAX_WORD_BYTES, SPACES, texts
from caxton.errors import ValidationError

LENGTHS = [1, 2, 3, 5, 8, 1_000, 2_046, 2_047, 2_048, 2_049, 7_000]
BLOCK_LENGTHS = [20_000, 262_143, 262_144]
# Written as a number, because a file of this size is no good to read in a test's report.
FILES = st.integers(0, 2**32)
EDGES = {
    "empty": b"",
    "no newline": b"no newline",
    "one space": b" ",
    "longest word": b"x" * MAX_WORD_BYTES + b" ",
    "empty lines": b"\n" * 300_000,
    "one long line": b"word " * 200_000,
    "not UTF-8": bytes(range(256)) * 5_000,
}


def made(seed):
    """Make a file of runs of letters and white space around the sizes where something changes."""
    dice = random.Random(seed)
    runs = []
    for _ in range(dice.randrange(8)):
        kind = dice.choice([b"x", b"\xff", b"xy ", b" ", b"\n", b"\t", b"\f", b"line\n"])
        length = dice.choice(LENGTHS if kind.isalpha() or kind == b"\xff" else LENGTHS + BLOCK_LENGTHS)
        runs.append((kind * length)[:length])
    return b"".join(runs)


class Pipe(io.BytesIO):
    """Gives less than it is asked for, as pipes do."""

    def read(self, size=-1):
        return super().read(min(size, 1_000))


def read(content, kind=io.BytesIO):
    return list(texts(kind(content), "file"))


def check(content, found):
    assert b"".join(text.content for text in found) == content
    assert [word for text in found for word in text.content.split()] == content.split()
    assert sum(text.ends_line for text in found) == len(io.BytesIO(content).readlines())
    for text in found:
        if len(text.content) > MAX_TEXT_BYTES:
            assert len(text.content.split()) == 1
            assert len(text.content.strip(SPACES)) >= len(text.content) - 1


@settings(max_examples=settings().max_examples // 2)
@given(FILES)
def test_texts_are_the_file_and_cut_no_word(seed):
    """The texts are the file, cut no word, end each line once, and are short or one long word and a white space."""
    content = made(seed)
    check(content, read(content))


@pytest.mark.parametrize("content", EDGES.values(), ids=EDGES)
def test_files_at_the_edge(content):
    """The same holds for files of one kind of thing alone."""
    check(content, read(content))


@given(st.binary(max_size=5_000))
def test_any_bytes_through_a_pipe(content):
    """The same holds for any bytes, from a file that gives them a few at a time."""
    check(content, read(content, Pipe))


@pytest.mark.parametrize("before", [b"", b"short words\n", b" " * 5_000, b"yy " * 100_000])
@pytest.mark.parametrize("after", [b"", b" and more", b"\n"])
def test_a_word_beyond_the_limit_is_named_by_its_place(before, after):
    """A word beyond 60,000 bytes is refused with the file and the offset at which it begins."""
    allowed = before + b"x" * MAX_WORD_BYTES + after
    assert b"".join(text.content for text in read(allowed)) == allowed
    with pytest.raises(ValidationError) as refused:
        read(before + b"x" * (MAX_WORD_BYTES + 1) + after)
    assert f"file: the word at byte {len(before)} is longer than {MAX_WORD_BYTES} bytes" in str(refused.value)
