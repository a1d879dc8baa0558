import inspect
import json

import pytest
from typer.testing import CliRunner

from caxton.cli.command_group import load
from caxton.cli.main import app
from caxton.config.keys import BY_OPTION, KEYS, Kind

ELSEWHERE = {"ctx", "config", "output"}


@pytest.fixture
def invoke(monkeypatch):
    for key in KEYS:
        monkeypatch.delenv(key.variable, raising=False)
    monkeypatch.delenv("CAXTON_CONFIG_PATH", raising=False)
    return lambda *arguments, **environment: CliRunner().invoke(app, [*map(str, arguments)], env=environment)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "caxton.yaml"
    path.write_text("preset: production\nrouter:\n  retry_delay_ms: 200\n  dead_letter_eviction: true\n")
    return path


def rows(done):
    assert done.exit_code == 0, done.output
    return {row["key"]: row for row in json.loads(done.stdout)}


def test_serve_has_an_option_for_every_key_and_no_other():
    """Flag, variable, bounds and default are those of the table."""
    options = {option.name: option for option in load("serve").params if option.name not in ELSEWHERE}
    assert set(options) - {"help"} == set(BY_OPTION)
    for name, key in BY_OPTION.items():
        option = options[name]
        assert key.flag in option.opts
        assert option.envvar == key.variable
        assert option.default == key.default, name
        if key.kind in {Kind.WHOLE, Kind.NUMBER}:
            bounds = [None if bound is None else bound / key.unit for bound in (key.least, key.most)]
            assert [option.type.min, option.type.max] == bounds


def test_each_layer_goes_before_the_next(invoke, file):
    """Flag, environment, file, preset, default: `config show` tells which one each value is from."""
    shown = rows(
        invoke(
            *("config", "show", "--effective", "--config", file, "-o", "json", "--", "--retention", "1h"),
            CAXTON_RETRY_FACTOR="3",
            CAXTON_RETENTION="2h",
        )
    )

    assert set(shown) == {key.path for key in KEYS}
    found = {key.rpartition(".")[2]: (row["value"], row["source"], row["place"]) for key, row in shown.items()}
    assert found["retention"] == ("1h", "flag", "--retention")
    assert found["retry_factor"] == (3.0, "environment", "CAXTON_RETRY_FACTOR")
    assert found["retry_delay_ms"] == (200, "file", f"{file}:3")
    assert found["log_level"] == ("warning", "preset", "production")
    assert found["breaker_threshold"] == (10, "default", None)
    assert found["conversation_timeout_ms"] == (3_600_000, "preset", "production")


def test_what_a_name_does_not_say_is_said(invoke):
    """Of keys whose names were specified elsewhere, what they bound here: below the table, and as a value."""
    asked = ("config", "show", "--", "--inbound-queue-size", "7")
    said = invoke(*asked).stdout.splitlines()[-1]

    assert said.startswith("router.inbound_queue_size: mailbox_capacity of agents")
    assert said.endswith(rows(invoke(*asked[:2], "-o", "json", *asked[2:]))["router.inbound_queue_size"]["sets"])


def test_the_environment_goes_before_the_file_and_a_flag_before_both(invoke, file):
    """Also a flag that says no."""
    of_file = rows(invoke("config", "show", "-o", "json", CAXTON_CONFIG_PATH=str(file)))
    of_variable = rows(
        invoke("config", "show", "-o", "json", CAXTON_CONFIG_PATH=str(file), CAXTON_RETRY_DELAY_MS="300")
    )
    of_flag = rows(invoke("config", "show", "--config", file, "-o", "json", "--", "--no-dead-letter-eviction"))

    assert of_file["router.retry_delay_ms"]["value"] == 200
    assert of_variable["router.retry_delay_ms"]["value"] == 300
    assert of_flag["router.dead_letter_eviction"]["value"] is False


def test_without_effective_what_is_set_is_shown(invoke, file):
    """And where nothing is, that is said."""
    assert "every setting has its default" in invoke("config", "show").stdout
    shown = invoke("config", "show", "--config", file, "--preset", "testing").stdout
    assert "retry_delay_ms" in shown
    assert "file " in shown
    assert "breaker_threshold" not in shown


def test_a_file_with_mistakes_is_not_used(invoke, file):
    """Serving by it, and asking for a runtime that may be where it says, ends with the line; help is still there."""
    file.write_text("router:\n  retry_delay_ms: 5\n")
    told = f"{file}:2: router.retry_delay_ms: 5 is out of bounds; choose from 100 to 300000"

    assert told in invoke("serve", "--config", file).stderr
    assert told in invoke("health", CAXTON_CONFIG_PATH=str(file)).stderr
    as_json = invoke("serve", "-o", "json", CAXTON_CONFIG_PATH=str(file))
    assert (json.loads(as_json.stderr)["error"], as_json.exit_code) == ("ConfigurationError", 1)
    assert invoke("serve", "--help", CAXTON_CONFIG_PATH=str(file)).exit_code == 0


def test_validate_tells_every_mistake_and_fails(invoke, file):
    """As FILE:LINE for people, and as values for programs."""
    assert (valid := invoke("config", "validate", file)).exit_code == 0, valid.output
    file.write_text("preset: prod\nrouter:\n  retry_delay_ms: 5\n")

    shown = invoke("config", "validate", file)
    assert shown.exit_code == 1
    assert [line.partition(": ")[0] for line in shown.stdout.splitlines()] == [f"{file}:1", f"{file}:3"]
    as_json = invoke("config", "validate", file, "-o", "json")
    assert as_json.exit_code == 1
    assert [m["key"] for m in json.loads(as_json.stdout)["mistakes"]] == ["preset", "router.retry_delay_ms"]


def test_what_a_file_holds_controls_no_terminal(invoke, file):
    """Keys and values are escaped."""
    file.write_text('"\\e[31m\\u202e": 1\nrouter:\n  retention: "\\e[2J"\n')
    shown = invoke("config", "validate", file).stdout
    assert shown.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CAXTON_RETRY_DELAY_MS", "5", "CAXTON_RETRY_DELAY_MS"),
        ("CAXTON_WORKERS", "many", "CAXTON_WORKERS"),
        ("CAXTON_LOG_LEVEL", "loud", "--log-level"),
        ("CAXTON_PRESET", "prod", "development, testing, production"),
        ("CAXTON_CONFIG_PATH", "/nowhere/caxton.yaml", "No such file"),
    ],
)
def test_a_variable_that_does_not_fit_is_told(invoke, variable, value, said):
    """By its own name, or by what may be chosen."""
    done = invoke("serve", **{variable: value})
    assert done.exit_code in {1, 2}
    assert said in done.stderr


def test_the_commands_take_the_file_for_where_the_runtime_is(invoke, file, tmp_path):
    """What a file says of the runtime's directory holds for whoever looks for the runtime."""
    file.write_text("runtime:\n  runtime_dir: ./run\n  data_dir: ./data\n")
    done = invoke("health", CAXTON_CONFIG_PATH=str(file))
    assert done.exit_code == 3
    assert str(tmp_path / "run") in done.stderr
    assert str(tmp_path / "data") in invoke("reshard", "--workers", "2", CAXTON_CONFIG_PATH=str(file)).stderr


def test_the_function_has_the_defaults_of_the_table():
    """What help shows as a default is what holds."""
    given = inspect.signature(load("serve").callback).parameters
    assert {name: given[name].default for name in BY_OPTION} == {name: key.default for name, key in BY_OPTION.items()}
