import ast
import importlib
import re

import caxton
from caxton.supervisor.desk.reasons import KINDS

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PLACE = re.compile(r"`((?:caxton|workers|bench|tests|scripts|docs)/[\w./*-]+?)(?::\d+)?`")
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Installs a package of this name from wherever packages come from.
OF_PYPI = re.compile(r"pip install (?:-\S+ )*['\"]?caxton\b")
TOLD = ("*.md", "docs/*", "caxton/**/*", "workers/**/*", "bench/**/*", "deploy/**/*")


def test_every_link_leads_somewhere(root, pages):
    """Every relative link of a page points to a file that is there."""
    lost = []
    for page in pages:
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            inside = not re.match(r"[a-z]+:|#", target)
            if inside and not (page.parent / target.partition("#")[0]).exists():
                lost.append(f"{page.relative_to(root)}: {target}")

    assert lost == []


def test_every_place_that_a_page_names_is_there(root, pages):
    """Every path of the project that a page names in code style exists."""
    named = [(page, place) for page in pages for place in PLACE.findall(page.read_text(encoding="utf-8"))]
    lost = [f"{page.relative_to(root)}: {place}" for page, place in named if not any(root.glob(place.rstrip("/")))]

    assert lost == []


def test_every_wing_is_on_the_map(root):
    """The page on the architecture names every folder of workers, of the client and of the supervisor."""
    page = (root / "docs/architecture.md").read_text(encoding="utf-8")
    wings = [
        str(init.parent.relative_to(root))
        for house in ("workers", "caxton/client", "caxton/supervisor")
        for init in root.glob(f"{house}/*/__init__.py")
    ]

    assert wings
    assert [wing for wing in wings if f"`{wing}`" not in page] == []


def test_the_readme_uses_only_what_the_package_exports(root):
    """Every Python example of the README parses, and what it takes from caxton is there."""
    examples = PYTHON.findall((root / "README.md").read_text(encoding="utf-8"))
    assert examples, "the README shows no Python"

    for example in examples:
        module = compile(example, "README.md", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        for node in ast.walk(module):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "caxton":
                assert hasattr(caxton, node.attr), f"caxton.{node.attr}"
            elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "caxton":
                source = importlib.import_module(node.module)
                assert [name.name for name in node.names if not hasattr(source, name.name)] == []


def test_every_reason_of_health_is_explained(root):
    """The page on operating a runtime has a row for each reason that health can give, with its level, and no other."""
    page = (root / "docs/operating.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (problem|warning) \|", page, re.MULTILINE))

    assert rows == {name: kind.level for name, kind in KINDS.items()}


def test_nothing_tells_to_install_what_is_not_ours(root):
    """What PyPI has under this name is another project: whoever is told to install Caxton does so in a clone."""
    told = [path for folder in TOLD for path in root.glob(folder) if path.suffix in {".py", ".md", ".sh"}]

    assert len(told) > 300
    assert [str(path) for path in told if OF_PYPI.search(path.read_text(encoding="utf-8"))] == []
