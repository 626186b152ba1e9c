"""Prometheus finds all processes, its rules are in order, and each question of the dashboard has an answer."""

import json
import re
import urllib.request

import yaml
from compose import ROOT, SETTINGS
from tessera.procs import wait_until

MONITORING = ROOT / "deploy" / "monitoring"


def _targets(compose):
    active = compose.ask_prometheus("targets")["activeTargets"]
    up = sorted(target["labels"]["job"] for target in active if target["health"] == "up")
    return up, [target for target in active if target["health"] != "up"]


def test_all_processes_are_found(compose):
    compose.settle()
    wanted = ["balancer", "gateway", "gateway", "shard", "shard"]
    wait_until(lambda: _targets(compose) == (wanted, []), 120, "all targets up, and none that is gone")


def test_its_page_has_the_alerts(compose):
    """As the README says: the page, and there Alerts, wherever this version of Prometheus has it."""
    page = f"http://127.0.0.1:{SETTINGS['MONITORING_PORT']}"
    with urllib.request.urlopen(f"{page}/", timeout=30) as reply:
        alerts = re.search(r'href="([^"]*/alerts)"', reply.read().decode())[1]
    with urllib.request.urlopen(f"{page}{alerts}", timeout=30) as reply:
        assert "NobodyComesIn" in reply.read().decode()


def test_rules_are_loaded_and_in_order(compose):
    def evaluated():
        rules = [rule for group in compose.ask_prometheus("rules")["groups"] for rule in group["rules"]]
        return all(rule["health"] == "ok" for rule in rules) and rules

    rules = wait_until(evaluated, 90, "all rules evaluated without an error")
    written = [rule["alert"] for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
    assert sorted(rule["name"] for rule in rules) == sorted(written)


def test_nothing_was_ever_wrong(compose):
    """Whatever the tests before have done to the cluster."""
    wrong = 'max_over_time(ALERTS{alertname=~"CanvasDiverged|CanvasRewound|LinksRefused|ProxyRefused",alertstate="firing"}[30m])'
    assert compose.ask_prometheus("query", query=wrong)["result"] == []


def test_the_dashboard_shows_something_everywhere(compose, players):
    dashboard = json.loads((MONITORING / "grafana" / "dashboards" / "tessera.json").read_text())
    # Whatever has happened since Prometheus was started.
    questions = {target["expr"].replace("$__rate_interval", "30m") for panel in dashboard["panels"] for target in panel.get("targets", ())}
    assert len(questions) > 40

    def all_answered():
        unanswered.clear()
        unanswered.extend(question for question in questions if not compose.ask_prometheus("query", query=question)["result"])
        return not unanswered

    unanswered = []
    try:
        wait_until(all_answered, 120, "each question has an answer")
    finally:
        assert not unanswered
    players.stop()
