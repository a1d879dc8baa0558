import pytest

MOST_LINES = 400
MOST_LINES_OF_A_TEST = 500


@pytest.mark.parametrize(
    ("folder", "most"),
    [
        ("caxton", MOST_LINES),
        ("workers", MOST_LINES),
        ("bench", MOST_LINES),
        ("tests", MOST_LINES_OF_A_TEST),
    ],
)
def test_no_file_outgrows_its_noun(sources, folder, most):
    """No Python file is longer than its folder allows."""
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources(folder)}

    assert {path: lines for path, lines in lengths.items() if lines > most} == {}


def test_scripts_only_start_things(root):
    """No script is longer than about ten lines: what is more belongs into tox or the package."""
    lengths = {path.name: len(path.read_text().splitlines()) for path in (root / "scripts").iterdir()}

    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > 14} == {}
