"""The image and the services around it, as their own parsers and schemas see them."""

import json
import re
from importlib.resources import files
from urllib.parse import urlsplit

import dockerfile_parse
import jsonschema
import pytest
import yaml

from caxton.config.file import read_config
from caxton.config.gateway import GatewaySettings, read_address, read_names
from caxton.config.keys import BY_PATH

# Whom a container runs as: nobody of the machine.
USER = "10001:10001"


@pytest.fixture(scope="module")
def instructions(deploy):
    parser = dockerfile_parse.DockerfileParser(str(deploy / "Dockerfile"))
    return [(one["instruction"], one["value"]) for one in parser.structure]


@pytest.fixture(scope="module")
def compose(read_yaml):
    (document,) = read_yaml("compose.yaml")
    return document


@pytest.fixture(scope="module")
def schema():
    """The specification's own, which a package brings."""
    text = files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_text(encoding="utf-8")
    return jsonschema.validators.validator_for(json.loads(text))(json.loads(text))


def values(instructions, name):
    return [value for instruction, value in instructions if instruction == name]


def test_the_image_is_made_in_two_stages_of_the_same_python(instructions):
    """What builds it is not in it: only the environment is copied."""
    bases = values(instructions, "FROM")
    last = max(index for index, (name, _) in enumerate(instructions) if name == "FROM")

    assert bases == ["python:${PYTHON}-slim AS build", "python:${PYTHON}-slim"]
    assert [value for name, value in instructions[last:] if name == "COPY"] == [
        "--from=build /caxton /caxton",
        "deploy/caxton.yaml /etc/caxton/config.yaml",
    ]


def test_the_image_runs_as_nobody_of_the_machine_and_is_looked_after(instructions):
    """Process 1 is the supervisor, in exec form, so that it is told to stop; and somebody looks whether it is well."""
    assert values(instructions, "USER") == [USER]
    assert json.loads(values(instructions, "ENTRYPOINT")[0]) == ["caxton"]
    assert json.loads(values(instructions, "CMD")[0]) == ["serve"]
    (check,) = values(instructions, "HEALTHCHECK")
    assert check.endswith('CMD ["caxton", "health"]')
    assert values(instructions, "EXPOSE") == ["8080 9090"]


def test_all_that_is_copied_is_there_and_goes_to_the_builder(root, deploy, instructions):
    """Whatever the Dockerfile copies is let through, and the package can be made of it."""
    copied = {
        source for value in values(instructions, "COPY") if "--from" not in value for source in value.split()[:-1]
    }
    ignored = (deploy / "Dockerfile.dockerignore").read_text(encoding="utf-8").split("\n")

    assert copied >= {"pyproject.toml", "README.md", "LICENSE", "caxton", "workers"}
    assert all((root / source).exists() for source in copied)
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied


def test_services_are_as_the_schema_of_compose_wants_them(schema, compose):
    """Every key of it, and every value."""
    schema.validate(compose)


def test_a_service_that_is_wrong_would_be_found(schema):
    """The schema is one that refuses something."""
    with pytest.raises(jsonschema.ValidationError):
        schema.validate({"services": {"caxton": {"readonly": True}}})


def test_nothing_is_published_but_at_this_machine(compose):
    """Tokens would travel as plain text; and open metrics are published nowhere."""
    published = {name: service.get("ports", []) for name, service in compose["services"].items()}

    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert not any(port.endswith(":9090") for port in published["caxton"])


def test_the_runtime_may_write_only_where_it_keeps_something(compose):
    """Its root is read-only, it has no capability, and gets none."""
    service = compose["services"]["caxton"]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["volumes"] == ["caxton-data:/var/lib/caxton"]
    assert {line.partition(":")[0] for line in service["tmpfs"]} == {"/run/caxton", "/tmp"}  # noqa: S108 (in a container)


def test_every_file_that_is_mounted_is_there(deploy, compose):
    """And every volume is declared."""
    mounts = [volume.split(":")[0] for service in compose["services"].values() for volume in service.get("volumes", [])]
    here = {mount for mount in mounts if mount.startswith(".")}

    assert here
    assert all((deploy / mount).is_dir() for mount in here)
    assert {*mounts} - here == {*compose["volumes"]}


def test_the_image_serves_what_its_ports_are_for(deploy, tmp_path):
    """Its file is one that `caxton serve` reads, and says where to listen."""
    mine = tmp_path / "caxton.yaml"
    mine.write_bytes((deploy / "caxton.yaml").read_bytes())
    mine.chmod(0o600)
    assert read_config(mine)
    settings = yaml.safe_load((deploy / "caxton.yaml").read_text(encoding="utf-8"))["gateway"]
    gateway = GatewaySettings(
        http=read_address(settings["http"]),
        metrics=read_address(settings["metrics"]),
        names=read_names(settings["http_names"]),
        behind_proxy=settings["http_behind_proxy"],
    )

    assert gateway.places == {"--http": ("0.0.0.0", 8080), "--metrics": ("0.0.0.0", 9090)}  # noqa: S104 (as told)


def test_the_collector_among_the_services_is_told_something(compose, instructions):
    """The image has what it takes, traces are sampled, and it is told nothing that it does not take."""
    environment = compose["services"]["caxton"]["environment"]
    place = urlsplit(environment["OTEL_EXPORTER_OTLP_ENDPOINT"])
    (install,) = [value for value in values(instructions, "RUN") if "pip install" in value]

    assert (place.hostname in compose["services"], place.port) == (True, 4318)
    assert {"http", "otel"} <= {*re.search(r"'\.\[(.*?)\]'", install)[1].split(",")}
    assert environment[BY_PATH["gateway.otlp"].variable] == "true"
    assert 0 < float(environment[BY_PATH["gateway.trace_sampling_ratio"].variable]) <= 1
    assert {environment["OTEL_METRICS_EXPORTER"], environment["OTEL_LOGS_EXPORTER"]} == {"none"}
