import ast
import re

BANNED = {"manager", "handler", "helper", "helpers", "util", "utils", "impl", "base", "data", "info"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
WORDS = """
agent shard worker slot supervisor incarnation session mailbox link inlet outlet frame message lane level credit pass
turn effect outbox in_buffer out_buffer crash_note dispatcher registry placement sandbox guest host_function trap fuel
epoch_deadline dead_letter ready alive restart_policy ledger capability performative sender receiver reply_to content
language encoding ontology protocol conversation_id reply_with in_reply_to reply_by
attached_agent source target mark acknowledgement refusal receipt hello greeting book file commit_batch commit journal
delivery row state retry circuit_breaker hold idempotency_key requeue purge poison root charge suspect recovery
quarantined
"""


def last_word(name):
    """The noun that a class name ends with: a DataFrame is a frame."""
    return re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", name)[-1].lower()


def test_no_class_has_an_empty_noun(sources, tree):
    """No class is a Manager, Handler, Helper, Utils, Impl, Base, Data or Info."""
    named = [
        f"{path}: {node.name}"
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and last_word(node.name) in BANNED
    ]

    assert named == []


def test_no_module_has_an_empty_noun(sources):
    """No module is called after one of the words that say nothing."""
    assert [str(path) for path in sources() if BANNED & set(path.stem.split("_"))] == []


def test_nothing_is_left_for_later(root, pages):
    """No page, script, configuration or guest holds a mark of unfinished work (ruff looks after the Python files)."""
    guests = [*root.glob("caxton/**/*.c"), *root.glob("tests/**/*.wat"), *root.glob("tests/**/*.c")]
    files = [*pages, *guests, *(root / "scripts").iterdir(), root / "tox.ini", root / "pyproject.toml"]

    assert [str(path) for path in files if UNFINISHED.search(path.read_text(encoding="utf-8"))] == []


def test_the_glossary_explains_every_word_once(root):
    """The glossary has exactly one entry for each word of the house."""
    entries = re.findall(
        r"^\| \*\*([^*]+)\*\* \|", (root / "docs/glossary.md").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert len(entries) == len(set(entries))
    assert set(WORDS.split()) - {entry.replace(" ", "_") for entry in entries} == set()
