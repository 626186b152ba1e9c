"""docker-compose.yml: it comes up, grows and shrinks, is killed and renewed, while people draw through the balancer over TLS."""

import json
import os
import signal
import subprocess

from compose import ADDRESS, HTTP_PORT, PORT, ROOT, SERVICES, head, run
from tessera.procs import wait_until


def test_only_the_port_of_the_balancer_is_published(compose):
    published = {}
    for container in compose.containers():
        ports = container.inspect()["NetworkSettings"]["Ports"] or {}
        hosts = {(host["HostIp"], host["HostPort"]) for bound in ports.values() for host in bound or ()}
        if hosts:
            published[container.name] = hosts
    port, http = os.environ["PORT"], os.environ["HTTP_PORT"]
    assert published == {"tessera_balancer_1": {("0.0.0.0", port), ("::", port)},
                         "tessera_http_1": {("0.0.0.0", http), ("::", http)},
                         "tessera_prometheus_1": {("127.0.0.1", os.environ["MONITORING_PORT"])}}


def test_only_what_is_published_has_a_way_out(compose):
    ids = run("docker", "network", "ls", "-q", "-f", "name=tessera_").split()
    networks = {network["Name"]: network["Internal"] for network in json.loads(run("docker", "network", "inspect", *ids))}
    assert networks == {"tessera_public": False, "tessera_monitoring": False, "tessera_front": True, "tessera_back": True}
    open_to = {name: set() for name, internal in networks.items() if not internal}
    for container in compose.containers():
        for name in set(container.inspect()["NetworkSettings"]["Networks"]) & set(open_to):
            open_to[name].add(container.name)
    assert open_to == {"tessera_public": {"tessera_balancer_1", "tessera_http_1"}, "tessera_monitoring": {"tessera_prometheus_1"}}


def test_plain_http_is_sent_to_https(compose):
    for port in (PORT, HTTP_PORT):
        status, headers = head(f"http://127.0.0.1:{port}/?x=1&y=2")
        assert (status, headers["Location"]) == (308, f"https://{ADDRESS}/?x=1&y=2")
    status, headers = head(f"https://{ADDRESS}/")
    assert (status, headers["Strict-Transport-Security"]) == (200, "max-age=63072000")


def test_what_was_drawn_after_a_backup_is_gone_after_its_restore(compose, players, tmp_path):
    """The backup while people draw. They cannot know of a restore, so they end before it. Those of the other tests draw on
    what was restored."""
    compose("run", "--rm", "-T", "ctl", "backup", "night")
    players.progress("a backup was made")
    assert players.stop()["reconnects"] == 0
    # Out of the volume and into it again, as to another machine.
    run("sh", "-c", f"docker-compose run --rm -T --entrypoint cat ctl night >{tmp_path}/night")
    run("sh", "-c", f"docker-compose run --rm -T --entrypoint dd ctl of=copy <{tmp_path}/night")
    compose("run", "--rm", "-T", "ctl", "verify", "copy")
    before = len(compose.canvas().all_placements())
    compose("run", "--rm", "-T", "ctl", "restore", "copy")
    restored = compose.canvas()
    restored.check_users()
    assert 0 < len(restored.all_placements()) < before
    wait_until(lambda: compose.get("/api/v1/tiles/0/0") == restored.colors[0, 0], 60, "gateways have what was restored")


def test_gateways_and_shards_come_and_go(compose, players):
    """2 → 4 → 2 gateways, 2 → 3 → 2 shards."""
    for gateways, shards in ((4, 2), (4, 3), (2, 3), (2, 2)):
        compose.up(gateways, shards)
        players.progress(f"{gateways} gateways, {shards} shards")
    summary = players.stop()
    assert summary["verdicts"]["unavailable"] == 0


def test_each_container_is_killed(compose, players):
    """As by a crash: kill -9 from outside; the engine starts them again, gateways that were sent a HUP, too."""
    compose.hang_up()
    for container in compose.containers(*SERVICES):
        before = container.state()["StartedAt"]
        os.kill(container.program(), signal.SIGKILL)
        wait_until(lambda: container.state()["StartedAt"] != before and container.healthy(), 120, f"{container.name} is back")
        players.progress(f"{container.name} was killed")
    assert players.stop()["reconnects"] > 0


def test_each_service_is_recreated(compose, players):
    """deploy/roll all, as after a new version: every container is another one afterwards."""
    before = {container.id for container in compose.containers()}
    rolling = subprocess.Popen(["deploy/roll", "all"], cwd=ROOT, env={**os.environ, "COMPOSE": "docker-compose"},
                               text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for line in rolling.stdout:
        if line.startswith("roll: "):
            players.progress(line)
    assert rolling.wait() == 0
    compose.wait_healthy(gateway=2, shard=2)
    after = {container.id for container in compose.containers()}
    assert len(after) == len(before) == 8 and not before & after
    players.stop()
