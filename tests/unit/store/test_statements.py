import sqlite3

import pytest

from caxton.store import statements
from caxton.store.schema.migrations import migrate
from caxton.store.statements import OF_STATEMENT, SIZES, count_there, delete, insert

COUNTS = (0, 1, 3, 4, 5, 255, 256, 257, 1_000)
ALL = "SELECT * FROM one UNION ALL SELECT * FROM two ORDER BY a"
KEYS = {"one": ("a",), "two": ("a", "b")}


@pytest.fixture
def db():
    """Two tables, with a key of one and of two columns."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("CREATE TABLE one (a INTEGER PRIMARY KEY, b INTEGER, c BLOB)")
    db.execute("CREATE TABLE two (a INTEGER, b INTEGER, c BLOB, PRIMARY KEY (a, b)) WITHOUT ROWID")
    yield db
    db.close()


@pytest.fixture
def said(db):
    """Every statement, in order."""
    said = []
    db.set_trace_callback(said.append)
    return said


def rows(count, blob=b"x"):
    return [(number, -number, blob) for number in range(count)]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("table", KEYS)
def test_all_are_written_counted_and_deleted_whatever_their_number(db, table, count):
    """Those that are not there are not counted, and what is not named stays."""
    columns = KEYS[table]
    insert(db, table, rows(count))
    insert(db, table, rows(count, b"y"), replace=True)
    assert db.execute(ALL).fetchall() == rows(count, b"y")
    keys = [row[: len(columns)] for row in rows(2 * count)[1:]]
    there = max(0, count - 1)
    assert count_there(db, table, keys, *columns) == there
    assert delete(db, table, keys, *columns) == there
    assert delete(db, table, keys, *columns) == 0
    assert db.execute(ALL).fetchall() == rows(count, b"y")[:1]


def test_what_is_there_is_not_written_over_unasked(db):
    """A number that was never used is written once."""
    insert(db, "one", rows(3))
    with pytest.raises(sqlite3.IntegrityError):
        insert(db, "one", rows(3))


def test_many_rows_take_few_statements(db, said):
    """10,000 rows take 43, of the sizes that are kept prepared."""
    insert(db, "one", rows(10_000))
    assert len(said) == 43
    delete(db, "one", [(number,) for number in range(10_000)], "a")
    assert len(said) == 2 * 43
    assert len({text.count("(") for text in said if text.startswith("INSERT")}) <= len(SIZES)


@pytest.mark.parametrize(("size", "wanted"), [(OF_STATEMENT // 4, 1), (OF_STATEMENT // 4 + 1, 4)])
def test_a_statement_holds_so_many_bytes_of_several_rows(db, said, size, wanted):
    """What is bound stays in memory, so large rows go one by one."""
    insert(db, "one", rows(4, bytes(size)))
    assert len(said) == wanted


@pytest.fixture
def migrated():
    """A shard's tables, empty."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    migrate(db)
    yield db
    db.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("table", "columns"), [("idempotency_keys", ("receiver", "key")), ("agent_states", ("agent_id",))]
)
def test_each_key_is_looked_up(migrated, table, columns, size):
    """No statement walks through a table, however many keys it has."""
    condition = statements._one_of(columns, size)
    for verb in ("DELETE", "SELECT count(*)"):
        sql = f"EXPLAIN QUERY PLAN {verb} FROM {table} WHERE {condition}"
        plan = [text for *_, text in migrated.execute(sql, [1] * (size * len(columns)))]
        assert not [text for text in plan if "SCAN" in text]
        assert [text for text in plan if "SEARCH" in text]
