"""Metrics are what promtool takes, alerts fire when they should and say what to do, and the dashboard asks for what there is."""

import json
import re
import subprocess

import pytest
import yaml
from tessera import http
from tessera.procs import ROOT

MONITORING = ROOT / "deploy" / "monitoring"
EXAMPLES = ROOT / "tests" / "integration" / "monitoring" / "alerts_test.yml"
DASHBOARD = MONITORING / "grafana" / "dashboards" / "tessera.json"
# Those of Prometheus itself and of HAProxy; tests/docker asks a real one.
OTHERS = re.compile(r"ALERTS|up|haproxy_\w+|__name__|instance|job|reason|verdict|kind|result|le|alertname|alertstate|proxy")
WORDS = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
LANGUAGE = {"sum", "topk", "by", "rate", "increase", "max", "min", "count", "vector", "time", "and", "or", "histogram_quantile", "__rate_interval"}


def promtool(*argv, **options):
    done = subprocess.run(["promtool", *map(str, argv)], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def rules():
    return [rule for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def dashboard():
    return json.loads(DASHBOARD.read_text())


def targets(dashboard):
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def metrics_in(expression):
    """Names of the metrics that an expression asks for; a pattern over __name__ is spelled out."""
    expression = re.sub(r"tessera_\(gateway\|shard\)(\w+)", r"tessera_gateway\1 tessera_shard\1", expression)
    expression = re.sub(r'=~?"(?!tessera)[^"]*"|!="[^"]*"|\[[^]]*\]|\b\d+\w*\b', " ", expression)
    names = {name for name in WORDS.findall(expression) if name not in LANGUAGE and not OTHERS.fullmatch(name)}
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}


def test_metrics_are_well_formed_and_are_what_alerts_and_dashboard_ask_for(make_cluster, rules, dashboard):
    cluster = make_cluster()
    known = set()
    for process in (cluster.gateways[0], cluster.shards[0]):
        reply = http.get(process.metrics, "/metrics")
        assert reply.status == 200
        promtool("check", "metrics", input=reply.body.decode())
        known |= set(re.findall(r"^# TYPE (\w+)", reply.body.decode(), re.MULTILINE))
    asked = {(rule["alert"], name) for rule in rules for name in metrics_in(rule["expr"])}
    asked |= {(title, name) for title, expression in targets(dashboard) for name in metrics_in(expression)}
    assert len(asked) > 60
    assert not {(who, name) for who, name in asked if name not in known}


def test_rules_are_well_formed():
    promtool("check", "rules", MONITORING / "alerts.yml")


def test_configuration_is_well_formed(tmp_path):
    text = (MONITORING / "prometheus.yml").read_text().replace("/etc/prometheus", str(MONITORING))
    (tmp_path / "prometheus.yml").write_text(text)
    promtool("check", "config", tmp_path / "prometheus.yml")


def test_each_alert_fires_when_it_should_and_not_else(rules):
    promtool("test", "rules", EXAMPLES)
    examples = yaml.safe_load(EXAMPLES.read_text())["tests"]
    shown = set(re.findall(r'alertname="(\w+)"', EXAMPLES.read_text()))
    assert shown == {rule["alert"] for rule in rules}
    assert sum(not test["promql_expr_test"][0]["exp_samples"] for test in examples) >= 3


def test_each_alert_says_what_to_do(rules):
    names = [rule["alert"] for rule in rules]
    assert len(set(names)) == len(names)
    for rule in rules:
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]
        assert set(rule["annotations"]) == {"summary", "action"}, rule["alert"]
        assert len(rule["annotations"]["summary"]) > 30 and len(rule["annotations"]["action"]) > 25, rule["alert"]
        for other in re.findall(r"\b[A-Z][a-z]+[A-Z]\w+\b", rule["annotations"]["action"]):
            assert other in names, f"{rule['alert']} names {other}"


def test_dashboard_is_whole(dashboard):
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids) and len(panels) > 20
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
        assert panel["datasource"]["uid"] == "tessera" and panel["targets"], panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]), panel["title"]
    source = yaml.safe_load((MONITORING / "grafana" / "datasources" / "tessera.yml").read_text())["datasources"][0]
    assert source["uid"] == "tessera" and source["type"] == "prometheus"
