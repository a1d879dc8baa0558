import ast


def functions(module):
    return [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def calls(module, called):
    """Calls of anything that has this name, in whatever module or object."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name == called:
                yield node


def yields(sleep):
    """True for sleep(0), which lets the loop go on and waits for no clock."""
    return len(sleep.args) == 1 and isinstance(sleep.args[0], ast.Constant) and sleep.args[0].value == 0


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
    """Tests wait for events and never for the clock; a turn of the loop is the fixture of that name."""
    sleeping = [
        f"{path}:{node.lineno}"
        for path in sources("tests")
        for node in calls(tree(path), "sleep")
        if path.name != "conftest.py" or not yields(node)
    ]

    assert sleeping == []


def test_no_request_by_http_has_httpx_own_patience(sources, tree):
    """Its five seconds are a promise of a machine that has nothing else to do."""
    hasty = [
        f"{path}:{node.lineno}"
        for path in sources("tests")
        for kind in ("Client", "AsyncClient", "get", "post", "put", "delete", "request", "stream")
        for node in calls(tree(path), kind)
        if ast.unparse(node.func).startswith("httpx.") and "timeout" not in [option.arg for option in node.keywords]
    ]

    assert hasty == []


def test_examples_are_a_share_of_what_a_run_asks_for(sources, tree):
    """No property has a number of examples of its own: `--examples` makes it try as much more as all others."""
    fixed = [
        f"{path}:{node.lineno}"
        for path in sources("tests")
        for node in calls(tree(path), "settings")
        for option in node.keywords
        if option.arg == "max_examples" and isinstance(option.value, ast.Constant)
    ]

    assert fixed == []


def test_every_property_is_marked_as_one(sources, tree):
    """A test that runs a state machine itself has the mark that Hypothesis gives to all others."""
    unmarked = [
        f"{path}:{function.lineno} {function.name}"
        for path in sources("tests")
        for function in functions(tree(path))
        if any(calls(function, "run_state_machine_as_test"))
        and "pytest.mark.hypothesis" not in map(ast.unparse, function.decorator_list)
    ]

    assert unmarked == []


def test_every_test_file_is_collected(root, sources):
    """Every file under tests is a test_ file or a conftest, and no folder is a package."""
    odd = [path for path in sources("tests") if not path.stem.startswith("test_") and path.name != "conftest.py"]

    assert [str(path.relative_to(root)) for path in odd] == []
