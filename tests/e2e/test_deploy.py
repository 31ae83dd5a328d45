"""What `deploy/` ships fits the program: metrics that exist, settings that pass its check, files that tools accept."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

import dashboards
from network import require_tool
from turnpike import REPOSITORY, binary, environment

DEPLOY = REPOSITORY / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
RULES = PROMETHEUS / "turnpike.rules.yml"
RULE_TESTS = PROMETHEUS / "tests" / "turnpike.test.yml"
KUBERNETES = DEPLOY / "kubernetes"
TELEMETRY = REPOSITORY / "src" / "telemetry"
CATALOGUES = sorted(TELEMETRY.glob("*catalog.rs"))


@pytest.mark.parametrize("file", [*dashboards.FILES, RULES, RULE_TESTS], ids=lambda file: file.name)
def test_names_only_metrics_of_the_catalogue(file: Path) -> None:
    # What the rules record has a name with colons, which no metric of a program has.
    text = re.sub(r"\binstance:\w+:\w+", "", file.read_text())
    used = set(re.findall(r"\bturnpike_[a-z_]+", text))

    assert used, "no metrics at all"
    assert used <= exposed_names(), sorted(used - exposed_names())


def test_uses_only_what_the_rules_record() -> None:
    rules = [rule for group in load_yaml(RULES)["groups"] for rule in group["rules"]]
    recorded = {rule["record"] for rule in rules if "record" in rule}

    used = {name for rule in rules for name in re.findall(r"\binstance:\w+:\w+", rule["expr"])}

    assert used == recorded


def test_every_alert_has_a_test_that_raises_it_and_one_that_does_not() -> None:
    alerts = {rule["alert"] for group in load_yaml(RULES)["groups"] for rule in group["rules"] if "alert" in rule}
    raised, quiet = set(), set()
    for test in load_yaml(RULE_TESTS)["tests"]:
        for expression in test["promql_expr_test"]:
            (alert,) = re.findall(r'alertname="(\w+)"', expression["expr"])
            (raised if expression["exp_samples"] else quiet).add(alert)

    assert raised == alerts
    assert quiet == alerts


def test_every_alert_says_what_it_means() -> None:
    for group in load_yaml(RULES)["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                assert rule["labels"]["severity"] in {"critical", "warning"}, rule["alert"]
                assert rule["annotations"].keys() == {"summary", "description"}, rule["alert"]


def test_promtool_accepts_the_rules_and_the_scrape() -> None:
    run_tool("promtool", "check", "rules", str(RULES), package="prometheus")
    run_tool("promtool", "check", "config", str(PROMETHEUS / "prometheus.yml"), package="prometheus")
    run_tool("promtool", "test", "rules", str(RULE_TESTS), package="prometheus")


def test_there_is_a_dashboard_for_each_part() -> None:
    found = {file.name: dashboards.load(file) for file in dashboards.FILES}

    assert found.keys() == {"overview.json", "relay.json", "sessions.json", "gateway.json"}
    for name, dashboard in found.items():
        assert dashboard["uid"] == f"turnpike-{name.removesuffix('.json')}"
        # Each links to all that have the tag.
        (link,) = dashboard["links"]
        assert (link["type"], link["tags"]) == ("dashboards", ["turnpike"])
        assert link["keepTime"] and link["includeVars"] and "turnpike" in dashboard["tags"]


@pytest.mark.parametrize("file", dashboards.FILES, ids=lambda file: file.name)
def test_every_panel_can_be_understood(file: Path) -> None:
    dashboard = dashboards.load(file)

    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in dashboards.panels(dashboard):
        assert panel["description"].endswith(".") and panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"] == DATASOURCE, panel["title"]
        assert all(target["datasource"] == DATASOURCE for target in panel["targets"]), panel["title"]
        legends = [target["legendFormat"] for target in panel["targets"]]
        assert len(set(legends)) == len(legends), panel["title"]
        if panel["type"] == "timeseries":
            assert all(legends), panel["title"]


@pytest.mark.parametrize("file", dashboards.FILES, ids=lambda file: file.name)
def test_panels_lie_beside_each_other(file: Path) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboards.load(file)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= GRID_COLUMNS, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                other = taken.setdefault((x, y), panel["title"])
                assert other == panel["title"], f"{panel['title']} lies on {other}"


@pytest.mark.parametrize("file", dashboards.FILES, ids=lambda file: file.name)
def test_panels_name_settings_that_exist(file: Path) -> None:
    described = " ".join(panel["description"] for panel in dashboards.panels(dashboards.load(file)))
    named = set(re.findall(r"\b(?:turn|gateway|records|admin|embedded)\.[a-z_]+(?:\.[a-z_]+)*", described))

    assert named, "no settings at all"
    assert named <= settings(), sorted(named - settings())


@pytest.mark.parametrize("file", dashboards.FILES, ids=lambda file: file.name)
def test_dashboards_ask_for_the_chosen_replicas(file: Path) -> None:
    for question in dashboards.questions(file):
        selectors = re.findall(r"([A-Za-z_]+)\{([^{}]*)\}", question.expression)
        assert selectors, question
        for name, matchers in selectors:
            assert name.startswith(("turnpike_", "process_")) or name in {"up", "ALERTS"}, question
            assert "instance=~\"$instance" in matchers and "job=~\"$job" in matchers, question
        # Nothing is asked for without matchers.
        assert not re.findall(r"\b(?:turnpike|process)_[a-z_]+\b(?!\{)", question.expression), question


def test_promtool_parses_every_expression_of_the_dashboards(tmp_path: Path) -> None:
    rules = [
        {"record": f"{question.dashboard}:question_{number}", "expr": question.filled_in()}
        for number, question in enumerate(dashboards.all_questions())
    ]
    file = tmp_path / "dashboards.rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))

    printed = run_tool("promtool", "check", "rules", str(file), package="prometheus")

    assert f"{len(rules)} rules found" in printed


@pytest.mark.parametrize("folder", ["compose", "kubernetes", "systemd"])
def test_configuration_passes_the_check(folder: str, tmp_path: Path) -> None:
    printed = check(DEPLOY / folder / "turnpike.toml", tmp_path)

    assert "warning" not in printed, printed


def test_variables_of_the_manifests_pass_the_check(tmp_path: Path) -> None:
    # As the kubelet would fill them in.
    known = {"status.podIP": "10.0.0.7", "requests.cpu": "2"}
    variables: dict[str, str] = {}
    for entry in container()["env"]:
        source = entry.get("valueFrom")
        if source is None:
            value = re.sub(r"\$\((\w+)\)", lambda name: variables[name[1]], entry["value"])
        elif "fieldRef" in source:
            value = known[source["fieldRef"]["fieldPath"]]
        else:
            value = known[source["resourceFieldRef"]["resource"]]
        variables[entry["name"]] = value

    printed = check(KUBERNETES / "turnpike.toml", tmp_path, variables)

    assert re.search(r"^admin\n +listens on +10\.0\.0\.7:9090$", printed, re.MULTILINE), printed


def test_kustomization_has_the_expected_manifests() -> None:
    kustomization = load_yaml(KUBERNETES / "kustomization.yaml")
    manifests = [
        manifest
        for resource in kustomization["resources"]
        for manifest in yaml.safe_load_all((KUBERNETES / resource).read_text())
    ]

    assert sorted(manifest["kind"] for manifest in manifests) == [
        "Deployment",
        "Namespace",
        "PodDisruptionBudget",
        "Service",
        "Service",
    ]
    assert kustomization["configMapGenerator"] == [{"name": "turnpike", "files": ["turnpike.toml"]}]
    ports = {port["name"] for port in container()["ports"]}
    services = [manifest["spec"] for manifest in manifests if manifest["kind"] == "Service"]
    targets = {port["targetPort"] for service in services for port in service["ports"]}
    assert targets == {"turn", "turn-tcp", "gateway"} <= ports


def test_manifests_beside_the_kustomization_are_what_they_say() -> None:
    assert load_yaml(KUBERNETES / "podmonitor.yaml")["kind"] == "PodMonitor"
    secret = load_yaml(KUBERNETES / "secret.example.yaml")
    (volume,) = pod()["volumes"]
    mounted = {
        item["key"] for source in volume["projected"]["sources"] for item in source.get("secret", {}).get("items", [])
    }

    assert secret["kind"] == "Secret"
    assert secret["stringData"].keys() == mounted
    # turnpike refuses empty secrets; a made-up one would work, and everybody would know it.
    assert not any(secret["stringData"].values())


def test_pod_outlives_the_drain() -> None:
    manual = (REPOSITORY / "config" / "turnpike.toml").read_text()
    drain_seconds = int(re.search(r'^#drain = "(\d+)s"$', manual, re.MULTILINE)[1])
    sleep_seconds = container()["lifecycle"]["preStop"]["sleep"]["seconds"]
    unit = (DEPLOY / "systemd" / "turnpike.service").read_text()

    assert pod()["terminationGracePeriodSeconds"] > sleep_seconds + drain_seconds
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)[1]) > drain_seconds
    assert int(compose()["services"]["turnpike"]["stop_grace_period"].removesuffix("s")) > drain_seconds


def test_containers_have_no_privileges() -> None:
    service = compose()["services"]["turnpike"]
    user = re.search(r"^USER (\d+):\d+$", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)[1]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert pod()["securityContext"]["runAsUser"] == int(user)
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_image_is_built_from_all_that_the_program_needs(tmp_path: Path) -> None:
    lines = (REPOSITORY / "Dockerfile").read_text().split("\nFROM ")[1].splitlines()
    copied = [name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]]
    let_in = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for name in copied:
        source = REPOSITORY / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)

    # Dependencies are compiled already, by the lints.
    check = ["cargo", "check", "--quiet", "--locked", "--target-dir", str(REPOSITORY / "target")]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True)

    assert set(copied) <= let_in
    assert done.returncode == 0, done.stderr


def exposed_names() -> set[str]:
    """Returns the name of every sample that the catalogue's metrics can have."""
    names = {name for file in CATALOGUES for name in re.findall(r'"(turnpike_[a-z_]+)"', file.read_text())}
    assert names, f"no metrics in {CATALOGUES}"
    histograms = {name for name in names if name.endswith(("_seconds", "_ratio", "_per_second"))}
    return names | {name + suffix for name in histograms for suffix in ("_bucket", "_sum", "_count")}


def settings() -> set[str]:
    """Returns the full name of every setting of the manual, and of every table."""
    names, table = set(), ""
    for line in (REPOSITORY / "config" / "turnpike.toml").read_text().splitlines():
        if heading := re.match(r"#?\[+([a-z_.]+)\]+$", line):
            table = heading[1]
            names.add(table)
        elif setting := re.match(r"#?([a-z_]+) = ", line):
            names.add(f"{table}.{setting[1]}")
    return names


def check(config: Path, folder: Path, variables: dict[str, str] | None = None) -> str:
    """Returns what `turnpike check` prints about a configuration that has its secrets beside it."""
    text = config.read_text().replace("/run/credentials/turnpike.service/", "secrets/")
    (folder / "turnpike.toml").write_text(text)
    (folder / "secrets").mkdir()
    for index, path in enumerate(re.findall(r'^\w+_file = "(.+)"$', text, re.MULTILINE)):
        (folder / path).write_text(f"secret-number-{index}-for-the-check\n")
    env = environment()
    return run(str(binary()), "check", "--config", str(folder / "turnpike.toml"), env=env | (variables or {}))


def run_tool(*command: str, package: str) -> str:
    """Runs a tool, which must find nothing to complain of; fails when it is missing."""
    require_tool(command[0], package)
    return run(*command)


def run(*command: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=TOOL_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def compose() -> dict:
    return load_yaml(DEPLOY / "compose" / "compose.yaml")


def pod() -> dict:
    return load_yaml(KUBERNETES / "deployment.yaml")["spec"]["template"]["spec"]


def container() -> dict:
    return pod()["containers"][0]


def load_yaml(file: Path) -> dict:
    return yaml.safe_load(file.read_text())


DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
# Grafana's.
GRID_COLUMNS = 24
# Each takes about a second.
TOOL_SECONDS = 60
