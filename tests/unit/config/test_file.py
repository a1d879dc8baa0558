import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caxton.config.file import MAX_FILE_BYTES, read_config
from caxton.config.keys import BY_PATH, KEYS, REFUSED, Kind
from caxton.config.yaml_lines import MAX_DEPTH, MOST_MISTAKES, Document
from caxton.errors import ConfigurationError

# Values of those kinds that have neither a least one nor a choice.
LEAST = {Kind.ADDRESS: "127.0.0.1:8080", Kind.NAMES: "caxton.example", Kind.LEVELS: "guest=debug"}


@pytest.fixture
def read(tmp_path):
    """Reads a file with this text, or these bytes."""

    def reading(text):
        path = tmp_path / "caxton.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_config(path)

    return reading


def told(file):
    return [(mistake.line, mistake.key) for mistake in file.mistakes]


def test_values_have_their_lines_and_paths_are_the_files_own(read, tmp_path):
    """What a file says is there by parameter; a relative path begins where the file is."""
    file = read(
        "# a comment\nruntime:\n  data_dir: ./data\nrouter:\n  retry_delay_ms: 200\n  dead_letter_eviction: true\n"
    )

    assert file.mistakes == []
    assert file.values == {"data_dir": str(tmp_path / "data"), "retry_delay_ms": 200, "dead_letter_eviction": True}
    assert file.lines == {"data_dir": 3, "retry_delay_ms": 5, "dead_letter_eviction": 6}


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "router:\n", "~\n", "\ufeffrouter:\n", "{}"])
def test_a_file_may_say_nothing(read, text):
    """Then nothing is set, and nothing is wrong."""
    assert (read(text).values, read(text).mistakes) == ({}, [])


@pytest.mark.parametrize("path", REFUSED)
def test_what_is_no_setting_is_refused_by_its_name(read, path):
    """It says why, and what to use instead, and not that there is no such key."""
    section, _, name = path.partition(".")
    file = read(f"{section}:\n  {name}: 10000\n")

    assert told(file) == [(2, path)]
    assert (file.mistakes[0].problem, file.mistakes[0].remedy) == REFUSED[path]
    assert path not in BY_PATH


def test_all_mistakes_are_told_at_once(read):
    """Each with its line and key, in order; what is right beside them is read."""
    file = read(
        "preset: prod\nrouter:\n  retry_facotr: 2\n  retry_delay_ms: 5\n  breaker_threshold: 7\n  retention: forever\n"
    )

    assert told(file) == [
        (1, "preset"),
        (3, "router.retry_facotr"),
        (4, "router.retry_delay_ms"),
        (6, "router.retention"),
    ]
    assert "did you mean router.retry_factor?" in file.mistakes[1].remedy
    assert "choose from 100 to 300000" in file.mistakes[2].remedy
    assert file.values == {"breaker_threshold": 7}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("retry_delay_ms: 200", "router.retry_delay_ms"),
        ("runtim: 5", "runtime"),
        ("router: {workers: 3}", "router.worker_thread_count"),
        ("router: {log_level: info}", "runtime.log_level"),
    ],
)
def test_a_key_in_the_wrong_place_is_told_the_right_one(read, text, meant):
    """Also one that is called as its flag is."""
    assert f"did you mean {meant}?" in read(text).mistakes[0].remedy


def test_the_first_mistake_is_raised_with_the_number_of_the_others(read):
    """Whoever wants to use a file with mistakes is told the line, and where all of them are shown."""
    with pytest.raises(ConfigurationError, match=r"caxton.yaml:1: a: .*; 2 more mistakes: see `caxton config validate"):
        read("a: 1\nb: 2\nc: 3\n").check()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("router: {retry_delay_ms: &a 200}", "an anchor"),
        ("router: {retry_delay_ms: *a}", "an alias"),
        ("router: {retry_delay_ms: !!int 200}", "a tag"),
        ("router: {retry_delay_ms: !!python/object/apply:os.system [id]}", "a list"),
        ("!!python/object:os.path {a: b}", "a tag"),
        ("!!python/object:os.path", "a tag"),
        ("router: &nothing", "an anchor"),
        ("router: {retry_delay_ms: [200]}", "a list"),
        ("router: {retry_delay_ms: {a: b}}", "a mapping"),
        ("router: {retry_delay_ms: }", "it has no value"),
        ("router: 5", "where its keys are wanted"),
        ("router: [a]", "where its keys are wanted"),
        ("- a", "a list where keys"),
        ("text", "a value where keys"),
        ("router: {retry_delay_ms: 200, retry_delay_ms: 300}", "on line 1 already"),
        ("router: {}\nrouter: {}", "on line 1 already"),
        ("? [a]\n: b", "in the place of a key"),
        ("router:\n---\nrouter:", "a second document"),
        ("router: {", "it is no YAML"),
        ("router:\n\tretry_delay_ms: 5", "it is no YAML"),
        ('a: "\\UFFFFFFFF"', "a number is too large"),
        ("%YAML " + "9" * 5_000 + ".1\n---\n", "a number is too large"),
        ("a: \x00", "YAML does not allow"),
        ("router: {receiver_on_disk_mib: 2000}", "out of bounds"),
        ("router.retry_delay_ms: 200", "does not stand in its section"),
        ("router.retry_delay_ms: {}", "does not stand in its section"),
    ],
)
def test_nothing_of_yaml_but_sections_and_values_is_obeyed(read, text, problem):
    """Anchors, aliases, tags, lists, duplicates and more documents are mistakes, with their line."""
    assert any(problem in mistake.problem for mistake in read(text).mistakes)


def test_what_multiplies_itself_multiplies_nothing(read):
    """A tower of aliases is as many mistakes as it has keys."""
    tower = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))
    assert len(read(tower).mistakes) == 40


@pytest.mark.parametrize("opening", ["[", "{a: "])
def test_what_is_too_deep_ends_the_reading(read, opening):
    """Beyond eight levels nothing more is read."""
    assert [m.problem for m in read("router: " + opening * MAX_DEPTH).mistakes if "more than" in m.problem] == []
    deep = read("router: " + opening * (MAX_FILE_BYTES // 8))
    assert [m.line for m in deep.mistakes if "more than 8 lists" in m.problem] == [1]


def test_so_many_mistakes_are_told_and_the_others_counted(read):
    """Fifty are shown."""
    file = read("".join(f"key{n}: 1\n" for n in range(MOST_MISTAKES + 7)))
    assert (len(file.mistakes), file.more) == (MOST_MISTAKES, 7)


def test_what_may_be_meant_is_looked_for_only_where_it_is_told(read, monkeypatch):
    """A file of ten thousand keys that there are not is read as fast as another."""
    asked = []

    def get_close_matches(name, names, _):
        asked.append(name)
        return [next(iter(names))] if names else []

    monkeypatch.setattr("caxton.config.file.get_close_matches", get_close_matches)
    file = read("router:\n  retry_delay_ms: x\n" + "".join(f"k{n}:\n" for n in range(MAX_FILE_BYTES // 8)))
    assert (len(file.mistakes), file.more) == (MOST_MISTAKES, MAX_FILE_BYTES // 8 + 1 - MOST_MISTAKES)
    assert told(file)[:2] == [(2, "router.retry_delay_ms"), (3, "k0")]
    assert asked == [f"k{n}" for n in range(MOST_MISTAKES)]


def test_a_file_has_a_largest_size(read):
    """At 64 KiB it is read, beyond it refused."""
    assert read("#" + "x" * (MAX_FILE_BYTES - 1)).mistakes == []
    with pytest.raises(ConfigurationError, match="more than 65,536 bytes"):
        read("#" + "x" * MAX_FILE_BYTES)


def test_a_file_is_utf_8(read):
    """The line of the first byte that is not is told."""
    with pytest.raises(ConfigurationError, match=r"caxton.yaml:2: byte b'\\xff' is no UTF-8"):
        read(b"a: 1\nb: \xff")


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_refused(read, tmp_path, mode):
    """They could change how the runtime serves."""
    read("")
    (tmp_path / "caxton.yaml").chmod(mode)
    with pytest.raises(ConfigurationError, match=r"others may write it .* chmod go-w"):
        read_config(tmp_path / "caxton.yaml")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else_is_refused(read, tmp_path):
    """Root's may be used by all, another user's by nobody else."""
    read("")
    os.chown(tmp_path / "caxton.yaml", 12_345, -1)
    with pytest.raises(ConfigurationError, match="user 12345 owns it"):
        read_config(tmp_path / "caxton.yaml")


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    """A FIFO that nobody writes into, a directory, a device, nothing at all."""
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, "/dev/zero"):
        with pytest.raises(ConfigurationError, match="it is no file"):
            read_config(type(tmp_path)(path))
    for lost in (tmp_path / "none", tmp_path / "fifo" / "x", type(tmp_path)("a\0b"), tmp_path / ("x" * 300)):
        with pytest.raises(ConfigurationError):
            read_config(lost)


def test_a_link_to_a_file_is_followed(read, tmp_path):
    """Mounted configurations are links."""
    read("preset: testing\n")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "caxton.yaml")
    assert read_config(tmp_path / "link.yaml").values == {"preset": "testing"}


@given(st.text(alphabet=st.sampled_from(" \n\t:-[]{}&*!|>'\"%@`#?,abrouter019~\\"), max_size=60))
def test_any_text_is_read_to_its_end(text):
    """Whatever stands in a file ends as values and mistakes."""
    document = Document(text)
    assert all(mistake.line >= 1 for mistake in document.mistakes)


def test_every_key_may_stand_in_one_file(read):
    """A file that sets everything to its default, or to its least, is right."""
    lines, section = [], ""
    for key in KEYS:
        if key.section != section:
            section = key.section
            lines.append(f"{section}:")
        least = key.least or (key.choices or (LEAST.get(key.kind, "./x"),))[0]
        value = least if key.default is None else key.written(key.default)
        indent = "  " if section else ""
        lines.append(f"{indent}{key.name}: {str(value).lower() if isinstance(value, bool) else value}")
    file = read("\n".join(lines))
    assert file.mistakes == []
    assert len(file.values) == len(KEYS)
