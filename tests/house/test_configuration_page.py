"""The page of settings: as the table says."""

import re
import runpy

import pytest

from caxton.config.file import read_config
from caxton.config.keys import KEYS


@pytest.fixture(scope="module")
def text(root):
    return (root / "docs/configuration.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_table_says(root, text):
    """The page is the one that `python docs/configuration_page.py` makes."""
    is_made = text == runpy.run_path(str(root / "docs/configuration_page.py"))["page"]()
    assert is_made, "write it anew with `python docs/configuration_page.py`"


def test_every_key_is_on_the_page(text):
    """With its flag and its variable."""
    assert [key.path for key in KEYS if f"| `{key.flag}` | `{key.variable}` |" not in text] == []


def test_the_example_is_right(text, tmp_path):
    """The file that the page shows has no mistake."""
    file = tmp_path / "caxton.yaml"
    file.write_text(re.search(r"```yaml\n(.*?)```", text, re.DOTALL).group(1), encoding="utf-8")
    assert read_config(file).mistakes == []
