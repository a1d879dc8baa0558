import ast


def functions(module):
    return [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def waits_for_the_clock(node):
    """True for a call of anything named sleep, unless it only yields: sleep(0)."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name | ast.Attribute):
        return False
    name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
    yields = len(node.args) == 1 and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
    return name == "sleep" and not yields


def test_every_test_says_in_a_sentence_what_holds(sources, tree):
    """Every test has a docstring of one paragraph that ends like a sentence."""
    silent = []
    for path in sources("tests"):
        for function in functions(tree(path)):
            text = ast.get_docstring(function) or ""
            if function.name.startswith("test_") and (not text.endswith(".") or "\n\n" in text):
                silent.append(f"{path}:{function.lineno} {function.name}")

    assert silent == []


def test_no_test_sleeps(sources, tree):
    """Tests wait for events and never for the clock."""
    sleeping = [
        f"{path}:{node.lineno}"
        for path in sources("tests")
        for node in ast.walk(tree(path))
        if waits_for_the_clock(node)
    ]

    assert sleeping == []


def test_every_test_file_is_collected(root, sources):
    """Every file under tests is a test_ file or a conftest, and no folder is a package."""
    odd = [path for path in sources("tests") if not path.stem.startswith("test_") and path.name != "conftest.py"]

    assert [str(path.relative_to(root)) for path in odd] == []
