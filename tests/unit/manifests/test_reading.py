"""Manifests from files, hostile ones among them."""

import os
import shutil
from pathlib import Path

import pytest

import caxton
import caxton.guests
from caxton.agents.limits import Limits
from caxton.errors import ConfigurationError, InvalidManifest
from caxton.manifests import reading
from caxton.manifests.mistakes import MAX_MISTAKES
from caxton.manifests.reading import MAX_FILE, examine

GUESTS = Path(caxton.guests.__file__).parent
WHOLE = """
name = "tally"
version = "1.2"
wasm = "guests/counter.wasm"
encoding = "msgpack"
capabilities = ["count", "top words"]
profile = "default"
imports = ["caxton_v1.log"]
escalate_to = "chief"
weight = 3

[limits]
max_memory_bytes = 1_048_576
max_hops = 7
"""
AGENT = 'name = "echo"\nwasm = "guests/echo.wasm"\n'


@pytest.fixture
def write(tmp_path):
    """Writes a manifest, beside which is a folder `guests` with two modules; its path."""
    folder = tmp_path / "manifests"
    (folder / "guests").mkdir(parents=True)
    for name in ("echo", "counter"):
        shutil.copy(GUESTS / f"{name}.wasm", folder / "guests")

    def one(text, name="agent.toml"):
        path = folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return one


def mistakes(*paths, root=None):
    """What is wrong, without the names of the files."""
    return [(one.line, one.key, one.problem) for one in examine(paths, root).mistakes.found]


def test_a_manifest_is_a_deployment(write):
    """All that it may say is in the value, which `deploy_many` takes; the module's path is its real one."""
    path = write(WHOLE)

    assert caxton.read_manifest(str(path)) == caxton.Deployment(
        "tally",
        path.parent / "guests" / "counter.wasm",
        "msgpack",
        ("count", "top words"),
        Limits(max_memory_bytes=1 << 20, max_hops=7),
        "chief",
        3,
        "1.2",
    )
    assert caxton.read_system(path) == caxton.System("", (caxton.read_manifest(path),))


def test_a_system_is_several(write):
    """Each agent of a system has its name."""
    path = write(f'system = "shop"\n[[agent]]\n{AGENT}\n[[agent]]\n{AGENT.replace("echo", "other", 1)}')
    found = caxton.read_system(path)

    assert (found.name, [agent.name for agent in found.agents]) == ("shop", ["echo", "other"])
    assert {agent.system for agent in found.agents} == {"shop"}
    with pytest.raises(InvalidManifest, match="2 agents where one is wanted"):
        caxton.read_manifest(path)


def test_what_other_editors_write_is_read(write):
    """A mark at the beginning, the line ends of another system, and a name in the decomposed form."""
    path = write("\ufeff" + AGENT.replace("echo", "e\u0301cho", 1).replace("\n", "\r\n"))

    assert caxton.read_manifest(path).name == "\u00e9cho"


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("", 1, "", "there is no name"),
        (AGENT + "a = [1,\n", 4, "", "no TOML"),
        (AGENT + 'name = "again"\n', 3, "", "no TOML: cannot overwrite a value"),
        (AGENT + "weight = " + "9" * 5_000, 0, "", "no TOML"),
        (AGENT.encode() + b"\xff", 3, "", "it is not UTF-8"),
        ("a" * (MAX_FILE + 1), 0, "", "longer than 4,194,304 bytes"),
        ("a = " + "[" * 100_000, 1, "", "deep in each other"),
        ("x = 1\n" + AGENT, 1, "x", "there is no such key; there are name"),
        ("namee = 1\n" + AGENT, 1, "namee", "did you mean name?"),
        ("x" * 3_000_000 + " = 1\n" + AGENT, 1, "x" * 299 + "…", "there is no such key"),
        (AGENT.replace('"echo"', "5"), 1, "name", "5 is not text"),
        (AGENT.replace('"echo"', '"tool:x"'), 1, "name", "reserved"),
        (AGENT.replace('"echo"', '"00000000c0ffee00"'), 1, "name", "how ids are written"),
        (AGENT.replace('"echo"', '" echo"'), 1, "name", "blanks at its ends"),
        (AGENT.replace('"echo"', '"e\\u202Echo"'), 1, "name", "do not print"),
        (AGENT + 'version = "1 "', 3, "version", "blanks at its ends"),
        (AGENT + "version = 1.2", 3, "version", "1.2 is not text of 1 to 100 characters"),
        (AGENT + 'encoding = "json"', 3, "encoding", "deploy with encoding='msgpack'"),
        (AGENT + 'encoding = "attached"', 3, "encoding", "attach a handler"),
        (AGENT + 'encoding = ["content"]', 3, "encoding", "is not one of content, msgpack"),
        (AGENT + 'capabilities = "count"', 3, "capabilities", "not a list"),
        (AGENT + "capabilities = [\n'a', ''\n]", 4, "capabilities[1]", "is not text of 1 to 100"),
        (AGENT + f"capabilities = {[str(n) for n in range(65)]}", 3, "capabilities", "65 of them; at most 64"),
        (AGENT + 'profile = "strict"', 3, "profile", "not in this version"),
        (AGENT + "profile = 2026-11-29", 3, "profile", "is not default"),
        (AGENT + 'imports = ["wasi.x"]', 3, "imports[0]", "there is no such import"),
        (AGENT + "limits = 5", 3, "limits", "5 is no table"),
        (AGENT + "[limits]\nmax_fuel = true", 4, "limits.max_fuel", "True is not a whole number"),
        (AGENT + "[limits]\nmax_hops = -1", 4, "limits.max_hops", "from 0 to 100000"),
        (AGENT + 'escalate_to = "echo"', 3, "escalate_to", "does not escalate to itself"),
        (AGENT + "weight = 1.0", 3, "weight", "1.0 is not a whole number from 1 to 100"),
        (AGENT.replace("guests/echo", "guests/nope"), 2, "wasm", "No such file"),
        (AGENT.replace("guests/echo.wasm", "guests"), 2, "wasm", "not a regular file"),
        (AGENT.replace("guests/echo.wasm", "agent.toml"), 2, "wasm", "no WebAssembly"),
        (AGENT.replace("guests/echo.wasm", "../../../etc/passwd"), 2, "wasm", "is not below"),
        (AGENT.replace("guests/echo.wasm", "/dev/zero"), 2, "wasm", "is not below"),
        (AGENT.replace("guests/echo.wasm", "a\\u0000b"), 2, "wasm", "is no path"),
        (AGENT.replace("guests/echo.wasm", "a" * 10_000), 2, "wasm", "File name too long"),
        ('system = "shop"\n', 1, "", "there is no [[agent]]"),
        (f'system = " "\n[[agent]]\n{AGENT}', 1, "system", "blanks at its ends"),
        (f'systemm = "shop"\n[[agent]]\n{AGENT}', 1, "systemm", "did you mean system?"),
        (f"weight = 1\n[[agent]]\n{AGENT}", 1, "weight", "below [[agent]]"),
        ("agent = 5\n", 1, "agent", "write [[agent]]"),
        (f"[[agent]]\n{AGENT}[[agent]]\n{AGENT}", 5, "name", "'echo' is the name of the one at"),
        ("system = 1\n" + "[[agent]]\n" * 10_001, 2, "agent", "10,001 agents; at most 10,000"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_what_is_wrong_has_its_line_and_its_key(write, text, line, key, says):
    """Each mistake says where it is and what is wanted."""
    assert any(one[:2] == (line, key) and says in one[2] for one in mistakes(write(text))), mistakes(write(text))


def test_all_mistakes_are_told_at_once(write):
    """In the order of their lines; the error of a call has them all, and says the first ones."""
    path = write('namee = "x"\nwasm = 5\nweight = 0\n[limits]\nmax_feul = 1\nmax_hops = ""\n')

    assert [(line, key) for line, key, _ in mistakes(path)] == [
        (1, "namee"),
        (1, ""),
        (2, "wasm"),
        (3, "weight"),
        (5, "limits.max_feul"),
        (6, "limits.max_hops"),
    ]
    with pytest.raises(InvalidManifest, match=r"6 mistakes: .*:1: namee: .*did you mean name.*; and 3 more") as refused:
        caxton.read_manifest(path)
    assert len(refused.value.mistakes) == 6
    assert refused.value.mistakes[2].startswith(f"{path}:2: wasm: 5 is no path")


def test_mistakes_are_bounded(write):
    """A hundred are kept, and the others counted."""
    found = examine([write(AGENT + "".join(f"x{n} = 1\n" for n in range(150)))]).mistakes

    assert (len(found.found), found.more, len(found)) == (MAX_MISTAKES, 50, 150)


def test_a_folder_is_read_by_its_names(write):
    """Every file that ends with .toml; a name may be there once in all of them."""
    for name in ("b", "a"):
        write(AGENT.replace("echo", name, 1), f"{name}.toml")
    write("no manifest", "notes.txt")
    folder = write(AGENT.replace("echo", "a", 1), "c.toml").parent
    found = examine([folder])

    assert (found.files, [agent.name for agent in found.agents]) == (3, ["a", "b"])
    (one,) = found.mistakes.found
    assert (one.file, one.line) == (str(folder / "c.toml"), 1)
    assert str(folder / "a.toml") in one.problem


def test_one_manifest_is_no_folder(write):
    """Where one file is wanted, with one system in it, a folder is refused."""
    folder = write(AGENT).parent
    for read in (caxton.read_manifest, caxton.read_system):
        with pytest.raises(InvalidManifest, match="not a regular file"):
            read(folder)


def test_a_folder_has_an_end(write, monkeypatch):
    """One without manifests is a mistake, and so is one with too many."""
    folder = write(AGENT).parent
    assert mistakes(folder / "guests") == [
        (0, "", "there is no manifest in this folder: no file whose name ends with .toml")
    ]
    monkeypatch.setattr(reading, "MAX_FILES", 1)
    assert mistakes(folder) == []
    write(AGENT, "other.toml")
    assert mistakes(folder) == [(0, "", "there are more than 1 manifests in this folder")]


def test_whoever_names_a_link_means_what_it_leads_to(write, tmp_path):
    """A manifest may be linked to, and its modules are looked for where the link is."""
    path = write(AGENT)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = elsewhere / "link.toml"
    link.symlink_to(path)

    assert "No such file" in mistakes(link)[0][2]
    (elsewhere / "guests").symlink_to(path.parent / "guests")
    assert "is not below" in mistakes(link)[0][2]
    assert mistakes(link, root=tmp_path) == []
    assert caxton.read_manifest(link, root=tmp_path).wasm == path.parent / "guests" / "echo.wasm"


def test_a_linked_module_stays_below_the_root(write, tmp_path):
    """A link that leads elsewhere is as bad as a path that does."""
    path = write(AGENT)
    module = path.parent / "guests" / "echo.wasm"
    (tmp_path / "outside.wasm").write_bytes(module.read_bytes())
    module.unlink()
    module.symlink_to(tmp_path / "outside.wasm")

    assert [(line, key) for line, key, _ in mistakes(path)] == [(2, "wasm")]
    assert mistakes(path, root=tmp_path) == []


def test_nobody_waits_for_what_is_no_file(write):
    """FIFOs, as manifests and as modules, and folders and files that are not there."""
    path = write(AGENT)
    module = path.parent / "guests" / "echo.wasm"
    module.unlink()
    os.mkfifo(module)
    fifo = path.parent / "fifo.toml"
    os.mkfifo(fifo)
    loop = path.parent / "loop.toml"
    loop.symlink_to(loop)

    assert mistakes(path) == [(2, "wasm", "'guests/echo.wasm': not a regular file")]
    assert mistakes(fifo) == [(0, "", "it is not a regular file")]
    assert mistakes(loop) == [(0, "", "it is not a regular file")]
    assert mistakes(Path("nowhere.toml")) == [(0, "", "No such file or directory")]
    assert mistakes(Path("no\0where.toml"))[0][:2] == (0, "")
    assert mistakes(Path("x" * 300)) == [(0, "", "File name too long")]


def test_a_module_may_import_what_its_manifest_wants(write):
    """Where a manifest says what it wants, everything else that the module imports is a mistake."""
    path = write(AGENT.replace("guests/echo", "log") + "imports = []\n")
    name, field = b"caxton_v1", b"log"
    section = bytes([1, len(name), *name, len(field), *field, 0, 0])
    (path.parent / "log.wasm").write_bytes(b"\0asm\1\0\0\0" + bytes([2, len(section)]) + section)

    assert mistakes(path) == [(3, "imports", "the module imports 'caxton_v1.log', which is not among them")]
    write(path.read_text().replace("[]", '["caxton_v1.log"]'))
    assert mistakes(path) == []


@pytest.mark.parametrize("path", [5, None, b"agent.toml"])
def test_a_path_is_a_path(path):
    """What can be none is refused by name."""
    with pytest.raises(ConfigurationError, match="is not a path"):
        caxton.read_manifest(path)


def test_a_path_or_a_root_that_cannot_be_is_told(write):
    """Whatever is asked for, it is a mistake of the manifest or an error of the call."""
    path = write(AGENT)
    for root in ("a\0b", Path("a\0b")):
        assert "null" in mistakes(path, root=root)[0][2]
        with pytest.raises(InvalidManifest, match=r"root 'a.*null"):
            caxton.read_system(path, root=root)
    assert "null" in mistakes(Path("a\0/b"))[0][2]
    with pytest.raises(ConfigurationError, match="root: 5 is not a path"):
        caxton.read_manifest(path, root=5)


def test_beyond_the_most_agents_nothing_more_is_read(write, monkeypatch):
    """Neither the rest of a folder, nor what is named after it."""
    monkeypatch.setattr(reading, "MAX_AGENTS", 3)
    folder = write("").parent
    for number in range(5):
        write(AGENT.replace("echo", f"a{number}", 1), f"{number}.toml")
    (folder / "agent.toml").unlink()
    found = examine([folder, folder, folder])

    assert (found.files, len(found.agents)) == (4, 4)
    assert [one.problem for one in found.mistakes.found] == ["there are more than 3 agents"]
