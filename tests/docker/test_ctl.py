"""tessera-ctl beside the cluster: docker compose run --rm ctl …"""

import json

from tessera.procs import wait_until


def ctl(compose, *argv):
    return json.loads(compose("run", "--rm", "-T", "ctl", "--json", *argv))


def test_status_knows_all_processes(compose):
    compose.settle()

    def counts():
        status = ctl(compose, "status")
        return len(status["shards"]), len(status["gateways"])

    wait_until(lambda: counts() == (2, 2), 60, "two of each, and none that has gone")


def test_settings_are_changed_while_people_draw(compose, players):
    ctl(compose, "set", "announcement", "Back at eight")
    wait_until(lambda: json.loads(compose.get("/api/v1/canvas"))["announcement"] == "Back at eight", 30, "everybody is told")
    players.progress("an announcement")
    ctl(compose, "set", "announcement", "")
    assert players.stop()["reconnects"] == 0
