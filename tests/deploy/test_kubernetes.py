"""The manifests of Kubernetes: as its own schemas want them, and fitting to each other and to the image."""

import kubernetes_validate
import pytest
import yaml

from caxton.config.file import read_config
from caxton.config.gateway import read_names
from caxton.gateway.hosts import Hosts

FILES = ("configmap", "service", "statefulset", "poddisruptionbudget", "networkpolicy")
# The oldest and the newest release that the schemas are of and that these are meant for.
VERSIONS = ("1.28", "1.33")
LABELS = {"app": "caxton"}


@pytest.fixture(scope="module")
def objects(read_yaml):
    """Every object, by its kind and its name."""
    return {
        (one["kind"], one["metadata"]["name"]): one for file in FILES for one in read_yaml(f"kubernetes/{file}.yaml")
    }


@pytest.fixture(scope="module")
def pod(objects):
    return objects["StatefulSet", "caxton-server"]["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def container(pod):
    (only,) = pod["containers"]
    return only


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_as_the_schemas_want_it(objects, version):
    """Strictly: a key that there is not is refused."""
    assert len(objects) == 6
    for one in objects.values():
        kubernetes_validate.validate(one, version, strict=True)


def test_an_object_that_is_wrong_would_be_found(objects):
    """The schemas refuse something."""
    wrong = {**objects["Service", "caxton"], "spec": {"port": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_all_files_are_applied_together(deploy, read_yaml):
    """And there is none that nobody applies."""
    (kustomization,) = read_yaml("kubernetes/kustomization.yaml")
    there = {path.name for path in (deploy / "kubernetes").iterdir()} - {"kustomization.yaml"}

    assert {*kustomization["resources"]} == there == {f"{file}.yaml" for file in FILES}


def test_there_is_one_runtime_and_nobody_evicts_it(objects):
    """A second replica would be another one."""
    assert objects["StatefulSet", "caxton-server"]["spec"]["replicas"] == 1
    assert objects["PodDisruptionBudget", "caxton"]["spec"]["maxUnavailable"] == 0


def test_whatever_selects_pods_selects_these(objects):
    """Services, the budget and the policy mean the pod by its labels; the set knows its service."""
    stateful = objects["StatefulSet", "caxton-server"]["spec"]
    selectors = [
        objects["Service", "caxton"]["spec"]["selector"],
        objects["Service", stateful["serviceName"]]["spec"]["selector"],
        objects["PodDisruptionBudget", "caxton"]["spec"]["selector"]["matchLabels"],
        objects["NetworkPolicy", "caxton"]["spec"]["podSelector"]["matchLabels"],
        stateful["selector"]["matchLabels"],
        stateful["template"]["metadata"]["labels"],
    ]

    assert all(selector == LABELS for selector in selectors)


def test_ports_are_those_that_the_container_has(objects, container):
    """By name, in services, probes and policies; other numbers are of others."""
    named = {port["name"]: port["containerPort"] for port in container["ports"]}
    services = [
        port["targetPort"]
        for kind, name in objects
        if kind == "Service"
        for port in objects[kind, name]["spec"]["ports"]
    ]
    probes = [container[f"{probe}Probe"]["httpGet"]["port"] for probe in ("startup", "liveness", "readiness")]
    allowed = [port["port"] for rule in objects["NetworkPolicy", "caxton"]["spec"]["ingress"] for port in rule["ports"]]

    assert named == {"api": 8080, "metrics": 9090}
    assert {*services, *probes, *allowed} <= named.keys()


def test_probes_and_resources_are_those_of_the_plan(container, objects):
    """So are the paths, the sizes and where things are."""
    liveness, readiness = container["livenessProbe"], container["readinessProbe"]
    volumes = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    (claim,) = objects["StatefulSet", "caxton-server"]["spec"]["volumeClaimTemplates"]

    assert (liveness["httpGet"]["path"], liveness["initialDelaySeconds"], liveness["periodSeconds"]) == (
        "/health",
        30,
        10,
    )
    assert (readiness["httpGet"]["path"], readiness["initialDelaySeconds"], readiness["periodSeconds"]) == (
        "/ready",
        5,
        5,
    )
    assert container["resources"] == {
        "requests": {"memory": "512Mi", "cpu": "250m"},
        "limits": {"memory": "2Gi", "cpu": "1000m"},
    }
    assert (volumes["config"], volumes["data"]) == ("/etc/caxton", "/var/lib/caxton")
    assert (claim["metadata"]["name"], claim["spec"]["resources"]["requests"]["storage"]) == ("data", "10Gi")


def test_the_pod_may_do_nothing_that_it_does_not_need(pod, container):
    """It is nobody of its node, its root is read-only, and it has no token of the cluster."""
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 10_001
    assert pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_volumes_are_there_for_all_that_is_mounted(pod, container, objects):
    """Whatever is mounted is a volume of the pod or a claim, and the map that it names is one of these objects."""
    claims = objects["StatefulSet", "caxton-server"]["spec"]["volumeClaimTemplates"]
    volumes = {volume["name"] for volume in pod["volumes"]} | {claim["metadata"]["name"] for claim in claims}

    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    assert ("ConfigMap", pod["volumes"][0]["configMap"]["name"]) in objects


def test_its_file_is_one_that_the_runtime_reads(objects, pod, tmp_path):
    """With ports as the container has them, and a drain that ends before the pod is killed."""
    mine = tmp_path / "config.yaml"
    mine.write_text(objects["ConfigMap", "caxton-config"]["data"]["config.yaml"])
    mine.chmod(0o600)
    values = read_config(mine).values

    assert (values["http"], values["metrics"]) == ("0.0.0.0:8080", "0.0.0.0:9090")
    assert values["drain_timeout"] < pod["terminationGracePeriodSeconds"]


def test_whoever_calls_a_service_by_any_of_its_names_is_let_in(objects):
    """Short or whole, as the name service of the cluster has them in the namespace of the manual; and the pod's own."""
    names = yaml.safe_load(objects["ConfigMap", "caxton-config"]["data"]["config.yaml"])["gateway"]["http_names"]
    hosts = Hosts("0.0.0.0", 8080, read_names(names))  # noqa: S104 (as told)
    ends = ("", ".caxton", ".caxton.svc", ".caxton.svc.cluster.local")
    asked = [f"caxton{end}:8080" for end in ends]
    asked += [f"caxton-server-0.caxton-pods{end}:8080" for end in ("", ".caxton.svc.cluster.local")]
    asked += ["10.0.0.7:8080", "localhost:8080"]

    assert [name for name in asked if hosts.refuses([name.encode()], []) is not None] == []
    assert hosts.refuses([b"caxton.example:8080"], []) is not None


def test_nothing_of_others_is_run_as_the_image(container):
    """A name without a registry is taken from the node alone."""
    assert (container["image"], container["imagePullPolicy"]) == ("caxton:latest", "Never")
